"""What the screens of results share: the tones of what may be said, and values of measures in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flet as ft

from engine.results.measured import Mean
from studio.guides import Term, terms_in
from studio.kit import Explained
from studio.theme import BODY

if TYPE_CHECKING:
    from engine.results.metrics.measures import Measure

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


def named_measure(measure: Measure, size: float = BODY) -> ft.Control:
    """A measure's name, explained by the glossary; a check of one's own has its own words."""
    known = next(iter(terms_in(measure.title)), None)
    return Explained(measure.title, known or Term(term=measure.title, meaning=measure.what, example=""), size=size)  # type: ignore[return-value]
