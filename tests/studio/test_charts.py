"""The curve: nothing important is lost, nothing takes long, and it can be read without seeing it."""

import itertools
import math
import xml.etree.ElementTree as ET
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.monitor.zones import zone
from studio.charts import (
    Curve,
    Mark,
    View,
    Zones,
    across,
    decimate,
    in_words,
    log_ticks,
    loss_chart,
    reading,
    smoothed,
    sparkline,
    ticks,
    within,
    zones,
)
from studio.theme import DARK, LIGHT


def curve(values: list[float], **rest) -> Curve:
    return Curve("train", array("q", range(1, len(values) + 1)), array("d", values), "#2563EB", **rest)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000), st.integers(50, 400))
def test_decimation_keeps_the_lowest_and_the_highest_with_two_points_per_bucket(values, buckets):
    points, _ = decimate(array("q", range(len(values))), array("d", values), buckets)
    assert len(points) <= 2 * buckets
    assert min(value for _, value in points) == min(values)
    assert max(value for _, value in points) == max(values)


@pytest.mark.parametrize("count", [10, 5000], ids=["every point", "buckets"])
def test_values_that_are_not_finite_are_left_out(count):
    values = [1.0] * count
    values[3], values[4], values[5] = math.nan, math.inf, -math.inf
    points, means = decimate(range(count), array("d", values), 100)
    assert {value for _, value in points} == {1.0} == {value for _, value in means}


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0], [2.0, 1.0, math.nan], [0.0, 0.0]])
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_chart_is_well_formed_and_inside_its_picture(values, palette):
    marks = [Mark(1, palette.green, "checkpoint")]
    svg = loss_chart(
        [curve(values)], width=600, height=240, total_steps=10, palette=palette, bands=zones(values), marks=marks
    )
    assert ET.fromstring(svg).get("width") == "600"
    assert "nan" not in svg and "inf" not in svg


@pytest.mark.parametrize(
    "loss,band",
    [(1.0, "good"), (1.8, "good"), (1.81, "acceptable"), (2.1, "acceptable"), (2.11, "problem"), (math.nan, "problem")],
)
def test_bands_follow_from_where_the_loss_started(loss, band):
    bands = zones([2.0] * 5 + [1.0])
    assert bands is not None
    assert bands.name(loss) == band


def test_there_are_no_bands_before_the_first_loss():
    assert zones([]) is None
    assert zones([math.nan]) is None
    assert zones([2.0]) == Zones(1.8, 2.1, 2.0)


@pytest.mark.parametrize("low,high", [(0, 1), (0.013, 0.027), (0, 100_000), (-3, 3), (5, 5)])
def test_ticks_are_round_and_inside(low, high):
    found = ticks(low, high)
    assert found and all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    assert len(found) <= 8


def test_the_average_follows_a_straight_line_without_lagging():
    line = [(float(step), 3.0 - step) for step in range(50)]
    assert [value for _, value in smoothed(line)] == pytest.approx([value for _, value in line])


def test_the_text_alternative_says_where_it_started_where_it_is_and_the_best():
    validation = Curve("validation", [10, 20], [1.2, 1.3], "#7C3AED")
    assert in_words(curve([2.0, 1.5, 1.0]), validation, 20) == (
        "Training loss went from 2 to 1 by step 3 of 20. Validation loss is 1.3; the best was 1.2 at step 10."
    )


@pytest.mark.parametrize("count", [0, 1, 2, 3000])
def test_a_sparkline_is_well_formed_for_any_number_of_points(count):
    assert ET.fromstring(sparkline([1.0] * count, width=120, height=32, color="#000000")).tag.endswith("svg")


STEPS = st.lists(st.integers(1, 5000), min_size=1, max_size=200, unique=True).map(sorted)


@given(st.floats(0.01, 100), st.floats(0.0, 500))
def test_the_bands_that_are_drawn_are_the_zones_that_are_named(start: float, loss: float):
    bands = zones([start])
    assert bands is not None
    named = zone("loss", loss, start).value
    assert bands.name(loss) == named
    if abs(loss - bands.good) > 1e-9 and abs(loss - bands.problem) > 1e-9:
        assert named == ("good" if loss < bands.good else "acceptable" if loss < bands.problem else "problem")


@given(STEPS, st.floats(0, 5000))
def test_a_reading_is_the_nearest_point(steps: list[int], step: float):
    values = [float(each) * 2 for each in steps]
    found = reading(Curve("a", steps, values, "#000000"), step)
    assert found is not None
    assert abs(found[0] - step) == min(abs(each - step) for each in steps)
    assert found[1] == found[0] * 2


