"""Paired statistics: is the difference between two models on the same examples more than chance?

Pure functions with their own seeded generator; numpy is imported inside, so call them in a spawned process.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import msgspec

RESAMPLES = 10_000
LEVEL = 0.95


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """A paired comparison: mean difference (tuned - base), its 95 % interval, and a two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float
    test: str


def mcnemar(base: Sequence[bool], tuned: Sequence[bool]) -> float:
    """Exact two-sided McNemar test on paired yes/no results: the binomial test on the pairs that differ.

    Source: McNemar 1947; exact form as in Fagerland, Lydersen, Laake 2013. Raises ValueError on unequal lengths.
    """
    gained = sum(after and not before for before, after in zip(base, tuned, strict=True))
    lost = sum(before and not after for before, after in zip(base, tuned, strict=True))
    differing = gained + lost
    tail = sum(comb(differing, k) for k in range(min(gained, lost) + 1)) / 2**differing
    return min(1.0, 2 * tail)


def bootstrap_interval(differences: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean by the bias-corrected and accelerated bootstrap (Efron 1987).

    Where every difference is the same there is nothing to resample: the interval is that value.
    """
    import numpy as np

    values = np.asarray(differences, dtype=float)
    if len(values) < 2 or np.ptp(values) == 0:
        mean = float(values.mean()) if len(values) else 0.0
        return mean, mean
    dice = np.random.default_rng(seed)
    picks = dice.integers(0, len(values), size=(RESAMPLES, len(values)))
    means = np.sort(values[picks].mean(axis=1))
    low, high = _bca_levels(values, means)
    return float(np.quantile(means, low)), float(np.quantile(means, high))


def _bca_levels(values: object, means: object) -> tuple[float, float]:
    """The percentiles that correct for bias and skew."""
    from statistics import NormalDist

    import numpy as np

    data, resampled = np.asarray(values), np.asarray(means)
    normal = NormalDist()
    mean = data.mean()
    # Ties count half, or a mean of few distinct values would look biased.
    below = (np.sum(resampled < mean) + np.sum(resampled <= mean)) / (2 * len(resampled))
    bias = normal.inv_cdf(min(max(float(below), 1e-6), 1 - 1e-6))
    left_out = (data.sum() - data) / (len(data) - 1)
    spread = left_out.mean() - left_out
    denominator = 6 * float(np.sum(spread**2)) ** 1.5
    acceleration = float(np.sum(spread**3)) / denominator if denominator else 0.0
    levels = []
    for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        z = bias + normal.inv_cdf(tail)
        levels.append(normal.cdf(bias + z / (1 - acceleration * z)))
    return levels[0], levels[1]


def sign_flip(differences: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided paired permutation test of a zero mean: under no effect each difference may have either sign.

    Exact up to 14 examples, else 10,000 random flips (p is never below 1 / 10,001). Source: Fisher 1935.
    """
    import numpy as np

    values = np.asarray(differences, dtype=float)
    if len(values) == 0 or not np.any(values):
        return 1.0
    observed = abs(values.sum()) * (1 - 1e-12)
    if len(values) <= 14:
        signs = np.array([[1 if i >> k & 1 else -1 for k in range(len(values))] for i in range(2 ** len(values))])
        return float(np.mean(np.abs(signs @ values) >= observed))
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], dtype=np.int8), size=(RESAMPLES, len(values)))
    return float((np.sum(np.abs(signs @ values) >= observed) + 1) / (RESAMPLES + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected


def examples_needed(differing_share: float, advantage: float) -> int:
    """Examples for an 80 % chance to show, at p < 0.05, an exact-match advantage among the share that differs.

    Connor 1987's sample size for McNemar's test; `advantage` is the difference of the two match rates.
    """
    if advantage == 0:
        return 0
    spread = max(differing_share, abs(advantage))
    root = 1.96 * spread**0.5 + 0.84 * max(0.0, spread - advantage**2) ** 0.5
    return -(-int(root**2 / advantage**2 * 1000) // 1000) + 1
