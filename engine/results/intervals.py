"""Intervals of shares: what is yes or no needs no resampling, and has an interval also where every example is alike.

Pure; no numpy. Other means have theirs by the bootstrap (`statistics`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist

from engine.data.language import interval

Z95 = NormalDist().inv_cdf(0.975)
HALVINGS = 60
"""Bisection of a range of 1 to the last bit."""


def share_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a share of yes (1) among yes and no (0), by Wilson 1927."""
    return interval(int(sum(values)), len(values))


def difference_interval(gained: int, lost: int, examples: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two shares on the same examples: `gained` of them became yes, `lost` no.

    It holds every difference that a score test does not refuse. Source: Tango 1998, Statistics in Medicine 17.
    """
    found = (gained - lost) / examples

    def reached(difference: float, way: int) -> bool:
        """Whether the test refuses it, for being too far below (1) or above (-1) what was found."""
        spread = sqrt(examples * max(0.0, _variance(gained, lost, examples, difference)))
        return way * (gained - lost - examples * difference) >= Z95 * spread

    return _edge(-1.0, found, lambda value: reached(value, 1)), _edge(1.0, found, lambda value: reached(value, -1))


def _variance(gained: int, lost: int, examples: int, difference: float) -> float:
    """Of one example's difference, at the most likely shares that have this mean difference."""
    b = (2 * examples - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    share = (sqrt(max(0.0, b * b - 8 * examples * c)) - b) / (4 * examples)
    return 2 * share + difference * (1 - difference)


def _edge(outside: float, inside: float, refused: Callable[[float], bool]) -> float:
    """Where refusing ends, between a value that may be refused and one that is not."""
    for _ in range(HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if refused(middle) else (outside, middle)
    return inside
