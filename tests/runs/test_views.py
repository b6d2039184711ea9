"""Series and the time left: what a chart shows of a run that went over some steps twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.follow import estimate_eta
from engine.runs.views import Series


@given(
    attempts=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=5),
    repeats=st.booleans(),
)
def test_for_one_step_the_highest_attempt_counts(attempts: list[tuple[int, int]], repeats: bool) -> None:
    series, expected = Series(), dict[int, float]()
    for attempt, (start, count) in enumerate(attempts):
        for step in range(start, start + count):
            value = attempt * 1000.0 + step
            series.add(step, value, 0.0, attempt)
            if repeats:
                series.add(step, value, 0.0, attempt)
            expected[step] = value
        for step in [step for step in expected if step >= start + count]:
            del expected[step]  # an attempt goes over everything after its start again
    assert list(series.steps) == sorted(expected)
    assert list(series.values) == [expected[step] for step in sorted(expected)]


def test_numbers_that_arrive_again_from_the_file_change_nothing() -> None:
    series = Series()
    for step in (1, 2, 3, 1, 2, 3):
        series.add(step, float(step), 0.0, 0)
    assert list(series.steps) == [1, 2, 3]


def test_the_time_left_follows_the_speed_and_narrows_towards_the_end() -> None:
    series = Series()
    for step in range(40):
        series.add(step, 1.0, step * 2.0 + (step % 3) * 0.1, 0)
    far, near = estimate_eta(series, 100), estimate_eta(series, 10)
    assert far and near
    assert abs(far.expected - 200) < 5 and far.low < far.expected < far.high
    assert near.high - near.low < far.high - far.low
    assert estimate_eta(Series(), 10) is None


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -1e9, 1e9], ids=str)
def test_the_time_left_is_the_same_when_the_clock_is_set(jump: float) -> None:
    """Samples carry the clock's time; a step that takes an hour between steps of two seconds is none."""
    usual, moved = Series(), Series()
    for step in range(40):
        usual.add(step, 1.0, step * 2.0, 0)
        moved.add(step, 1.0, step * 2.0 + (jump if step >= 20 else 0.0), 0)
    one, other = estimate_eta(usual, 100), estimate_eta(moved, 100)
    assert one and other and one.expected == pytest.approx(other.expected) and other.low == pytest.approx(one.low)


def test_slow_steps_and_long_measurements_between_them_count() -> None:
    series = Series()
    for step in range(40):
        series.add(step, 1.0, step * 600.0 + (step // 10) * 1800.0, 0)
    found = estimate_eta(series, 10)
    assert found and found.expected > 6000
