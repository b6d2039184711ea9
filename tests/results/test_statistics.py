"""Our statistics against scipy's, and against chance itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from engine.results.intervals import difference_interval
from engine.results.measured import means_of
from engine.results.statistics import (
    Paired,
    binomial_tail,
    bootstrap_intervals,
    detectable,
    examples_for,
    holm,
    paired_means,
    ratings,
    sign_flips,
    wilcoxon,
    with_holm,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(PAIRS)
def test_mcnemar_is_the_exact_binomial_test_on_the_pairs_that_differ(pairs: list[tuple[bool, bool]]) -> None:
    gained = sum(b and not a for a, b in pairs)
    differing = sum(a != b for a, b in pairs)
    expected = stats.binomtest(gained, differing).pvalue if differing else 1.0
    (found,) = paired_means([[float(after) - float(before) for before, after in pairs]])
    assert found.test == "exact McNemar" and found.p_value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", ["normal", "skewed", "share"])
def test_the_bootstrap_interval_is_scipys_bca(shape: str) -> None:
    dice = np.random.default_rng(3)
    values = {
        "normal": dice.normal(0.2, 1, 80),
        "skewed": dice.exponential(1, 80) - 0.5,
        "share": dice.choice([0.0, 1.0, -1.0], 80, p=[0.5, 0.4, 0.1]),
    }[shape]
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    (found,) = paired_means([list(values)])
    assert found.low == pytest.approx(theirs.low, abs=0.03)
    assert found.high == pytest.approx(theirs.high, abs=0.03)


def test_skew_moves_the_interval_as_scipys_bca_does() -> None:
    values = np.random.default_rng(1).lognormal(0, 1.2, 40)
    theirs, plain = (
        stats.bootstrap(
            (values,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(0)
        ).confidence_interval
        for method in ("BCa", "percentile")
    )
    (found,) = paired_means([list(values)])
    assert found.low == pytest.approx(theirs.low, abs=0.05) and found.high == pytest.approx(theirs.high, abs=0.1)
    assert found.high - plain.high > 0.15  # where the plain percentile would end


@pytest.mark.parametrize("count", [8, 60], ids=["exact", "sampled"])
def test_the_sign_flip_test_is_scipys_permutation_test(count: int) -> None:
    values = np.random.default_rng(5).normal(0.25, 1, count)
    theirs = stats.permutation_test(
        (values, np.zeros(count)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=50_000,
        rng=np.random.default_rng(0),
    )
    (found,) = paired_means([list(values)])
    assert found.test == "paired sign-flip permutation"
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.015)


def paired_differences(kind: str, dice: np.random.Generator, shift: float = 0.0) -> list[float]:
    """Sixty differences of two models: matches, shares of words, or ratings."""
    if kind == "matches":
        return list(dice.choice([-1.0, 0.0, 1.0], 60, p=[0.2, 0.6, 0.2]))
    if kind == "shares":
        return list(dice.beta(2, 2, 60) - dice.beta(2, 2, 60) + shift)
    return list((dice.integers(1, 6, 60) - dice.integers(1, 6, 60)).astype(float))


@pytest.mark.parametrize("kind", ["matches", "shares", "ratings"])
def test_under_no_effect_at_most_one_in_twenty_is_called_significant(kind: str) -> None:
    dice, calls = np.random.default_rng(11), 600
    trials = [paired_differences(kind, dice) for _ in range(calls)]
    if kind == "ratings":
        chances = [wilcoxon(trial) for trial in trials]
    elif kind == "matches":
        chances = [binomial_tail(trial.count(1.0), trial.count(-1.0)) for trial in trials]
    else:
        chances = sign_flips(np.array(trials).T)
    called = sum(chance < 0.05 for chance in chances)
    low, high = stats.binomtest(called, calls).proportion_ci(0.999)
    assert low < 0.05
    assert kind == "matches" or high > 0.05  # McNemar's exact test keeps under its level: whole numbers are coarse


def test_the_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    dice, calls = np.random.default_rng(12), 400
    trials = np.array([paired_differences("shares", dice, shift=0.1) for _ in range(calls)]).T
    bounds = bootstrap_intervals(trials)
    held = int(np.sum((bounds[:, 0] <= 0.1) & (bounds[:, 1] >= 0.1)))
    low, high = stats.binomtest(held, calls).proportion_ci(0.999)
    assert low < 0.95 < high


def test_after_holm_many_measures_without_effect_raise_one_false_alarm_in_twenty() -> None:
    dice, calls, measures = np.random.default_rng(13), 300, 6
    chances = sign_flips(np.array([paired_differences("shares", dice) for _ in range(calls * measures)]).T)
    alarms = sum(min(holm(chances[i : i + measures])) < 0.05 for i in range(0, calls * measures, measures))
    low, high = stats.binomtest(alarms, calls).proportion_ci(0.999)
    assert low < 0.05 < high


def test_what_is_shown_is_what_stays_after_the_correction() -> None:
    dice = np.random.default_rng(4)
    family = with_holm(paired_means([list(dice.normal(shift, 1, 40)) for shift in (0.0, 0.35, 1.5)]))
    assert [each.corrected for each in family] == holm([each.p_value for each in family])
    assert [each.shown for each in family] == [each.corrected < 0.05 for each in family]
    assert family[2].shown and not family[0].shown


@pytest.mark.parametrize("count", [5, 20, 45, 200])
def test_wilcoxon_is_scipys(count: int) -> None:
    values = np.random.default_rng(count).normal(0.3, 1, count)
    theirs = stats.wilcoxon(values, method="exact" if count <= 50 else "approx", correction=False)
    assert wilcoxon(list(values)) == pytest.approx(theirs[1], rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_wilcoxon_of_ratings_with_ties_is_the_permutation_of_all_signs(seed: int) -> None:
    values = np.random.default_rng(seed).integers(-3, 4, 9).astype(float)
    nonzero = values[values != 0]
    ranks = stats.rankdata(np.abs(nonzero))
    every = [(1 - 2 * (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1))]
    sums = np.abs((every[0] * ranks).sum(axis=1))
    expected = np.mean(sums >= abs((np.sign(nonzero) * ranks).sum()) - 1e-9)
    assert wilcoxon(list(values)) == pytest.approx(expected)


def test_wilcoxon_with_many_ties_is_scipys_tie_correction() -> None:
    values = np.random.default_rng(8).integers(-4, 6, 300).astype(float)
    theirs = stats.wilcoxon(values, zero_method="wilcox", method="approx", correction=False)
    assert wilcoxon(list(values)) == pytest.approx(theirs[1], rel=1e-9)


def test_effects_are_cohens_d_and_the_rank_biserial() -> None:
    values = np.random.default_rng(9).normal(0.4, 1, 100)
    (mean,) = paired_means([list(values)])
    assert mean.effect == pytest.approx(values.mean() / values.std(ddof=1))
    ranks = stats.rankdata(np.abs(values))
    biserial = (ranks[values > 0].sum() - ranks[values < 0].sum()) / ranks.sum()
    assert ratings(list(values)).effect == pytest.approx(biserial)
    assert (mean.size, ratings([0.0, 0.0]).effect) == ("small", 0.0)


@pytest.mark.parametrize("tests", [1, 6], ids=["alone", "among six"])
def test_the_detectable_difference_is_shown_four_times_in_five(tests: int) -> None:
    dice, calls, count = np.random.default_rng(14), 400, 50
    shift = detectable(1.0, count, 0.05 / tests)
    assert shift
    chances = np.array([stats.ttest_1samp(dice.normal(shift, 1, count), 0)[1] for _ in range(calls)])
    shown = int(np.sum(chances < 0.05 / tests))
    low, high = stats.binomtest(shown, calls).proportion_ci(0.999)
    assert low < 0.8 < high


def test_a_quarter_of_the_difference_takes_sixteen_times_the_examples() -> None:
    (found,) = paired_means([list(np.random.default_rng(2).normal(0, 1, 100))])
    assert found.detectable
    assert examples_for(found.detectable, 100, found.detectable) == 100
    assert examples_for(found.detectable, 100, found.detectable / 4) == 1600


def test_one_example_is_a_value_without_a_spread() -> None:
    (one,) = paired_means([[0.4]])
    assert (one.difference, one.low, one.high, one.p_value, one.effect) == (0.4, 0.4, 0.4, 1.0, None)
    assert isinstance(one, Paired) and not one.has_interval and one.size == "not known"


def test_the_same_gain_in_every_example_is_large_and_has_no_interval() -> None:
    same, none = paired_means([[0.1 + 0.2] * 12, [0.0] * 12])
    assert (same.effect, same.size, same.has_interval) == (None, "large", False)
    assert same.p_value == pytest.approx(2 / 2**12)
    assert (none.effect, none.size) == (0.0, "none")


def test_with_fewer_than_ten_examples_a_bootstrap_claims_no_interval() -> None:
    values = list(np.random.default_rng(1).normal(0.2, 0.05, 10))
    few, enough = paired_means([values[:9]])[0], paired_means([values])[0]
    assert not few.has_interval and enough.has_interval


@pytest.mark.parametrize("count", [4, 5, 8, 20])
def test_what_so_few_cannot_show_is_not_said_to_be_shown(count: int) -> None:
    for tests in (1, 6):
        found = with_holm(paired_means([[1.0] * (count - 1) + [0.9]] + [[0.0] * count] * (tests - 1)))[0]
        best = with_holm(paired_means([[1.0] * count] + [[0.0] * count] * (tests - 1)))[0]
        assert (found.detectable is None) is not best.shown  # all examples for it would not be enough
    assert detectable(0.0, 20) == 0.0


def most_likely(gained: int, lost: int, count: int, difference: float) -> float:
    """The share of examples lost at a given mean difference, by scipy's search instead of a formula."""
    low, high = max(0.0, -difference), (1 - difference) / 2

    def unlikely(share: float) -> float:
        chances = ((gained, share + difference), (lost, share), (count - gained - lost, 1 - 2 * share - difference))
        return -sum(seen * np.log(max(chance, 1e-300)) for seen, chance in chances if seen)

    found = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    return float(found.x)


