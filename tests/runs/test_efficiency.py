"""Verdicts on how a run uses the machine: each waste is named with what to do, and nothing is said without numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.efficiency import in_a_word, trend, verdicts
from engine.runs.views import Series
from engine.spec.records import METRICS

FINE = {
    "step_seconds": 1.0, "compute_seconds": 0.95, "data_wait_share": 0.01, "padding_share": 0.05,
    "tokens_per_second": 900.0,
}  # fmt: skip


def measured(steps: int = 60, **changes: Any) -> dict[str, Series]:
    series = {name: Series() for name in METRICS}
    for name, value in {**FINE, **changes}.items():
        for step in range(1, steps + 1):
            series[name].add(step, value, float(step), 0)
    return series


def test_before_three_steps_nothing_is_said():
    assert verdicts(measured(steps=2)) == () and in_a_word(()) == ""


def test_a_run_that_wastes_nothing_is_well_used():
    found = verdicts(measured())
    assert len(found) == 4 and all(each.good for each in found)  # a processor has no GPU to judge
    assert in_a_word(found) == "well used"


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"data_wait_share": 0.3}, "30 % of each step goes into waiting for data."),
        ({"padding_share": 0.4}, "40 % of the tokens computed are padding."),
        ({"compute_seconds": 0.5}, "50 % of each step is not computing."),
        ({"gpu_utilization": 0.2}, "The GPU is used only 20 % of the time."),
        ({"gpu_utilization": 0.9, "gpu_temperature": 91.0}, "The GPU is 91 °C hot."),
    ],
    ids=["waiting", "padding", "beside", "idle", "hot"],
)
def test_each_waste_is_named_first_with_what_to_do(changes: dict[str, float], words: str):
    first, *others = verdicts(measured(60, **changes))
    assert (first.good, first.what) == (False, words) and first.why.endswith(".")
    assert all(each.good for each in others)
    assert in_a_word((first, *others)) == "could be faster"


def test_a_speed_that_falls_is_told_against_the_usual_one():
    series = measured(steps=100)
    for step in range(101, 121):
        series["tokens_per_second"].add(step, 300.0, float(step), 0)
    assert verdicts(series)[0].what == "It became slower: 300 tokens/s, usually 900."


@given(start=st.floats(0.5, 10), change=st.sampled_from([-0.2, 0.0, 0.2]))
def test_a_trend_is_that_of_the_newest_stretch(start: float, change: float):
    values = [start] * 100 + [start * (1 + change)] * 20
    assert trend(values) == {-0.2: "falling", 0.0: "steady", 0.2: "rising"}[change]


@pytest.mark.parametrize(
    "values", [[], [1.0, 2.0], [math.nan] * 40, [math.inf] * 40], ids=["none", "few", "nan", "inf"]
)
def test_no_trend_is_made_up(values: list[float]):
    assert trend(values) == ""
