"""Which runs want somebody: what failed lately, what was lost, what asks."""

from __future__ import annotations

from engine.runs.views import RunView
from engine.spec.records import RunState

LATELY_SECONDS = 7 * 86_400.0
"""How long a failure needs attention; later it is history."""
UNSEEN = ("host", "probe")
"""Kinds of work that nobody started as a run."""


def wrong(run: RunView, now: float) -> bool:
    """Whether something is wrong with a run, or it asks; one that a person paused is well."""
    if run.kind in UNSEEN:
        return False
    if run.state is RunState.FAILED:
        return now - run.updated < LATELY_SECONDS
    asks = bool(run.asks) if run.state is RunState.RUNNING else run.state is RunState.PAUSED and run.error is not None
    return run.state is RunState.LOST or asks