@pytest.mark.parametrize(("gained", "lost", "count"), [(12, 3, 40), (0, 0, 48), (5, 0, 20), (0, 7, 30), (9, 9, 25)])
def test_the_interval_of_two_shares_holds_what_the_score_test_does_not_refuse(
    gained: int, lost: int, count: int
) -> None:
    bounds = difference_interval(gained, lost, count)
    assert -1 < bounds[0] <= (gained - lost) / count <= bounds[1] < 1 and bounds[0] < bounds[1]
    for difference in bounds:
        share = most_likely(gained, lost, count, difference)
        spread = np.sqrt(count * (2 * share + difference * (1 - difference)))
        score = abs(gained - lost - count * difference) / spread
        assert 2 * stats.norm.sf(score) == pytest.approx(0.05, abs=1e-4)


def test_of_shares_that_never_differ_the_interval_is_known_in_closed_form() -> None:
    edge = stats.norm.ppf(0.975) ** 2 / (48 + stats.norm.ppf(0.975) ** 2)
    assert difference_interval(0, 0, 48) == (pytest.approx(-edge), pytest.approx(edge))
    (found,) = paired_means([[0.0] * 48], yes_no=[0])
    assert found.high == pytest.approx(edge) and found.has_interval
    assert not paired_means([[0.0] * 48])[0].has_interval


