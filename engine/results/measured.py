"""What was measured of two models on the same examples: means with their intervals, and what a judge said.

Knows neither the examples nor what may be concluded.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.results.agreement import Agreement
from engine.results.metrics.measures import Measure
from engine.results.statistics import Paired, bootstrap_intervals


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over the examples with its 95 % interval."""

    value: float
    low: float
    high: float


def means_of(columns: Sequence[Sequence[float]]) -> list[Mean]:
    """The mean of each column of marks with its interval; columns are of equal length. Heavy (numpy)."""
    import numpy as np

    table = np.ascontiguousarray(np.array(columns, dtype=float).T)
    bounds, values = bootstrap_intervals(table), table.mean(axis=0)
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
