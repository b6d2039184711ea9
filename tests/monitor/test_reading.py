"""What a finished run's curves are said to mean."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.monitor.anomaly import Kind
from engine.monitor.reading import Course, Finding, Point, Reading, Seen, read
from engine.monitor.zones import BOUNDS, Zone, zone


def curve(start: float, end: float, steps: int = 200, pace: float = 0.15) -> tuple[Point, ...]:
    """Falls fast at first and levels off."""
    return tuple(Point(step, end + (start - end) * math.exp(-step / (pace * steps))) for step in range(1, steps + 1))


def every(points: tuple[Point, ...], steps: int) -> tuple[Point, ...]:
    return points[steps - 1 :: steps]


GOOD = Course(
    loss=curve(2.5, 1.0),
    validation=(Point(0, 2.5), *every(curve(2.5, 1.1), 20)),
    steps_done=200,
    steps_planned=200,
    epochs=3,
    learning_rate=1e-3,
    rank=16,
)
TURNED = msgspec.structs.replace(
    GOOD,
    loss=curve(2.5, 0.1),
    validation=tuple(
        Point(20 * i, value) for i, value in enumerate([2.5, 1.6, 1.3, 1.2, 1.25, 1.4, 1.6, 1.8, 1.9, 2.0])
    ),
)


def changed(course: Course = GOOD, **changes: object) -> Course:
    return msgspec.structs.replace(course, **changes)


def finding(reading: Reading, part: str) -> Finding:
    return next(each for each in reading.findings if each.part == part)


def advice(reading: Reading) -> dict[str, float | str]:
    return {change.setting: change.value for each in reading.suggestions for change in each.changes}


def test_a_good_run_scores_high_and_needs_no_advice() -> None:
    reading = read(GOOD)
    assert reading.score > 95
    assert reading.suggestions == ()


def test_the_reading_quotes_its_numbers() -> None:
    text = " ".join(read(TURNED).words)
    for quoted in ("2.5", "200 steps", "1.2 at step 60", "2"):
        assert quoted in text


def test_a_curve_that_turned_loses_points_and_is_advised_to_stop_there() -> None:
    reading = read(TURNED)
    assert finding(reading, "ends at its best").points == 0
    assert finding(reading, "no rote learning").points == 0
    assert advice(reading) == {"epochs": 1}
    assert reading.score < 80


def test_with_one_epoch_left_the_rate_is_what_can_be_lowered() -> None:
    assert advice(read(changed(TURNED, epochs=1))) == {"learning_rate": 5e-4}


def test_a_run_cut_off_while_it_fell_is_advised_to_go_on() -> None:
    falling = tuple(Point(i, 2.5 - 0.005 * i) for i in range(1, 201))
    reading = read(changed(loss=falling, validation=every(falling, 20)))
    assert advice(reading) == {"epochs": 4}
    assert "still falling" in reading.words[0]


def test_a_run_that_learned_nothing_is_advised_a_higher_rate() -> None:
    flat = curve(2.5, 2.45)
    reading = read(changed(loss=flat, validation=every(flat, 20)))
    assert advice(reading)["learning_rate"] == 2e-3
    assert finding(reading, "learned").points < 3


def test_a_run_that_levelled_off_high_and_close_is_advised_a_higher_rank() -> None:
    high = curve(2.5, 2.0)
    assert advice(read(changed(loss=high, validation=every(high, 20)))) == {"rank": 32}


def test_trouble_costs_points_and_halves_the_rate() -> None:
    reading = read(changed(anomalies=(Seen(Kind.DIVERGENCE, 80),), recoveries=1))
    assert finding(reading, "steady").points == 4
    assert advice(reading) == {"learning_rate": 5e-4}
    assert "divergence at step 80" in reading.words[-1] and "healed itself once" in reading.words[-1]


def test_what_was_not_measured_is_said_and_counts_nothing() -> None:
    reading = read(changed(validation=()))
    unmeasured = [each.part for each in reading.findings if not each.measured]
    assert unmeasured == ["carries over", "ends at its best", "no rote learning"]
    assert sum(each.most for each in reading.findings) == pytest.approx(100, abs=0.2)
    assert reading.score > 95
    assert "not measured" in reading.words[1]
    assert any("Hold some rows back" in each.words for each in reading.suggestions)


numbers = st.one_of(st.floats(0, 20), st.just(math.nan), st.just(math.inf))
curves = st.lists(numbers, max_size=60).map(lambda values: tuple(Point(i, value) for i, value in enumerate(values, 1)))


@given(loss=curves, validation=curves, epochs=st.integers(1, 50), done=st.integers(0, 60), recoveries=st.integers(0, 9))
def test_any_course_gives_a_score_that_is_the_sum_of_its_findings(
    loss: tuple[Point, ...], validation: tuple[Point, ...], epochs: int, done: int, recoveries: int
) -> None:
    reading = read(
        changed(
            loss=loss, validation=validation, epochs=epochs, steps_done=done, steps_planned=60, recoveries=recoveries
        )
    )
    assert reading.score == round(sum(each.points for each in reading.findings), 1)
    assert -0.1 <= reading.score <= 100.3
    assert all(0 <= each.points <= each.most for each in reading.findings)
    assert len(reading.suggestions) <= 3
    assert all(word.endswith(".") for word in reading.words)
    assert "nan" not in " ".join(reading.words) and "inf" not in " ".join(reading.words)


class TestZones:
    @pytest.mark.parametrize("metric", BOUNDS)
    def test_each_metric_passes_from_good_to_acceptable_to_a_problem(self, metric: str) -> None:
        good, acceptable = BOUNDS[metric]
        values = (good * 2.0, (good + acceptable), acceptable * 2.02)
        assert [zone(metric, value, 2.0) for value in values] == [Zone.GOOD, Zone.ACCEPTABLE, Zone.PROBLEM]

    @pytest.mark.parametrize("value", [math.nan, math.inf], ids=["nan", "inf"])
    def test_no_number_is_a_problem(self, value: float) -> None:
        assert zone("loss", value, 2.0) is Zone.PROBLEM

    def test_an_unknown_metric_is_refused(self) -> None:
        with pytest.raises(KeyError):
            zone("padding_share", 0.1, 1.0)
