"""In which colour a number is shown: good, acceptable or a problem. Pure; the faces choose the colours."""

from __future__ import annotations

import math
from enum import StrEnum


class Zone(StrEnum):
    """How a number looks to someone who knows."""

    GOOD = "good"
    ACCEPTABLE = "acceptable"
    PROBLEM = "problem"


BOUNDS = {
    "loss": (0.9, 1.05),
    "validation_loss": (0.95, 1.02),
    "gap": (0.15, 0.5),
    "gradient_norm": (3.0, 10.0),
}
"""Up to the first bound good, up to the second acceptable. Losses as a share of their start; the gap as (validation -
training) / validation; a gradient norm as a multiple of the usual one."""


def zone(metric: str, value: float, reference: float) -> Zone:
    """Where `value` lies. `reference` is the metric's start, for a gap the validation loss, for a norm what is usual.

    Raises KeyError for a metric that has no zones. What is not a number is a problem.
    """
    good, acceptable = BOUNDS[metric]
    if not math.isfinite(value) or not reference > 0:
        return Zone.PROBLEM
    share = value / reference
    if share <= good:
        return Zone.GOOD
    return Zone.ACCEPTABLE if share <= acceptable else Zone.PROBLEM
