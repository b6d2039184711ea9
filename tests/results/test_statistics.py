"""Our statistics against scipy's, and against chance itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.results.statistics import bootstrap_interval, examples_needed, holm, mcnemar, sign_flip

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(PAIRS)
def test_mcnemar_is_the_exact_binomial_test_on_the_pairs_that_differ(pairs: list[tuple[bool, bool]]) -> None:
    base, tuned = zip(*pairs, strict=True)
    gained = sum(b and not a for a, b in pairs)
    differing = sum(a != b for a, b in pairs)
    expected = stats.binomtest(gained, differing).pvalue if differing else 1.0
    assert mcnemar(base, tuned) == pytest.approx(expected, abs=1e-9)


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
    low, high = bootstrap_interval(list(values))
    assert low == pytest.approx(theirs.low, abs=0.03)
    assert high == pytest.approx(theirs.high, abs=0.03)


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
    assert sign_flip(list(values)) == pytest.approx(theirs.pvalue, abs=0.015)


def test_under_no_effect_one_in_twenty_is_called_significant() -> None:
    dice = np.random.default_rng(11)
    called = [sign_flip(list(dice.normal(0, 1, 30)), seed=i) < 0.05 for i in range(300)]
    low, high = stats.binomtest(sum(called), 300).proportion_ci(0.999)
    assert low < 0.05 < high


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values: list[float]) -> None:
    corrected = holm(values)
    assert all(new >= old for new, old in zip(corrected, values, strict=True))
    assert all(0 <= new <= 1 for new in corrected)
    ranked = sorted(range(len(values)), key=lambda i: values[i])
    assert [corrected[i] for i in ranked] == sorted(corrected)
    assert corrected[ranked[0]] == pytest.approx(min(1.0, len(values) * min(values)))


def test_nothing_to_compare_is_no_difference() -> None:
    assert mcnemar([True, False], [True, False]) == 1.0
    assert sign_flip([0.0, 0.0]) == 1.0
    assert bootstrap_interval([0.5, 0.5]) == (0.5, 0.5)


def test_a_smaller_advantage_needs_more_examples() -> None:
    assert examples_needed(0.3, 0.05) > examples_needed(0.3, 0.1) > examples_needed(0.3, 0.3) > 5
