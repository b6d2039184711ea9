"""Sweeps: several runs that differ in a few settings, started as one. `sweeps/<id>/sweep.json` names them.

The record is written before the first run is queued; a run that is in it and has no folder was never queued.
How a run went is read off its own folder, so a sweep has no state of its own.
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from engine.core.errors import RunError, from_os
from engine.runs.curves import curves
from engine.runs.index import view_of
from engine.runs.views import RunView
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Fact, RunState

FOLDER = "sweeps"
FILE = "sweep.json"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a sweep and the values that set it apart."""

    run: str
    values: dict[str, Fact]


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """`sweep.json`. `drawn` is the number of runs asked for at random, 0 for a grid."""

    id: str
    name: str
    made: float
    dataset: str
    settings: tuple[str, ...]
    drawn: int
    seed: int
    members: tuple[Member, ...]


class SweepRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the sweep as it stands. Losses in nats; `validation_loss` is the last one, `best_validation` the lowest.

    `state` is None for a run that was never queued, or was deleted.
    """

    run: str
    values: dict[str, Fact]
    state: RunState | None
    progress: float = 0.0
    seconds: float = 0.0
    loss: float | None = None
    validation_loss: float | None = None
    best_validation: float | None = None
    quality: float | None = None
    problem: str = ""


class SweepView(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep with all its runs in their order. `best` is the run with the lowest loss on held-out rows so far."""

    sweep: Sweep
    rows: tuple[SweepRow, ...]
    best: str | None

    @property
    def unfinished(self) -> int:
        """Runs at work or waiting."""
        return sum(row.state is not None and (row.state.active or row.state is RunState.CREATED) for row in self.rows)


class Sweeps:
    """The sweeps of a Home, by their files."""

    def __init__(self, home: Path, runs: Path) -> None:
        self._folder = home / FOLDER
        self._runs = runs

    def keep(self, sweep: Sweep) -> None:
        """Write the sweep's record. Raises StorageError."""
        try:
            (self._folder / sweep.id).mkdir(parents=True, exist_ok=True)
            write_struct(self._folder / sweep.id / FILE, sweep)
        except OSError as error:
            raise from_os(error, "keeping the sweep") from error

    def all(self) -> tuple[Sweep, ...]:
        """Newest first; a record that cannot be read is passed over."""
        found: list[Sweep] = []
        for path in self._folder.glob(f"*/{FILE}"):
            try:
                found.append(read_struct(path, Sweep))
            except (OSError, msgspec.MsgspecError):
                continue
        return tuple(sorted(found, key=lambda sweep: (-sweep.made, sweep.id)))

    def find(self, words: str) -> Sweep:
        """By id, the start of it, name (the newest so called), or `last`. Raises RunError naming the choices."""
        sweeps = self.all()
        if words == "last" and sweeps:
            return sweeps[0]
        exact = [sweep for sweep in sweeps if words in (sweep.id, sweep.name)]
        starting = [sweep for sweep in sweeps if words and sweep.id.startswith(words)]
        if found := exact or (starting if len(starting) == 1 else []):
            return found[0]
        names = ", ".join(sweep.id for sweep in sweeps[:5]) or "none yet"
        raise RunError(
            f"There is no sweep “{words}”.",
            f"The newest sweeps are: {names}.",
            "Look at `peft-studio sweep list`.",
            "Use `last` for the newest one.",
        )

    def view(self, words: str) -> SweepView:
        """A sweep and how its runs stand. Raises RunError."""
        sweep = self.find(words)
        rows = tuple(self._row(member) for member in sweep.members)
        return SweepView(sweep=sweep, rows=rows, best=best_of(rows))

    def _row(self, member: Member) -> SweepRow:
        folder = RunFolder(self._runs / member.run)
        if not folder.spec_file.exists():
            return SweepRow(run=member.run, values=member.values, state=None, problem="It was not queued, or deleted.")
        return row_of(view_of(folder), folder, member.values)


def row_of(view: RunView, folder: RunFolder, values: dict[str, Fact]) -> SweepRow:
    """One run as the table shows it; the best validation of a run without a reading is read off its numbers."""
    best = view.best_validation
    if best is None and view.validation_loss is not None:
        held_out = curves(folder, ("validation_loss",))["validation_loss"].values
        best = min((value for value in held_out if math.isfinite(value)), default=None)
    return SweepRow(
        run=view.id,
        values=values,
        state=view.state,
        progress=view.progress,
        seconds=view.seconds,
        loss=_sound(view.loss),
        validation_loss=_sound(view.validation_loss),
        best_validation=best,
        quality=view.quality,
        problem=view.error.what if view.error else "",
    )


def _sound(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def best_of(rows: tuple[SweepRow, ...]) -> str | None:
    """The run with the lowest held-out loss; where no rows are held out, the lowest training loss of finished runs."""
    measured = [(row.best_validation, row.run) for row in rows if row.best_validation is not None]
    if not measured:
        ended = (RunState.COMPLETED, RunState.STOPPED)
        measured = [(row.loss, row.run) for row in rows if row.loss is not None and row.state in ended]
    return min(measured, key=lambda each: each[0])[1] if measured else None
