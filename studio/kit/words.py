"""Numbers as words for people: durations, sizes, shares, counts. Pure functions."""

from __future__ import annotations

import math
import time

from engine.runs.views import Eta

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
LONGEST_ON_CHIP = 40


def duration(seconds: float) -> str:
    """Two units at the most: 42 s, 3 min 10 s, 2 h 5 min, 3 d 4 h."""
    if not math.isfinite(seconds) or seconds < 0:
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _pair(whole, 60, "min", 1, "s")
    if whole < DAY:
        return _pair(whole, 3600, "h", 60, "min")
    return _pair(whole, 86_400, "d", 3600, "h")


def _pair(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {large_name} {rest} {small_name}" if rest else f"{whole // large} {large_name}"


def duration_range(low: float, high: float) -> str:
    """A range, each end in the unit that suits it, the unit said once when they share it: 3 to 5 min, 24 s to 2 min."""
    first, last = _coarse(low), _coarse(high)
    if first == last:
        return f"about {last}"
    number, unit = first.split(" ")
    return f"{number} to {last}" if last.endswith(f" {unit}") else f"{first} to {last}"


def _coarse(seconds: float) -> str:
    """One unit, two figures: 24 s, 2.1 min, 45 min, 3.5 h, 12 d."""
    if not math.isfinite(seconds):
        return "unknown time"
    for limit, unit, name in ((90, 1.0, "s"), (5400, MINUTE, "min"), (2 * DAY, HOUR, "h"), (math.inf, DAY, "d")):
        if seconds < limit:
            value = seconds / unit
            return (
                f"{value:.1f}".removesuffix(".0") + f" {name}" if value < 10 and unit > 1 else f"{round(value)} {name}"
            )
    return "unknown time"


def eta_words(eta: Eta | None) -> str:
    """The middle estimate of what is left."""
    return "estimating" if eta is None else f"{duration(eta.expected)} left"


def gigabytes(size: float) -> str:
    """Bytes in the unit that gives a short number."""
    for factor, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(size) >= factor:
            value = size / factor
            return f"{value:.0f} {name}" if value >= 100 else f"{value:.1f} {name}"
    return f"{size:.0f} B"


def share_words(share: float) -> str:
    """A measured share, rounded: 0 %, 5.2 %, 97 %."""
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"


def percent(share: float) -> str:
    """Progress from 0 to 1; never 100 % before it is."""
    if share >= 1:
        return "100 %"
    return f"{min(99, math.floor(share * 100))} %"


def amount(value: float) -> str:
    """A count with thin groups: 1 234 567."""
    return f"{value:,.0f}".replace(",", "\u202f") if abs(value) >= 1000 else f"{value:.0f}"


def short(value: float) -> str:
    """A measured number in four significant figures at the most: 0.0123, 1.234, 2e-05."""
    if not math.isfinite(value):
        return str(value)
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.3g}"
    return f"{value:.4g}"


def plural(count: float, one: str, many: str = "") -> str:
    """1 run, 2 runs."""
    return f"{amount(count)} {one if count == 1 else many or one + 's'}"


def ago(moment: float, now: float | None = None) -> str:
    """How long ago, in one unit."""
    passed = max(0.0, (time.time() if now is None else now) - moment)
    if passed < MINUTE:
        return "just now"
    for factor, one, limit in ((MINUTE, "minute", HOUR), (HOUR, "hour", DAY), (DAY, "day", 60 * DAY)):
        if passed < limit:
            return plural(int(passed // factor), one) + " ago"
    return time.strftime("%d %b %Y", time.localtime(moment))


def named(words: str) -> str:
    """A name for a chip, a badge or a button, cut in its middle where it is too long: numbers stand at its end."""
    return words if len(words) <= LONGEST_ON_CHIP else f"{words[: LONGEST_ON_CHIP - 15]}…{words[-14:]}"
