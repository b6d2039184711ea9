"""Numbers as people read them."""

import pytest

from studio.kit.words import ago, amount, duration, duration_range, gigabytes, percent, plural, short


@pytest.mark.parametrize(
    "seconds,words",
    [(0.5, "0.5 s"), (9.96, "10 s"), (42, "42 s"), (190, "3 min 10 s"), (7500, "2 h 5 min"), (273_600, "3 d 4 h")],
)
def test_a_duration_has_two_units_at_most(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    "low,high,words",
    [
        (24, 126, "24 s to 2.1 min"),
        (180, 300, "3 to 5 min"),
        (28, 28.2, "about 28 s"),
        (3000, 12_000, "50 min to 3.3 h"),
        (0.4, 1.2, "0 to 1 s"),
    ],
)
def test_a_range_names_the_unit_once_when_both_ends_share_it(low, high, words):
    assert duration_range(low, high) == words


@pytest.mark.parametrize("share,words", [(0, "0 %"), (0.456, "45 %"), (0.9999, "99 %"), (1, "100 %")])
def test_a_share_is_never_a_hundred_before_it_is(share, words):
    assert percent(share) == words


@pytest.mark.parametrize(
    "size,words", [(999, "999 B"), (23_100_000, "23.1 MB"), (610_000_000, "610 MB"), (25_300_000_000, "25.3 GB")]
)
def test_sizes_have_a_short_number(size, words):
    assert gigabytes(size) == words


@pytest.mark.parametrize(
    "value,words", [(0.0002, "0.0002"), (1.23456, "1.235"), (2e-5, "2e-05"), (float("nan"), "nan")]
)
def test_measured_numbers_have_four_figures_at_most(value, words):
    assert short(value) == words


def test_counts_and_times_ago():
    assert amount(1_234_567) == "1\u202f234\u202f567"
    assert plural(1, "run") == "1 run"
    assert plural(2, "row") == "2 rows"
    assert ago(100, now=130) == "just now"
    assert ago(0, now=7200 + 60) == "2 hours ago"
