"""The index of runs in the Home's database: views of runs by folder stamp, so that ten thousand folders open quickly.

A folder is believed by its own time of change, for every small file in it is replaced and never written into. What a
person or another program wrote into a file is seen when there is leisure (`outdated`). Everything here can be made
again from the run folders.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread
import msgspec

from engine.core.errors import unexpected
from engine.core.store import Migration, Store
from engine.runs.summary import read_view
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.records import Action, Card, RunState
from engine.spec.runspec import SpecInvalid, SpecTooNew

log = logging.getLogger(__name__)

MIGRATIONS = (
    Migration(
        "runs-1",
        "CREATE TABLE runs "
        "(id VARCHAR PRIMARY KEY, stamp BIGINT, state VARCHAR, kind VARCHAR, created DOUBLE, view BLOB)",
    ),
    Migration("runs-2", "ALTER TABLE runs ADD COLUMN folder BIGINT"),
)
PLACE = (
    "UPDATE runs SET folder = found.folder FROM (SELECT unnest($1) AS id, unnest($2) AS folder) AS found "
    "WHERE runs.id = found.id"
)
STAMPED = ("spec.json", "launch.json", "state.json", "control.json", "queue.json", "reading.json")


class Indexed(msgspec.Struct, frozen=True, array_like=True):
    """A run as the index knows it: its state, the stamp of its files, the change of its folder (in ns) and its view in
    JSON."""

    id: str
    state: RunState
    stamp: int
    folder: int | None
    view: bytes


class Loaded(msgspec.Struct, frozen=True):
    """All runs of a Home, the state in which the index last knew each, and the stamps of those whose folder alone was
    looked at."""

    views: dict[str, RunView]
    states: dict[str, RunState]
    believed: dict[str, int]


def stamp(folder: Path) -> int:
    """Changes whenever one of the run's small files is replaced; 0 without a spec."""
    newest, place = 0, str(folder)
    if not os.path.exists(f"{place}{os.sep}spec.json"):  # noqa: PTH110
        return 0
    for name in STAMPED:
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, os.stat(f"{place}{os.sep}{name}").st_mtime_ns)  # noqa: PTH116 - a tenth of Path's time
    return newest


def changed(place: str) -> int:
    """When a file was last put into the folder at this place or taken out of it, in ns."""
    return os.stat(place).st_mtime_ns  # noqa: PTH116 - as above


async def load(store: Store, runs: Path) -> Loaded:
    """All runs of the Home. A view comes from the index where its folder did not change, else it is read off that."""
    rows = msgspec.convert(await store.rows("SELECT id, state, stamp, folder, view FROM runs"), list[Indexed])
    known = {row.id: row for row in rows}
    loaded, moved = await anyio.to_thread.run_sync(_loaded, runs, known)
    if moved:
        await store.execute(PLACE, [list(moved), list(moved.values())])
    for gone in known.keys() - loaded.views.keys():
        await forget(store, gone)
    return loaded


def _loaded(runs: Path, known: Mapping[str, Indexed]) -> tuple[Loaded, dict[str, int]]:
    """What is there, and the change of those folders whose files alone are as the index knows them."""
    decoder = msgspec.json.Decoder(RunView)
    loaded = Loaded({}, {row.id: row.state for row in known.values()}, {})
    moved: dict[str, int] = {}
    for name in sorted(entry.name for entry in os.scandir(runs)):
        row, place = known.get(name), f"{runs}{os.sep}{name}"
        if row and row.stamp and row.folder == changed(place):
            loaded.believed[name] = row.stamp
        elif row and row.stamp and row.stamp == stamp(runs / name):
            moved[name] = changed(place)
        else:
            row = None
        if row:
            loaded.views[name] = decoder.decode(row.view)
        elif (runs / name / "spec.json").exists():
            loaded.views[name] = view_of(RunFolder(runs / name))
    return loaded, moved


def outdated(runs: Path, believed: Mapping[str, int]) -> list[str]:
    """Which of the runs that were believed by their folder have other files than the index knows."""
    return [name for name, known in believed.items() if stamp(runs / name) != known]


async def save(store: Store, folder: Path, view: RunView) -> None:
    """Index a view under its folder's stamp. A run at work is not trusted to the index: its stamp is 0."""
    resting = not view.state.active and view.state is not RunState.CREATED
    await store.execute(
        "INSERT OR REPLACE INTO runs (id, stamp, folder, state, kind, created, view) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            view.id,
            stamp(folder) if resting else 0,
            changed(str(folder)),
            view.state.value,
            view.kind,
            view.created,
            msgspec.json.encode(view),
        ],
    )


async def forget(store: Store, run_id: str) -> None:
    """Take a run out of the index."""
    await store.execute("DELETE FROM runs WHERE id = ?", [run_id])


def view_of(folder: RunFolder) -> RunView:
    """The run's view; one whose spec cannot be read is shown as failed, with the reason."""
    try:
        return read_view(folder)
    except SpecTooNew as error:
        why = f"Its spec has {error}."
        card = Card(
            what="This run was made by a newer version of PEFT Studio.",
            why=why,
            actions=(Action(label="Update PEFT Studio."),),
            code="spec-too-new",
        )
    except (SpecInvalid, OSError) as error:
        log.warning("run %s cannot be read: %s", folder.id, error)
        card = unexpected(error) if isinstance(error, OSError) else _unreadable(error)
    made = folder.path.stat().st_mtime
    return RunView(
        id=folder.id, kind="train", name=folder.id, state=RunState.FAILED, created=made, updated=made, error=card
    )


def _unreadable(error: SpecInvalid) -> Card:
    return Card(
        what="This run's settings cannot be read.",
        why=f"spec.json: {error}",
        actions=(Action(label="Plan the run again."), Action(label="Delete this run.", do="delete")),
        code="spec-invalid",
    )
