"""The index of runs: which views it is believed for, and that nothing that changed stays unseen."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest

from engine.core.store import Store
from engine.runs import index
from engine.runs.runs import Runs
from engine.spec.files import encode, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import LaunchRecord, RunState, StateRecord
from tests.making import run_folder, train_spec

pytestmark = pytest.mark.anyio
NAMES = ("one", "two", "three")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def state(step: int) -> StateRecord:
    return StateRecord(state=RunState.COMPLETED, step=step, total_steps=200)


@asynccontextmanager
async def opened(home: Path, migrations: int = len(index.MIGRATIONS)) -> AsyncIterator[tuple[Store, Runs]]:
    store = Store(home / "index.duckdb", index.MIGRATIONS[:migrations])
    try:
        yield store, Runs(home / "runs", store, lambda: 1)
    finally:
        store.close()


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """A Home with three runs at rest, indexed; a moment passes, so that later changes have other times."""
    for name in NAMES:
        spec = msgspec.structs.replace(train_spec(Path("/models/starter"), Path("/prepared/x")), id=name, name=name)
        folder = run_folder(tmp_path / "runs" / name, spec)
        launch = LaunchRecord(attempt=0, pid=0, process_started=0.0, host="", time=time.time(), threads=1)
        write_struct(folder.launch_file, launch)
        folder.write_state(state(100))
    async with opened(tmp_path) as (store, _):
        for name in NAMES:
            folder = tmp_path / "runs" / name
            await index.save(store, folder, index.view_of(RunFolder(folder)))
    await anyio.sleep(0.02)
    return tmp_path


async def test_folders_that_did_not_change_are_believed_and_one_whose_file_was_replaced_is_read(home: Path):
    RunFolder(home / "runs" / "two").write_state(state(150))
    async with opened(home) as (store, _):
        loaded = await index.load(store, home / "runs")
    assert set(loaded.believed) == {"one", "three"}
    assert [loaded.views[name].step for name in NAMES] == [100, 150, 100]


async def test_what_was_written_into_a_file_is_seen_when_there_is_leisure_and_from_then_on(home: Path):
    (home / "runs" / "two" / "state.json").write_bytes(encode(state(150)))
    async with opened(home) as (_, runs):
        await runs.open()
        assert runs.find("two").step == 100
        await runs.look_again()
        assert [runs.find(name).step for name in NAMES] == [100, 150, 100]
    async with opened(home) as (_, runs):
        await runs.open()
        assert runs.find("two").step == 150


async def test_a_run_that_somebody_took_away_meanwhile_is_gone_and_one_without_its_spec_failed(home: Path):
    async with opened(home) as (_, runs):
        await runs.open()
        (home / "runs" / "two" / "spec.json").unlink()
        shutil.rmtree(home / "runs" / "three")
        await runs.look_again()
        assert {run.id: run.state for run in runs.list.value} == {"one": RunState.COMPLETED, "two": RunState.FAILED}
    async with opened(home) as (_, runs):
        await runs.open()
        assert {run.id for run in runs.list.value} == {"one"}


async def test_an_index_of_an_earlier_version_is_believed_from_the_second_time_on(home: Path):
    (home / "index.duckdb").unlink()
    async with opened(home, migrations=1) as (store, _):
        for name in NAMES:
            view, mark = index.view_of(RunFolder(home / "runs" / name)), index.stamp(home / "runs" / name)
            row = [name, mark, view.state.value, view.kind, view.created, msgspec.json.encode(view)]
            await store.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)
    async with opened(home) as (store, _):
        first = await index.load(store, home / "runs")
        second = await index.load(store, home / "runs")
    assert first.believed == {} and set(second.believed) == set(NAMES)
    assert first.views == second.views
