"""A run that is deleted is gone: from the list, the disk and the index; one at work cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from engine.core.errors import RunError, StorageError
from engine.runs.views import RunView
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import LaunchRecord, RunState, StateRecord
from tests.making import run_folder, train_spec
from tests.runs.test_workers import opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def made(home: Path, state: RunState) -> RunFolder:
    """A run that ended like this, with a checkpoint."""
    spec = train_spec(Path("/models/none"), Path("/prepared/none"))
    folder = run_folder(home / "runs" / spec.id, spec)
    write_struct(folder.launch_file, LaunchRecord(attempt=0, pid=0, process_started=0, host="", time=0, threads=1))
    folder.write_state(StateRecord(state=state, step=5, total_steps=10))
    saved = folder.path / "checkpoints" / "step-5"
    saved.mkdir(parents=True)
    (saved / "adapter.bin").write_bytes(b"x" * 1000)
    return folder


async def test_nothing_is_left_of_it_and_it_stays_gone(tmp_path: Path):
    folder = made(tmp_path, RunState.COMPLETED)
    kept = tmp_path / "version.bin"
    os.link(folder.path / "checkpoints" / "step-5" / "adapter.bin", kept)
    async with opened(tmp_path, limit=0) as runs:
        runs.live(folder.id)
        await runs.delete(folder.id)
        assert runs.list.value == () and not folder.path.exists()
        with pytest.raises(RunError):
            runs.find(folder.id)
    async with opened(tmp_path, limit=0) as runs:
        assert runs.list.value == ()
    assert kept.read_bytes() == b"x" * 1000


async def test_what_follows_the_end_of_a_run_is_done_before_it_goes(tmp_path: Path):
    folder = made(tmp_path, RunState.COMPLETED)
    begun, go_on, found = anyio.Event(), anyio.Event(), list[bool]()

    async def follows(_view: RunView) -> None:
        begun.set()
        await go_on.wait()
        found.append(folder.spec_file.exists())

    async with opened(tmp_path, limit=0) as runs, anyio.create_task_group() as group:
        runs.on_end.append(follows)
        runs.end_again(folder.id)
        await begun.wait()
        group.start_soon(runs.delete, folder.id)
        await anyio.sleep(0.05)
        go_on.set()
        with anyio.fail_after(10):
            while folder.path.exists() or runs.list.value:
                await anyio.sleep(0.01)
        await anyio.sleep(0.2)
    assert found == [True] and runs.list.value == ()


async def test_a_run_that_waits_is_not_deleted(tmp_path: Path):
    spec = train_spec(Path("/models/none"), Path("/prepared/none"))
    folder = run_folder(tmp_path / "runs" / spec.id, spec)
    async with opened(tmp_path, limit=0) as runs:
        with pytest.raises(RunError, match="cannot be deleted"):
            await runs.delete(folder.id)
    assert folder.spec_file.exists()


async def test_half_a_deletion_leaves_no_run(tmp_path: Path, monkeypatch):
    folder = made(tmp_path, RunState.FAILED)

    def broken(path: Path) -> None:
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr("engine.runs.launch.shutil.rmtree", broken)
    async with opened(tmp_path, limit=0) as runs:
        with pytest.raises(StorageError):
            await runs.delete(folder.id)
    async with opened(tmp_path, limit=0) as runs:
        assert runs.list.value == ()
