"""Paired statistics: is the difference between models on the same examples more than chance?

Pure functions with their own seeded generator; numpy is imported inside, so call them in a spawned process. A table is
[examples][columns]: each column holds the differences (tuned - base) of one measure of one model, and all columns are
resampled together, which is what keeps five models on 10,000 examples under a second.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import msgspec

from engine.results.intervals import difference_interval

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 10_000
LEAST_RESAMPLES = 2_000
DRAWS = 20_000_000
"""With more examples than 2,000 fewer resamples are drawn, never under 2,000: the bounds then move by a twentieth of
their distance at most."""
LEVEL = 0.95
SIGNIFICANT = 0.05
POWER = 0.8
EXACT_FLIPS = 14
LEAST_EXAMPLES = 10
"""Of fewer examples a bootstrap's intervals are too narrow to be shown."""
EXACT_RANKS = 50
NORMAL = NormalDist()
TINY = 1e-9
"""Differences below this are rounding."""
Size = Literal["none", "small", "medium", "large", "not known"]


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """A paired comparison: mean difference (tuned - base), its 95 % interval, and a two-sided p-value.

    `effect` is the difference in standard deviations of the differences (Cohen's d_z), for ranks the matched-pairs
    rank-biserial correlation; None where there is no such deviation, with one example or all alike. `detectable` is the
    smallest difference that this number of examples shows with a chance of 80 %, None where they can show none.
    `corrected` is the p-value after Holm's correction over everything that was compared at once, and `detectable` then
    holds at the strictest level of that. `examples` and `spread` (0 in those of before) are what it was made of.
    """

    difference: float
    low: float
    high: float
    p_value: float
    test: str
    effect: float | None = 0.0
    detectable: float | None = 0.0
    corrected: float = 1.0
    examples: int = 0
    spread: float = 0.0

    @property
    def size(self) -> Size:
        """The effect in words, by Cohen's (1988) bounds."""
        if self.effect is None:
            return "large" if self.examples > 1 else "not known"
        strength = abs(self.effect)
        return "none" if strength < 0.2 else "small" if strength < 0.5 else "medium" if strength < 0.8 else "large"

    @property
    def has_interval(self) -> bool:
        """Whether the examples allow one: a single value, or many that are the same, have no spread to make it of."""
        return self.high - self.low > TINY

    @property
    def shown(self) -> bool:
        """More than chance, after the correction."""
        return self.corrected < SIGNIFICANT


def paired_means(columns: Sequence[Sequence[float]], *, yes_no: Collection[int] = (), seed: int = 0) -> list[Paired]:
    """Each column's mean difference with BCa interval and sign-flip test; columns are of equal length, and not empty.

    A column of differences of -1, 0 and 1 alone is tested by McNemar's exact test instead. `yes_no` are the places of
    columns that are of yes and no whatever their values: their interval is that of two shares.
    """
    import numpy as np

    table = np.ascontiguousarray(np.asarray(columns, dtype=float).T)
    bounds, chances = bootstrap_intervals(table, seed=seed), sign_flips(table, seed=seed)
    if len(table) > 1:
        for i in yes_no:
            gained, lost = int((table[:, i] > 0).sum()), int((table[:, i] < 0).sum())
            bounds[i] = difference_interval(gained, lost, len(table))
    return [
        _paired(table[:, i], (float(bounds[i][0]), float(bounds[i][1])), float(chances[i])) for i in range(len(columns))
    ]


def _paired(values: np.ndarray, bounds: tuple[float, float], chance: float) -> Paired:
    import numpy as np

    mean, spread = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    spread = spread if spread > TINY else 0.0
    binary = bool(np.isin(values, (-1.0, 0.0, 1.0)).all())
    if binary:
        chance = binomial_tail(int((values > 0).sum()), int((values < 0).sum()))
    return Paired(
        difference=mean,
        low=bounds[0],
        high=bounds[1],
        p_value=chance,
        test="exact McNemar" if binary else "paired sign-flip permutation",
        effect=mean / spread if spread else None if abs(mean) > TINY else 0.0,
        detectable=detectable(spread, len(values)),
        examples=len(values),
        spread=spread,
    )


