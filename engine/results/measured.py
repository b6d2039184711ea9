"""What was measured of two models on the same examples: means with their intervals, and what a judge said.

Knows neither the examples nor what may be concluded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace

from engine.results.agreement import Agreement
from engine.results.intervals import share_interval
from engine.results.metrics.measures import Measure
from engine.results.statistics import TINY, Paired, bootstrap_intervals

LOW, HIGH = 1, 5
"""Stars that a judge gives."""
ENOUGH_JUDGED = 0.8
"""Of fewer examples than this share a judge's stars count for nothing: those it could rate may be the easy ones."""


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over the examples with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether the examples allow one: few, or all alike, have no spread to make it of."""
        return self.high - self.low > TINY


def yes_or_no(measure: Measure, *columns: Sequence[float]) -> bool:
    """Whether these marks are a share of examples, each wholly right or wholly wrong."""
    return measure.unit == "share" and all(mark in (0.0, 1.0) for column in columns for mark in column)


def means_of(columns: Sequence[Sequence[float]], *, yes_no: Collection[int] = ()) -> list[Mean]:
    """The mean of each column of marks with its interval; columns are of equal length. Heavy (numpy).

    `yes_no` are the places of columns that are shares.
    """
    import numpy as np

    table = np.ascontiguousarray(np.array(columns, dtype=float).T)
    bounds, values = bootstrap_intervals(table), table.mean(axis=0)
    if len(table) > 1:
        for i in yes_no:
            bounds[i] = share_interval(columns[i])
    return [Mean(value=float(v), low=float(b[0]), high=float(b[1])) for v, b in zip(values, bounds, strict=True)]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of both models. `corpus` is the score over all answers at once (base, tuned), for BLEU and chrF."""

    name: str
    measure: Measure
    base: Mean
    tuned: Mean
    difference: Paired
    corpus: tuple[float, float] | None = None


class JudgedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Both models by one criterion of a judge (or overall), in stars of 1 to 5; tested by signed ranks."""

    criterion: str
    base: float
    tuned: float
    difference: Paired


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge said. `not_judged` counts examples on which it gave no usable answer, `why` is the most frequent
    reason (it completes "because ..."), `flipped` is the share on which the order of the two answers decided,
    `agreement` compares it with the user's thumbs."""

    judge: str
    examples: int
    not_judged: int
    criteria: tuple[JudgedBy, ...] = ()
    flipped: float = 0.0
    why: str = ""
    agreement: Agreement | None = None

    @property
    def counts(self) -> bool:
        """Whether it rated enough of the examples to count in score and verdict."""
        return bool(self.criteria) and self.examples >= ENOUGH_JUDGED * (self.examples + self.not_judged)

    @property
    def part(self) -> str:
        """How many of the examples it rated."""
        return f"{self.examples} of {self.examples + self.not_judged}"

    @property
    def standing(self) -> str:
        """What it counts for, in a sentence."""
        if self.counts:
            return f"It rated {self.part} examples, and counts in the score and in the verdict."
        return f"It rated {self.part} examples, and counts for nothing: {100 * ENOUGH_JUDGED:.0f} % are needed."

    def tested(self, by: Sequence[Paired]) -> Judged:
        """The same with other comparisons, one for each criterion."""
        criteria = [replace(each, difference=paired) for each, paired in zip(self.criteria, by, strict=True)]
        return replace(self, criteria=tuple(criteria))


def share_of(stars: float) -> float:
    """Stars as a share of a full score, 0 to 1."""
    return (stars - LOW) / (HIGH - LOW)
