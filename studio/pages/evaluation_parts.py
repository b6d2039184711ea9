"""What the screens of results share: the tones of what may be said, and values of measures in words."""

from __future__ import annotations

from engine.results.measured import Mean

OUTCOMES = {"better": "good", "worse": "bad", "mixed": "warn"}
"""The badge's tone for each outcome; those that show nothing are plain."""
BANDS = {"excellent": "good", "good": "good", "fair": "warn", "poor": "bad"}


def measured(value: float, unit: str, *, sign: bool = False) -> str:
    """A value of a measure: a share in percent, loss and ratios with two digits."""
    plus = "+" if sign else ""
    if unit == "share":
        return f"{100 * value:{plus}.0f} {'points' if sign else '%'}"
    return f"{value:{plus}.2f}"


def interval(mean: Mean, unit: str) -> str:
    """A mean with its interval, where there is one."""
    if not mean.has_interval:
        return measured(mean.value, unit)
    bounds = f"{measured(mean.low, unit).removesuffix(' %')} to {measured(mean.high, unit)}"
    return f"{measured(mean.value, unit)} ({bounds})"
