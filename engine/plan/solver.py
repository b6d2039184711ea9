"""The largest micro-batch and the longest texts that fit a memory. Pure: memory only grows with either."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.plan.facts import DataFacts
from engine.plan.memory import OURS, Device, Practice, load_of
from engine.plan.models import BaseModel
from engine.plan.sharing import shared_parts
from engine.spec.methods import Method
from engine.spec.runspec import Training

MOST_EXAMPLES = 4096
STEP = 64
"""Lengths are looked for in multiples of this."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What fits with everything else as planned: examples at once, and tokens of the longest; 0 when nothing does."""

    micro_batch: int
    max_length: int


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to `most` that fits, 0 when none does. `fits` must never turn true again."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def limits_of(
    model: BaseModel,
    data: DataFacts,
    method: Method,
    training: Training,
    device: Device,
    budget: float,
    ratio: float = 1.0,
    practice: Practice = OURS,
    processes: int = 1,
) -> Limits:
    """Both limits under a budget in bytes; the one is found with the other as planned."""

    def fits(examples: int, length: int) -> bool:
        asked = msgspec.structs.replace(
            training,
            micro_batch=examples,
            batch_size=max(examples, training.batch_size),
            max_length=length,
        )
        known = msgspec.structs.replace(data, longest=length)
        parts = shared_parts(model, method, asked, load_of(known, asked, method), device, practice, processes)
        return ratio * sum(part.amount for part in parts) <= budget

    longest = max(1, min(data.longest, training.max_length))
    steps = max(1, model.context // STEP)
    return Limits(
        micro_batch=largest(lambda examples: fits(examples, longest), MOST_EXAMPLES),
        max_length=min(model.context, STEP * largest(lambda count: fits(training.micro_batch, STEP * count), steps)),
    )
