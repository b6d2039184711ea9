"""What people should hear of their runs: a pure function from the list before and the list after to notices.

Knows nothing of how they are shown. The list may have skipped states in between; then the newest counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from engine.runs.views import RunView
from engine.spec.records import RunState

QUARTERS = (0.25, 0.5, 0.75)


class Kind(StrEnum):
    """What a notice is about."""

    PROGRESS = "progress"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"
    ASKS = "asks"

    @property
    def urgent(self) -> bool:
        """Somebody has to do something."""
        return self in (Kind.FAILED, Kind.LOST, Kind.ASKS)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell. `time` is when the run said it, in seconds since the epoch; `share` how far it is, 0 to 1."""

    kind: Kind
    run: str
    title: str
    words: str
    time: float
    share: float = 0.0

    @property
    def urgent(self) -> bool:
        return self.kind.urgent


def notices(before: Sequence[RunView], after: Sequence[RunView]) -> tuple[Notice, ...]:
    """What happened between two lists of runs, the oldest first. Model hosts are never told of.

    A run that was not there before counts as one that had not begun.
    """
    known: Mapping[str, RunView] = {run.id: run for run in before}
    changed = [run for run in after if known.get(run.id) is not run and run.kind != "host"]
    found = [told for run in changed for told in _told(known.get(run.id), run)]
    return tuple(sorted(found, key=lambda each: each.time))


def _told(old: RunView | None, new: RunView) -> Iterator[Notice]:
    if (old is None or (new.state, new.attempt) != (old.state, old.attempt)) and (end := _end(new)) is not None:
        yield end
    elif new.kind == "train" and new.state.active:
        if passed := _quarter(old, new):
            yield passed
        if new.asks and new.asked != (old.asked if old else 0.0):
            yield Notice(
                kind=Kind.ASKS, run=new.id, title=new.name, words=new.asks, time=new.updated, share=new.progress
            )


def _quarter(old: RunView | None, new: RunView) -> Notice | None:
    if new.attempt and (old is None or old.state is not RunState.RUNNING):
        return None  # where a new attempt begins was told before
    done = old.progress if old else 0.0
    passed = [quarter for quarter in QUARTERS if done < quarter <= new.progress]
    if not passed:
        return None
    words = f"{passed[-1] * 100:.0f} % done" + (f", loss {new.loss:.3g}." if new.loss is not None else ".")
    return Notice(kind=Kind.PROGRESS, run=new.id, title=new.name, words=words, time=new.updated, share=passed[-1])


def _end(run: RunView) -> Notice | None:
    """The notice of a run that came to rest."""
    why = run.error.what if run.error else ""
    match run.state:
        case RunState.COMPLETED:
            kind, words = Kind.FINISHED, "Done."
        case RunState.STOPPED:
            kind, words = Kind.FINISHED, "Stopped; what it learned is kept."
        case RunState.FAILED:
            kind, words = Kind.FAILED, why or "It could not go on."
        case RunState.LOST:
            kind, words = Kind.LOST, "It stopped answering; it can go on from its last checkpoint."
        case RunState.PAUSED if run.error is not None:
            kind, words = Kind.ASKS, why
        case _:
            return None
    share = 1.0 if run.state is RunState.COMPLETED else run.progress
    return Notice(kind=kind, run=run.id, title=run.name, words=words, time=run.updated, share=share)
