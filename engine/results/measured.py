"""What was measured of two models on the same examples: means with their intervals, and what a judge said.

Knows neither the examples nor what may be concluded.
"""

from __future__ import annotations

import msgspec

from engine.results.agreement import Agreement
from engine.results.metrics.measures import Measure
from engine.results.statistics import Paired


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over the examples with its 95 % interval."""

    value: float
    low: float
    high: float


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
    """What a judge said. `not_judged` counts examples on which it gave no usable answer, `flipped` is the share on
    which the order of the two answers decided, `agreement` compares it with the user's thumbs."""

    judge: str
    examples: int
    not_judged: int
    criteria: tuple[JudgedBy, ...] = ()
    flipped: float = 0.0
    agreement: Agreement | None = None
