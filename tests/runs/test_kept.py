"""Followers of runs: one for all who watch, let go of when nobody does, kept while the run is at work."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from engine.core.recent import LARGE_BYTES, relieve
from engine.core.store import Store
from engine.runs import index
from engine.runs.runs import KEPT, Runs
from engine.spec.records import RunState
from tests.ui.fakes import FakeRuns

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def runs(tmp_path: Path):
    made = FakeRuns(tmp_path / "runs")
    for number in range(KEPT + 4):
        made.make(f"Run {number}", RunState.RUNNING if number == 0 else RunState.COMPLETED, steps=3)
    made._live.clear()
    store = Store(tmp_path / "index.duckdb", index.MIGRATIONS)
    found = Runs(tmp_path / "runs", store, lambda: 1)
    await found.open()
    yield found
    store.close()


async def test_followers_that_nobody_watches_are_let_go_of_and_others_stay(runs: Runs):
    at_work, watched = "run-1", runs.live("run-2")
    runs.live(at_work)
    for number in range(3, KEPT + 5):
        runs.live(f"run-{number}")
    gc.collect()
    assert len(runs._live) <= KEPT + 2
    assert runs.live("run-2") is watched  # somebody held it
    assert at_work in runs._live
    relieve(LARGE_BYTES + 1)
    gc.collect()
    assert set(runs._live) == {"run-1", "run-2"}
