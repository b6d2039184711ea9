"""Which runs a sweep is made of."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import PlanError
from engine.plan.sweep import Over, combinations, over, values_words

UNDERSTOOD = {
    "rank=8,16": Over(name="rank", values=(8, 16)),
    " learning_rate = 1e-4, 3e-4": Over(name="learning_rate", values=(1e-4, 3e-4)),
    "schedule=cosine,linear": Over(name="schedule", values=("cosine", "linear")),
    "gradient_checkpointing=true,false": Over(name="gradient_checkpointing", values=(True, False)),
    "targets=q_proj,v_proj;all-linear": Over(name="targets", values=("q_proj,v_proj", "all-linear")),
    "learning_rate=1e-5..1e-3": Over(name="learning_rate", low=1e-5, high=1e-3),
    "rank=4..64": Over(name="rank", low=4, high=64, whole=True),
    "dropout=0..0.2": Over(name="dropout", low=0, high=0.2),
}


@pytest.mark.parametrize(("words", "meant"), UNDERSTOOD.items(), ids=UNDERSTOOD)
def test_what_to_try_is_read_as_people_write_it(words: str, meant: Over) -> None:
    assert over(words) == meant


@pytest.mark.parametrize(
    "words", ["rank", "rank=", "=4", "rank=4,,8", "rank=8..4", "rank=-1..4", "rank=a..b", "r=1..2..3"]
)
def test_what_cannot_be_understood_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(PlanError) as caught:
        over(words)
    assert words in caught.value.card.what and "--over" in caught.value.card.actions[0].label


def test_a_grid_is_every_combination_once_in_order() -> None:
    found = combinations((over("rank=8,16,8"), over("epochs=1,2")))
    assert [values_words(each) for each in found] == [
        "rank=8, epochs=1",
        "rank=8, epochs=2",
        "rank=16, epochs=1",
        "rank=16, epochs=2",
    ]


@given(seed=st.integers(0, 2**31), count=st.integers(1, 40))
def test_random_draws_are_different_within_their_ranges_and_the_same_for_a_seed(seed: int, count: int) -> None:
    wanted = (over("learning_rate=1e-5..1e-3"), over("rank=4..64"), over("schedule=cosine,linear"))
    found = combinations(wanted, count, seed)
    assert found == combinations(wanted, count, seed)
    assert len({tuple(each.values()) for each in found}) == len(found) == count
    for each in found:
        assert 1e-5 <= float(each["learning_rate"]) <= 1e-3
        assert isinstance(each["rank"], int) and 4 <= each["rank"] <= 64


def test_ranges_are_drawn_by_order_of_magnitude() -> None:
    found = combinations((over("learning_rate=1e-5..1e-3"),), 200, 1)
    below = sum(math.log10(float(each["learning_rate"])) < -4 for each in found)
    assert 70 <= below <= 130


def test_few_combinations_give_fewer_runs_rather_than_the_same_twice() -> None:
    assert len(combinations((over("rank=8,16"),), 12)) == 2


REFUSED = {
    "nothing": ((), 0, "nothing to go over"),
    "a setting twice": (("rank=8", "rank=16"), 0, "named twice"),
    "a range in a grid": (("learning_rate=1e-5..1e-3",), 0, "needs a number of runs"),
    "too many": (tuple(f"s{n}=1,2" for n in range(10)), 0, "1,024 runs"),
    "too many drawn": (("rank=8,16",), 501, "501 runs"),
}


@pytest.mark.parametrize(("words", "count", "said"), REFUSED.values(), ids=REFUSED)
def test_a_sweep_that_makes_no_sense_is_refused(words: tuple[str, ...], count: int, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        combinations(tuple(over(each) for each in words), count)
