"""The queue at work: moved runs start first, a failing one holds nobody up, places outlive a holder (W9)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.core.errors import RunError
from engine.runs.queue import Room
from engine.runs.reading import reading_of
from engine.runs.standing import expectation
from engine.spec.records import RunState
from tests.runs.made import expected
from tests.runs.test_workers import opened, spec, state, until

pytestmark = [pytest.mark.anyio]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_waiting_runs_are_moved_and_their_places_outlive_the_holder(
    tmp_path: Path, model: Path, rows: Path
) -> None:
    async with opened(tmp_path, limit=0) as runs:
        for number in range(3):
            made = spec(model, rows, f"run-{number}")
            runs.add(msgspec.structs.replace(made, created=made.created + number), expected=expected(), sweep="s")
        assert runs.move("run-2") == 1
        assert runs.move("run-1") == 2
        assert runs.move("run-0", -5) == -5
        assert [runs.find(f"run-{n}").queue_position for n in range(3)] == [3, 1, 2]
        assert "0 at once" in runs.find("run-1").waits_for
    async with opened(tmp_path, limit=0) as runs:
        views = [runs.find(f"run-{n}") for n in range(3)]
        assert [(view.queue_position, view.priority, view.sweep) for view in views] == [
            (3, -5, "s"),
            (1, 2, "s"),
            (2, 1, "s"),
        ]
        assert {view.expected_memory for view in views} == {500_000_000}
        assert expectation(runs.folder("run-0")) == expected()


@pytest.mark.worker
async def test_a_failing_run_holds_nobody_up_and_a_moved_one_starts_before_older_ones(
    tmp_path: Path, model: Path, rows: Path
) -> None:
    async with opened(tmp_path, limit=0) as runs:
        for number, data in enumerate((rows, rows, tmp_path / "gone")):
            made = spec(model, data, f"run-{number}", epochs=1)
            runs.add(msgspec.structs.replace(made, created=made.created + number))
        runs.move("run-1")
        runs.move("run-2")
    async with opened(tmp_path, limit=1) as runs:
        await until(runs, "run-0", state(RunState.COMPLETED))
        assert runs.find("run-1").state is RunState.COMPLETED
        assert runs.find("run-2").state is RunState.FAILED
        launches = [runs.folder(f"run-{n}").launch() for n in range(3)]
        times = [launch.time for launch in launches if launch]
        assert times[2] < times[1] < times[0]
        with pytest.raises(RunError, match="cannot be moved"):
            runs.move("run-0")
        assert reading_of(runs.folder("run-0")) is not None


@pytest.mark.worker
async def test_a_run_that_does_not_fit_beside_another_waits_for_its_end(
    tmp_path: Path, model: Path, rows: Path
) -> None:
    room = Room(total=1_000_000_000, free=1_000_000_000)
    async with opened(tmp_path, limit=2, memory=lambda: room) as runs:
        for name in ("first", "second"):
            runs.add(spec(model, rows, name, epochs=1), expected=expected())
        await until(runs, "first", lambda view: view.state.active)
        assert "waits for memory" in runs.find("second").waits_for
        view = await until(runs, "second", lambda view: view.state.active)
        assert runs.find("first").state is RunState.COMPLETED
        assert view.waits_for == ""
        runs.stop("second")
