"""The index of runs in the Home's database: views of runs by folder stamp, so that ten thousand folders open quickly.

Everything here can be made again from the run folders.
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
)
STAMPED = ("spec.json", "launch.json", "state.json", "control.json", "queue.json", "reading.json")


def stamp(folder: Path) -> int:
    """Changes whenever one of the run's small files is replaced; 0 without a spec."""
    newest, place = 0, str(folder)
    if not os.path.exists(f"{place}{os.sep}spec.json"):  # noqa: PTH110
        return 0
    for name in STAMPED:
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, os.stat(f"{place}{os.sep}{name}").st_mtime_ns)  # noqa: PTH116 - a tenth of Path's time
    return newest


async def load(store: Store, runs: Path) -> tuple[dict[str, RunView], dict[str, RunState]]:
    """All runs of the Home, and the state in which the index last knew each.

    A view comes from the index where its stamp still holds, else it is read off the folder.
    """
    rows = await store.rows("SELECT id, stamp, view, state FROM runs")
    known = {str(row[0]): (row[1], row[2]) for row in rows}
    states = {str(row[0]): RunState(str(row[3])) for row in rows}
    views = await anyio.to_thread.run_sync(_views, runs, known)
    for gone in known.keys() - views.keys():
        await forget(store, gone)
    return views, states


def _views(runs: Path, known: Mapping[str, tuple[object, object]]) -> dict[str, RunView]:
    decoder = msgspec.json.Decoder(RunView)
    views: dict[str, RunView] = {}
    for name in sorted(entry.name for entry in os.scandir(runs)):
        path = runs / name
        mark, view = known.get(name, (0, None))
        if mark and isinstance(view, bytes) and mark == stamp(path):
            views[name] = decoder.decode(view)
        elif (path / "spec.json").exists():
            views[name] = view_of(RunFolder(path))
    return views


async def save(store: Store, folder: Path, view: RunView) -> None:
    """Index a view under its folder's stamp. A run at work is not trusted to the index: its stamp is 0."""
    mark = 0 if view.state.active or view.state is RunState.CREATED else stamp(folder)
    await store.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
        [view.id, mark, view.state.value, view.kind, view.created, msgspec.json.encode(view)],
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
