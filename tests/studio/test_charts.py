"""The curve: nothing important is lost, nothing takes long, and it can be read without seeing it."""

import math
import xml.etree.ElementTree as ET
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.charts import Curve, Mark, Zones, decimate, in_words, loss_chart, smoothed, sparkline, ticks, zones
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
    [(1.0, "good"), (1.7, "good"), (1.71, "acceptable"), (2.1, "acceptable"), (2.11, "problem"), (math.nan, "problem")],
)
def test_bands_follow_from_where_the_loss_started(loss, band):
    bands = zones([2.0] * 5 + [1.0])
    assert bands is not None
    assert bands.name(loss) == band


def test_there_are_no_bands_before_the_first_loss():
    assert zones([]) is None
    assert zones([math.nan]) is None
    assert zones([2.0]) == Zones(1.7, 2.1)


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