def ratings(differences: Sequence[float], *, seed: int = 0) -> Paired:
    """A mean difference of ratings, tested by their signed ranks (a step of a rating has no fixed size)."""
    import numpy as np

    (mean,) = paired_means([differences], seed=seed)
    values = np.asarray(differences, dtype=float)
    plus, minus = _rank_sums(values)
    total = plus + minus
    return msgspec.structs.replace(
        mean,
        p_value=wilcoxon(differences),
        test="Wilcoxon signed-rank",
        effect=(plus - minus) / total if total else 0.0,
    )


def with_holm(family: Sequence[Paired]) -> list[Paired]:
    """The same comparisons with p-values corrected for being several, and what could be shown so."""
    corrected, level = holm([each.p_value for each in family]), SIGNIFICANT / max(1, len(family))
    return [
        msgspec.structs.replace(
            each,
            corrected=value,
            detectable=detectable(each.spread, each.examples, level) if each.examples else each.detectable,
        )
        for each, value in zip(family, corrected, strict=True)
    ]


def binomial_tail(gained: int, lost: int) -> float:
    """Two-sided chance that so uneven a split of `gained` + `lost` comes from a fair coin. Exact whole numbers.

    On the pairs of yes and no that differ this is McNemar's exact test. Source: McNemar 1947; exact form as in
    Fagerland, Lydersen, Laake 2013.
    """
    differing, term, tail = gained + lost, 1, 0
    for k in range(min(gained, lost) + 1):
        tail += term
        term = term * (differing - k) // (k + 1)
    return min(1.0, 2 * tail / 2**differing)