@given(STEPS, st.integers(0, 5000), st.integers(0, 5000))
def test_a_part_of_a_curve_has_every_point_inside_and_one_beyond_each_end(steps: list[int], one: int, other: int):
    first, last = sorted((one, other))
    part, _ = within(Curve("a", steps, [0.0] * len(steps), "#000000"), first, last)
    inside = [step for step in steps if first <= step <= last]
    assert set(inside) <= set(part) and len(part) <= len(inside) + 2
    if any(step < first for step in steps):
        assert part[0] < first
    if any(step > last for step in steps):
        assert part[-1] > last


@given(st.floats(200, 2000), st.floats(0, 1000), st.floats(1, 5000), st.floats(0, 1))
def test_a_place_and_its_step_belong_together(width: float, first: float, span: float, share: float):
    horizontal = across(width, [], 10, View(first=first, last=first + span))
    step = horizontal.first + share * (horizontal.last - horizontal.first)
    assert horizontal.step(horizontal.x(step)) == pytest.approx(step, abs=1e-6 * (first + span))
    assert horizontal.step(-100) == horizontal.first


def lines(svg: str) -> list[list[tuple[float, float]]]:
    """The points of every line that is drawn."""
    paths = [each.get("d", "") for each in ET.fromstring(svg).iter() if each.tag.endswith("path")]
    return [[tuple(map(float, point.split())) for point in path[1:].split("L")] for path in paths if "Z" not in path]  # type: ignore[misc]


@pytest.mark.parametrize("log", [False, True], ids=["linear", "logarithmic"])
def test_a_higher_value_is_drawn_higher_on_either_scale(log: bool):
    line = curve([0.01, 0.1, 1.0, 10.0])
    drawn = lines(loss_chart([line], width=600, height=240, total_steps=4, palette=LIGHT, view=View(log=log)))[0]
    heights = [y for _, y in drawn]
    assert heights == sorted(heights, reverse=True)
    gaps = [one - other for one, other in itertools.pairwise(heights)]
    assert (max(gaps) - min(gaps) < 1) is log


def test_values_below_zero_have_no_logarithmic_scale_and_are_drawn_all_the_same():
    line = curve([-1.0, 2.0])
    options = {"width": 600, "height": 240, "total_steps": 2, "palette": LIGHT}
    assert loss_chart([line], **options, view=View(log=True)) == loss_chart([line], **options)


def test_a_closer_look_shows_those_steps_alone_across_the_whole_width():
    values = [float(step % 10) for step in range(1000)]
    view = View(first=400, last=420, smoothing=0.0)
    drawn = lines(loss_chart([curve(values)], width=600, height=240, total_steps=1000, palette=LIGHT, view=view))[0]
    assert 20 <= len(drawn) <= 23
    assert min(x for x, _ in drawn) < 60 and max(x for x, _ in drawn) > 500


def test_smoothing_can_be_switched_off_and_made_stronger():
    values = [1.0 + step % 2 for step in range(100)]
    options = {"width": 600, "height": 240, "total_steps": 100, "palette": LIGHT}

    def heights(smoothing: float) -> list[float]:
        drawn = lines(loss_chart([curve(values, smooth=True)], **options, view=View(smoothing=smoothing)))
        return [y for _, y in drawn[-1]][10:-10]

    spread = [max(each) - min(each) for each in map(heights, (0.0, 0.1, 0.5))]
    assert spread[0] > spread[1] > spread[2]


@pytest.mark.parametrize("low,high", [(0.001, 1000), (0.5, 3), (1, 1.1)])
def test_logarithmic_ticks_are_inside_and_few(low: float, high: float):
    found = log_ticks(low, high)
    assert 2 <= len(found) <= 8 and all(low <= each <= high for each in found)


def test_several_curves_lie_over_each_other_each_in_its_colour():
    colors = ["#2563EB", "#7C3AED", "#B45309", "#047857", "#DC2626"]
    lot = [Curve(color, [1, 2, 3], [float(place), 1.0, 2.0], color) for place, color in enumerate(colors)]
    svg = loss_chart(lot, width=600, height=240, total_steps=3, palette=LIGHT)
    assert [each.get("stroke") for each in ET.fromstring(svg).iter() if each.get("stroke")] == colors
