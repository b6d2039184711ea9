"""How well a run uses the machine: verdicts in plain words from the numbers of its newest steps. Pure; no I/O.

What is not measured is not judged: a processor has no GPU to be idle, and a run begins with no verdict at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from engine.runs.views import Series

NEWEST = 20
"""Steps that a verdict looks at."""
FEWEST = 3
WAITING, PADDING, OTHER, IDLE = 0.10, 0.25, 0.20, 0.50
"""Shares from which on waiting for data, padding, and work beside the training count as waste; and below which a GPU's
use does."""
SLOWER = 0.75
"""A speed below this part of the run's usual one has fallen."""
HOT = 85.0
"""Degrees Celsius at which GPUs begin to slow down."""
FALLING = 0.02
"""Relative change between two stretches of a loss that counts as one."""


class Verdict(msgspec.Struct, frozen=True):
    """A finding about the speed: `good`, or what wastes time, why, and what to do."""

    good: bool
    what: str
    why: str = ""


def verdicts(series: Mapping[str, Series]) -> tuple[Verdict, ...]:
    """What the newest steps say, waste first; empty before there are three steps."""
    if len(series["step_seconds"]) < FEWEST:
        return ()
    found = [
        _waiting(_newest(series["data_wait_share"])),
        _padding(_newest(series["padding_share"])),
        _beside(_newest(series["compute_seconds"]), _newest(series["step_seconds"])),
        _gpu(_newest(series["gpu_utilization"]), _newest(series["gpu_temperature"])),
        _slowed(series["tokens_per_second"].values),
    ]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: each.good))


def in_a_word(found: Sequence[Verdict]) -> str:
    """The verdicts as one: nothing before there are any."""
    if not found:
        return ""
    return "well used" if all(each.good for each in found) else "could be faster"


def trend(values: Sequence[float]) -> str:
    """Whether a loss falls, stands or rises: the median of its newest stretch against the one before."""
    length = min(NEWEST, len(values) // 2)
    if length < FEWEST:
        return ""
    now, before = median(values[-length:]), median(values[-2 * length : -length])
    if not abs(before) < float("inf") or not abs(now) < float("inf"):
        return ""
    change = (now - before) / max(abs(before), 1e-9)
    return "falling" if change < -FALLING else "rising" if change > FALLING else "steady"


def _newest(series: Series) -> float | None:
    return median(series.values[-NEWEST:]) if len(series) else None


def _waiting(share: float | None) -> Verdict | None:
    if share is None:
        return None
    if share < WAITING:
        return Verdict(True, "Data is there in time.")
    why = "Another program may keep the disk or the processor busy; end it, or use fewer threads for it."
    return Verdict(False, f"{share * 100:.0f} % of each step goes into waiting for data.", why)


def _padding(share: float | None) -> Verdict | None:
    if share is None:
        return None
    if share < PADDING:
        return Verdict(True, "Little is computed on padding.")
    why = "Rows of very different lengths share a batch. Packing, or a shorter context length, saves it."
    return Verdict(False, f"{share * 100:.0f} % of the tokens computed are padding.", why)


def _beside(computing: float | None, step: float | None) -> Verdict | None:
    if computing is None or not step:
        return None
    other = max(0.0, 1 - computing / step)
    if other < OTHER:
        return Verdict(True, "Nearly all of each step is computing.")
    why = "Saving, measuring and waiting take the rest. Fewer checkpoints and validations save some of it."
    return Verdict(False, f"{other * 100:.0f} % of each step is not computing.", why)


def _gpu(use: float | None, temperature: float | None) -> Verdict | None:
    if use is None:
        return None
    if temperature is not None and temperature >= HOT:
        why = "Hot cards slow down by themselves. Look at its fans, or lower its power limit."
        return Verdict(False, f"The GPU is {temperature:.0f} °C hot.", why)
    if use >= IDLE:
        return Verdict(True, "The GPU is well used.")
    why = "A larger micro-batch gives it more to do at once, as far as memory reaches."
    return Verdict(False, f"The GPU is used only {use * 100:.0f} % of the time.", why)


def _slowed(speeds: Sequence[float]) -> Verdict | None:
    if len(speeds) < 2 * NEWEST:
        return None
    now, usual = median(speeds[-NEWEST:]), median(speeds)
    if now >= SLOWER * usual:
        return Verdict(True, "Its speed is steady.")
    why = "Heat, another program, or longer rows slow it down."
    return Verdict(False, f"It became slower: {now:,.0f} tokens/s, usually {usual:,.0f}.", why)