def bootstrap_intervals(table: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """The 95 % interval of each column's mean, [columns, 2], by the bias-corrected and accelerated bootstrap (Efron
    1987). A resample takes the same examples of every column.

    Where all differences of a column are the same there is nothing to resample, and with fewer than ten examples the
    intervals would be too narrow: low and high are the mean then.
    """
    import numpy as np

    means = table.mean(axis=0)
    result = np.stack([means, means], axis=1)
    many = len(table) >= LEAST_EXAMPLES
    open_ = np.flatnonzero(np.ptp(table, axis=0) > TINY) if many else np.array([], dtype=int)
    if len(open_):
        resampled = np.sort(_resampled_means(table[:, open_], np.random.default_rng(seed)), axis=0)
        for place, column in enumerate(open_):
            levels = _bca_levels(table[:, column], resampled[:, place])
            result[column] = np.quantile(resampled[:, place], levels)
    return result


def _rounds(examples: int) -> int:
    return max(LEAST_RESAMPLES, min(RESAMPLES, DRAWS // max(1, examples)))


def _resampled_means(table: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    """[resamples, columns]: how often each example was drawn, times the table; in pieces, to spare memory."""
    import numpy as np

    examples, rounds = len(table), _rounds(len(table))
    piece = max(1, 4_000_000 // examples)
    found = []
    for start in range(0, rounds, piece):
        here = min(piece, rounds - start)
        picks = dice.integers(0, examples, size=(here, examples), dtype=np.int64)
        picks += np.arange(here, dtype=np.int64)[:, None] * examples
        counts = np.bincount(picks.ravel(), minlength=here * examples).reshape(here, examples)
        found.append(counts.astype(np.float64) @ table)
    return np.concatenate(found) / examples


def _bca_levels(values: np.ndarray, resampled: np.ndarray) -> tuple[float, float]:
    """The percentiles that correct for bias and skew."""
    import numpy as np

    mean = values.mean()
    # Ties count half, or a mean of few distinct values would look biased; sums in another order differ by rounding.
    rounding = 1e-12 * max(1.0, float(np.abs(values).max()))
    below = (np.sum(resampled < mean - rounding) + np.sum(resampled <= mean + rounding)) / (2 * len(resampled))
    bias = NORMAL.inv_cdf(min(max(float(below), 1e-6), 1 - 1e-6))
    left_out = (values.sum() - values) / (len(values) - 1)
    spread = left_out.mean() - left_out
    denominator = 6 * float(np.sum(spread**2)) ** 1.5
    acceleration = float(np.sum(spread**3)) / denominator if denominator else 0.0
    levels = []
    for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        z = bias + NORMAL.inv_cdf(tail)
        levels.append(NORMAL.cdf(bias + z / (1 - acceleration * z)))
    return levels[0], levels[1]


def sign_flips(table: np.ndarray, *, seed: int = 0) -> list[float]:
    """Each column's two-sided p-value of a zero mean: under no effect each difference may have either sign.

    Exact up to 14 examples, else random flips, the same for every column (p is never below 1 / (flips + 1)). Source:
    Fisher 1935.
    """
    import numpy as np

    observed = np.abs(table.sum(axis=0)) * (1 - 1e-12)
    if len(table) <= EXACT_FLIPS:
        every = np.arange(2 ** len(table))[:, None] >> np.arange(len(table)) & 1
        reached = np.abs((1 - 2 * every) @ table) >= observed
        chances = reached.mean(axis=0)
    else:
        flips, hits = _rounds(len(table)), np.zeros(table.shape[1])
        dice, piece = np.random.default_rng(seed), max(1, 4_000_000 // len(table))
        for start in range(0, flips, piece):
            here = min(piece, flips - start)
            raw = np.frombuffer(dice.bytes(here * -(-len(table) // 8)), dtype=np.uint8).reshape(here, -1)
            signs = np.unpackbits(raw, axis=1, count=len(table))
            sums = 2 * (signs.astype(np.float64) @ table) - table.sum(axis=0)
            hits += np.sum(np.abs(sums) >= observed, axis=0)
        chances = (hits + 1) / (flips + 1)
    return [float(p) if np.any(table[:, i]) else 1.0 for i, p in enumerate(chances)]


def wilcoxon(differences: Sequence[float]) -> float:
    """Two-sided Wilcoxon signed-rank test; differences of zero say nothing and are left out, ties share their rank.

    Exact up to 50 differences (the distribution over all signs, also with ties), normal with tie correction above.
    Source: Wilcoxon 1945; Pratt and Gibbons 1981.
    """
    import numpy as np

    values = np.asarray(differences, dtype=float)
    values = values[values != 0]
    if not len(values):
        return 1.0
    plus, minus = _rank_sums(values)
    ranks = _ranks(np.abs(values))
    if len(values) <= EXACT_RANKS:
        return _exact_rank_chance(ranks, min(plus, minus))
    spread = sqrt(float(np.sum(ranks**2)) / 4)
    return 2 * NORMAL.cdf((min(plus, minus) - float(ranks.sum()) / 2) / spread)


def _exact_rank_chance(ranks: np.ndarray, smaller: float) -> float:
    """The share of all signs whose sum of ranks is as small, twice. Ranks are doubled, so that halves are whole."""
    doubled = [round(2 * float(rank)) for rank in ranks]
    ways = [1] + [0] * sum(doubled)
    for rank in doubled:
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    return min(1.0, 2 * sum(ways[: round(2 * smaller) + 1]) / 2 ** len(doubled))


def _rank_sums(values: np.ndarray) -> tuple[float, float]:
    """The sums of the ranks of positive and of negative differences."""
    import numpy as np

    kept = values[values != 0]
    ranks = _ranks(np.abs(kept))
    return float(ranks[kept > 0].sum()), float(ranks[kept < 0].sum())


def _ranks(sizes: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal sizes share the mean of theirs."""
    import numpy as np

    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected


def _reach(level: float) -> float:
    """Standard errors that a difference must be away from zero to be shown with the wanted chance."""
    return NORMAL.inv_cdf(1 - level / 2) + NORMAL.inv_cdf(POWER)


def detectable(spread: float, examples: int, level: float = SIGNIFICANT) -> float | None:
    """The smallest mean difference that is shown with a chance of 80 %; `spread` is the differences' deviation.

    None where so few can show nothing: even if all point one way, chance does that once in 2^(examples - 1).
    """
    if not examples or 2.0 ** (1 - examples) >= level:
        return None
    return _reach(level) * spread / sqrt(examples)


def examples_for(detectable: float, examples: int, difference: float) -> int:
    """Examples for an 80 % chance to show this mean difference, when `examples` that spread alike show `detectable`."""
    return ceil(examples * (detectable / difference) ** 2)
