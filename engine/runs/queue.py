"""Who may start next: a pure decision from what waits, what is at work, the limit, and the memory there is.

Higher priorities first, then as they were made; nobody overtakes a run that waits for memory, or it would wait for
ever. A run that fits nowhere still starts once it is alone: planning has warned, and the worker knows how to shrink.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from engine.plan.fitting import size
from engine.runs.views import RunView

USABLE = 0.9
"""Share of a device's memory that runs may fill."""


class Room(msgspec.Struct, frozen=True):
    """Memory of the device that runs work on, in bytes: all of it, and what is free now."""

    total: int
    free: int


class Turn(msgspec.Struct, frozen=True):
    """A waiting run, and why it does not start yet; empty when it may."""

    run: RunView
    why: str


def in_order(waiting: Iterable[RunView]) -> list[RunView]:
    """Evaluations and hosts first (somebody waits for them), then by priority, then as they were made."""
    return sorted(waiting, key=lambda view: (view.kind == "train", -view.priority, view.created, view.id))


def turns(waiting: Iterable[RunView], working: Iterable[RunView], limit: int, room: Room) -> tuple[Turn, ...]:
    """Every waiting run in its order, with what it waits for."""
    at_work = [view for view in working if view.kind != "host"]
    found: list[Turn] = []
    ahead = ""
    for view in in_order(waiting):
        why = "" if view.kind == "host" else ahead or _why(view, at_work, limit, room)
        found.append(Turn(view, why))
        if view.kind == "host":
            continue
        if why:
            ahead = ahead or f"comes after {view.name}"
        else:
            at_work.append(view)
    return tuple(found)


def _why(view: RunView, at_work: Sequence[RunView], limit: int, room: Room) -> str:
    if len(at_work) >= limit:
        return f"waits for a free place: {limit} at once"
    needs = _need(view)
    left = min(USABLE * room.total - sum(_need(each) for each in at_work), USABLE * room.free)
    if at_work and needs > left:
        return f"waits for memory: it needs {size(needs)}, and {size(max(0.0, left))} are left"
    return ""


def _need(view: RunView) -> float:
    """The expected peak; where nothing was estimated, what it was seen to use."""
    return float(view.expected_memory or view.memory or 0.0)
