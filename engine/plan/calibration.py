"""What a few measured steps say about an estimate, and how good it turned out to be (requirement F10). Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Ratio = Annotated[float, Meta(gt=0)]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Measured over predicted, from steps on the real device: 1.2 means that it took a fifth more.

    The spreads say how many times more or less such measurements are of each other: 1 for a probe of the run itself,
    more for other runs, whose rows and settings were not the same.
    """

    seconds: Ratio
    memory: Ratio
    steps: int
    seconds_spread: Ratio = 1.0
    memory_spread: Ratio = 1.0


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate against what happened. Errors are (estimated - happened) / happened; `held` says inside the range."""

    seconds_error: float
    memory_error: float
    seconds_held: bool
    memory_held: bool
    words: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """Low, expected and high."""

    low: float
    expected: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def calibrate(
    step_seconds: float, predicted_seconds: float, peak: float, predicted_peak: float, steps: int
) -> Calibration:
    """The ratios of a probe; anything that was not measured (0) leaves its ratio at 1."""
    return Calibration(
        seconds=step_seconds / predicted_seconds if step_seconds > 0 and predicted_seconds > 0 else 1.0,
        memory=peak / predicted_peak if peak > 0 and predicted_peak > 0 else 1.0,
        steps=steps,
    )


def score_of(seconds: Expected, memory: Expected, took: float, peak: float) -> Score:
    """How near expected time and memory came to what a run took. Raises ValueError for what is not above 0."""
    if not (took > 0 and peak > 0):
        raise ValueError("a run takes time and memory")
    time_error, memory_error = seconds.expected / took - 1, memory.expected / peak - 1
    return Score(
        seconds_error=time_error,
        memory_error=memory_error,
        seconds_held=took in seconds,
        memory_held=peak in memory,
        words=f"{_words('Time', time_error, took in seconds)} {_words('Memory', memory_error, peak in memory)}",
    )


def _words(what: str, error: float, held: bool) -> str:
    side = "above" if error > 0 else "below"
    inside = "inside" if held else "outside"
    return f"{what} was estimated {abs(error):.0%} {side} what it took, {inside} the range given."
