"""Real worker processes: killed, abandoned, queued; nothing is lost (requirements G2, G9, W3)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import psutil
import pytest

from engine.core.errors import RunError
from engine.core.store import Store
from engine.runs import index
from engine.runs.meters import room
from engine.runs.queue import Room
from engine.runs.runs import Runs
from engine.runs.views import RunView
from engine.spec.exits import Exit
from engine.spec.files import LineReader, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Method
from engine.spec.records import Event, Live, RunState
from engine.spec.runspec import RunSpec
from tests.making import EXACT, METHODS, train_spec
from tests.worker.loop import losses

pytestmark = [pytest.mark.anyio, pytest.mark.worker]
PATIENCE = 120


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def opened(home: Path, limit: int = 1, memory: Callable[[], Room] = room) -> AsyncIterator[Runs]:
    """A holder of the runs, as the engine is one."""
    (home / "runs").mkdir(parents=True, exist_ok=True)
    store = Store(home / "index.duckdb", index.MIGRATIONS)
    runs = Runs(home / "runs", store, lambda: limit, memory)
    await runs.open()
    async with anyio.create_task_group() as group:
        group.start_soon(runs.serve)
        yield runs
        group.cancel_scope.cancel()
    store.close()


async def until(runs: Runs, run_id: str, fits: Callable[[RunView], bool]) -> RunView:
    """Wait for a view of the run; says the last one when it never comes."""
    view = None
    with anyio.move_on_after(PATIENCE):
        async for views in runs.list.watch():
            view = next((each for each in views if each.id == run_id), None)
            if view and fits(view):
                return view
    pytest.fail(f"the run never got there: {view}")


def state(*wanted: RunState) -> Callable[[RunView], bool]:
    return lambda view: view.state in wanted


def spec(model: Path, rows: Path, run_id: str, method: Method = METHODS["lora"], **changes: Any) -> RunSpec:
    made = train_spec(model, rows, method, **changes)
    return msgspec.structs.replace(made, id=run_id, name=run_id)


async def steps_done(runs: Runs, run_id: str, count: int) -> None:
    """Wait until the run has passed so many steps."""
    live = runs.live(run_id)
    with anyio.fail_after(PATIENCE):
        async for _ in live.changed.watch():
            if len(live.series["loss"]) >= count:
                return


@pytest.mark.parametrize("method", [METHODS[name] for name in EXACT], ids=EXACT)
async def test_a_worker_killed_at_any_moment_is_seen_and_resumed_to_the_same_losses(
    tmp_path: Path, model: Path, rows: Path, method: Method
) -> None:
    async with opened(tmp_path, limit=2) as runs:
        runs.add(spec(model, rows, "whole", method))
        runs.add(spec(model, rows, "cut", method, epochs=2))
        await steps_done(runs, "cut", 3)
        launch = runs.folder("cut").launch()
        assert launch is not None
        psutil.Process(launch.pid).kill()
        view = await until(runs, "cut", lambda v: v.state in (RunState.LOST, RunState.COMPLETED))
        if view.state is RunState.LOST:  # it may have been quicker than the kill
            assert view.error and any(action.do == "resume" for action in view.error.actions)
            runs.resume("cut")
            await until(runs, "cut", state(RunState.COMPLETED))
        await until(runs, "whole", state(RunState.COMPLETED))
        cut, whole = runs.folder("cut"), runs.folder("whole")
        assert losses(cut) == losses(whole)
        assert losses(cut, "validation_loss") == losses(whole, "validation_loss")
        assert list(runs.live("cut").series["loss"].values) == list(losses(whole).values())


async def test_a_run_outlives_its_app_and_the_next_one_misses_no_point(tmp_path: Path, model: Path, rows: Path) -> None:
    async with opened(tmp_path) as runs:
        runs.add(spec(model, rows, "long", epochs=40, validate_every=50, checkpoint_every=50))
        await steps_done(runs, "long", 3)
    async with opened(tmp_path) as runs:
        view = await until(runs, "long", state(RunState.RUNNING, RunState.COMPLETED))
        assert view.attempt == 0
        live = runs.live("long")
        await until(runs, "long", state(RunState.COMPLETED))
        live.poll()
        assert list(live.series["loss"].steps) == list(range(1, 201))


async def test_pause_leaves_memory_and_resume_goes_on_exactly(tmp_path: Path, model: Path, rows: Path) -> None:
    async with opened(tmp_path) as runs:
        runs.add(spec(model, rows, "run", epochs=40, validate_every=50, checkpoint_every=50))
        await steps_done(runs, "run", 3)
        with anyio.fail_after(10):
            runs.pause("run")
            await until(runs, "run", state(RunState.PAUSED))
        folder = runs.folder("run")
        launch = folder.launch()
        assert launch is not None
        with anyio.fail_after(10):
            while psutil.pid_exists(launch.pid) and psutil.Process(launch.pid).status() != psutil.STATUS_ZOMBIE:
                await anyio.sleep(0.05)
        assert folder.state().exit == Exit.PAUSED
        acknowledged = [e for e in LineReader(folder.events_file, Event).read() if e.kind == "acknowledged"]
        assert [event.facts["seq"] for event in acknowledged] == [1]
        runs.resume("run")
        await until(runs, "run", state(RunState.COMPLETED))
        assert list(losses(folder)) == list(range(1, 201))


async def test_values_change_while_a_run_is_at_work_and_only_to_what_they_can_be(
    tmp_path: Path, model: Path, rows: Path
) -> None:
    async with opened(tmp_path) as runs:
        runs.add(spec(model, rows, "run", epochs=40, validate_every=1000, checkpoint_every=1000))
        await steps_done(runs, "run", 3)
        for wrong in (Live(learning_rate=2), Live(learning_rate=0), Live(validate_every=0), Live(checkpoint_every=-1)):
            with pytest.raises(RunError, match="was not changed"):
                runs.change("run", wrong)
        runs.change("run", Live(learning_rate=1e-4, validate_every=7))
        await until(runs, "run", state(RunState.COMPLETED))
        with pytest.raises(RunError, match="cannot be changed now"):
            runs.change("run", Live(validate_every=5))
        measured = [step for step in losses(runs.folder("run"), "validation_loss") if 0 < step < 200]
        assert measured and all(step % 7 == 0 for step in measured)
        peak = losses(runs.folder("run"), "learning_rate")
        assert max(peak[step] for step in measured) <= 1e-4


async def test_runs_beyond_the_limit_wait_in_order_and_can_leave_the_queue(
    tmp_path: Path, model: Path, rows: Path
) -> None:
    async with opened(tmp_path, limit=1) as runs:
        for number in range(3):
            made = spec(model, rows, f"run-{number}")
            runs.add(msgspec.structs.replace(made, created=made.created + number))
        await until(runs, "run-0", state(RunState.INITIALIZING, RunState.RUNNING))
        assert [runs.find(f"run-{n}").queue_position for n in range(3)] == [None, 1, 2]
        runs.stop("run-1")
        assert runs.find("run-1").state is RunState.STOPPED
        await until(runs, "run-2", state(RunState.COMPLETED))
        assert runs.find("run-0").state is RunState.COMPLETED
        assert runs.folder("run-1").launch() is None


async def test_a_finished_run_refuses_what_it_is_told_and_is_indexed_again_from_its_folder(
    tmp_path: Path, model: Path, rows: Path
) -> None:
    async with opened(tmp_path) as runs:
        runs.add(spec(model, rows, "run"))
        done = await until(runs, "run", state(RunState.COMPLETED))
        for refused in (runs.pause, runs.stop, runs.checkpoint_now, runs.resume):
            with pytest.raises(RunError) as caught:
                refused("run")
            assert caught.value.card.actions
        with pytest.raises(RunError, match="no run"):
            runs.find("nothing")
    (tmp_path / "index.duckdb").unlink()
    async with opened(tmp_path) as runs:
        again = runs.find("run")
        assert msgspec.structs.replace(again, seconds=0) == msgspec.structs.replace(done, seconds=0)


@pytest.mark.parametrize(
    ("harm", "code", "words"),
    [
        ("weights", Exit.MISSING_FILES, "base model"),
        ("rows", Exit.MISSING_FILES, "gone"),
        ("newer", Exit.BAD_SPEC, "newer version"),
        ("torn", Exit.BAD_DATA, "prepared"),
    ],
)
async def test_a_run_that_cannot_start_fails_with_a_card(
    tmp_path: Path, model: Path, rows: Path, harm: str, code: Exit, words: str
) -> None:
    import shutil

    own_model, own_rows = tmp_path / "model", tmp_path / "rows"
    shutil.copytree(model, own_model)
    shutil.copytree(rows, own_rows)
    async with opened(tmp_path, limit=0) as runs:
        runs.add(spec(own_model, own_rows, "run"))
    if harm == "weights":
        (own_model / "model.safetensors").unlink()
    elif harm == "rows":
        shutil.rmtree(own_rows)
    elif harm == "torn":
        (own_rows / "train.tokens").write_bytes(b"\0" * 6)
    folder = RunFolder(tmp_path / "runs" / "run")
    made = folder.spec()
    async with opened(tmp_path, limit=1) as runs:
        if harm == "newer":
            write_struct(folder.spec_file, msgspec.structs.replace(made, format=99))
            exit_code = await anyio.run_process(
                [sys.executable, "-P", "-m", "engine.worker", str(folder.path)], check=False
            )
            assert exit_code.returncode == code
        else:
            view = await until(runs, "run", state(RunState.FAILED))
            assert view.error and words in view.error.what.lower() + view.error.why.lower()
            assert view.error.actions
        assert folder.state().exit == code


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to a session")
async def test_a_polite_end_of_the_machine_is_a_pause(tmp_path: Path, model: Path, rows: Path) -> None:
    async with opened(tmp_path) as runs:
        runs.add(spec(model, rows, "run", epochs=40, validate_every=50, checkpoint_every=50))
        await steps_done(runs, "run", 3)
        launch = runs.folder("run").launch()
        assert launch is not None
        os.kill(launch.pid, signal.SIGTERM)
        await until(runs, "run", state(RunState.PAUSED))
        assert runs.folder("run").checkpoint_folders()