def test_the_interval_of_two_shares_holds_the_truth_nineteen_times_in_twenty() -> None:
    dice, calls, count = np.random.default_rng(21), 1000, 50
    seen = dice.multinomial(count, [0.2, 0.1, 0.7], calls)
    bounds = [difference_interval(int(gained), int(lost), count) for gained, lost, _ in seen]
    held = sum(low <= 0.1 <= high for low, high in bounds)
    low, high = stats.binomtest(held, calls).proportion_ci(0.999)
    assert low < 0.95 < high


def test_a_share_has_wilsons_interval() -> None:
    theirs = stats.binomtest(45, 48).proportion_ci(method="wilson")
    sure, (mean, none) = means_of([[1.0] * 48], yes_no=[0])[0], means_of([[1.0] * 45 + [0.0] * 3, [0.0] * 48])
    (share,) = means_of([[1.0] * 45 + [0.0] * 3], yes_no=[0])
    assert (share.low, share.high) == (pytest.approx(theirs.low, abs=1e-6), pytest.approx(theirs.high, abs=1e-6))
    assert sure.high == 1.0 and 0.9 < sure.low < 1.0
    assert mean.value == share.value and not none.has_interval


def test_columns_are_computed_together_as_each_would_be_alone() -> None:
    dice = np.random.default_rng(15)
    columns = [list(dice.normal(0.1, 1, 3000)) for _ in range(3)]
    (alone,) = paired_means([columns[1]])
    together = paired_means(columns)[1]
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert together.p_value == pytest.approx(alone.p_value)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values: list[float]) -> None:
    corrected = holm(values)
    assert all(new >= old for new, old in zip(corrected, values, strict=True))
    assert all(0 <= new <= 1 for new in corrected)
    ranked = sorted(range(len(values)), key=lambda i: values[i])
    assert [corrected[i] for i in ranked] == sorted(corrected)
    assert corrected[ranked[0]] == pytest.approx(min(1.0, len(values) * min(values)))


def test_nothing_to_compare_is_no_difference() -> None:
    none, half = paired_means([[0.0, 0.0], [0.5, 0.5]])
    assert (none.p_value, none.low, none.high) == (1.0, 0.0, 0.0)
    assert (half.low, half.high) == (0.5, 0.5)
