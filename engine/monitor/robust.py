"""Statistics that one odd number cannot spoil, and the blocks that keep a long series in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

NORMAL = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


def median(values: Sequence[float]) -> float:
    """Middle value; of an even number, the mean of the middle two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def spread(values: Sequence[float], centre: float) -> float:
    """Robust standard deviation around `centre`."""
    return NORMAL * median([abs(value - centre) for value in values])


class Line(NamedTuple):
    """A least-squares line through equally spaced values: its rise over all of them, and that rise's standard
    error."""

    rise: float
    error: float


def line(values: Sequence[float]) -> Line:
    """Needs three values or more."""
    count = len(values)
    centre, mean = (count - 1) / 2, sum(values) / count
    square = sum((i - centre) ** 2 for i in range(count))
    slope = sum((i - centre) * (value - mean) for i, value in enumerate(values)) / square
    rest = sum((value - mean - slope * (i - centre)) ** 2 for i, value in enumerate(values))
    return Line(slope * count, count * (rest / (count - 2) / square) ** 0.5)


class Blocks(msgspec.Struct, frozen=True):
    """A series as at most 16 block values of equal width; when they are full, neighbours merge and the width
    doubles."""

    width: int = 10
    open: tuple[float, ...] = ()
    part: tuple[float, ...] = ()
    done: tuple[float, ...] = ()

    def after(self, value: float, least: bool = False) -> tuple[Blocks, bool]:
        """With one more value, and whether that closed a block. A block's value is the median of its values per ten,
        averaged; with `least`, their minimum."""
        opened = (*self.open, value)
        if len(opened) < 10:
            return Blocks(self.width, opened, self.part, self.done), False
        part = (*self.part, min(opened) if least else median(opened))
        if len(part) * 10 < self.width:
            return Blocks(self.width, (), part, self.done), False
        done = (*self.done, _joined(part, least))
        if len(done) < 16:
            return Blocks(self.width, (), (), done), True
        pairs = tuple(_joined(done[i : i + 2], least) for i in range(0, 16, 2))
        return Blocks(2 * self.width, (), (), pairs), True


def _joined(values: tuple[float, ...], least: bool) -> float:
    return min(values) if least else sum(values) / len(values)
