"""Scoring takes as long as it takes: nobody leaves before it is done, and what was cut off is done again."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import psutil
import pytest

from engine import orders
from engine.core.errors import StudioError
from engine.core.home import Home
from engine.engine import Engine
from engine.outcomes import Outcomes
from engine.results.after import keep_verdicts, never_scored, verdict_of_run, why_unscored
from engine.results.versions import Version, Versions
from engine.runs.index import view_of
from engine.runs.views import RunView
from engine.spec.answers import BASE, Answer
from engine.spec.files import LineWriter, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import LaunchRecord, RunState, StateRecord
from engine.spec.runspec import AdapterRef
from engine.spec.suite import Check, Suite
from studio.terminal.waiting import evaluation_of, version_of
from tests.making import train_spec
from tests.results.answering import evaluation_folder, job_for
from tests.results.made import finished_run, spec_of, version_in

pytestmark = pytest.mark.anyio
KEEPER = "import sys, engine.keeper as program\nprogram.IDLE_SECONDS = 0.5\nsys.exit(program.main(sys.argv[1]))\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def keeper(home: Home) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a keeper that leaves half a second after it has nothing to do."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-P", "-c", KEEPER, str(home.path)]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def answered(home: Home, version: Version, *checks: Check, rows: int = 8, run: str = "evaluate-1") -> RunFolder:
    """An evaluation run that has ended: all its answers are there, and nobody has scored them."""
    job = job_for(Path("model"), Path("rows"), home.answers, AdapterRef(name=version.id, path="adapter"))
    suite = Suite(metrics=("exact_match",), checks=checks)
    folder = evaluation_folder(home.runs / run, msgspec.structs.replace(job, suite=suite))
    launched(folder)
    answer(folder, version, rows)
    folder.write_state(StateRecord(state=RunState.COMPLETED, step=10, total_steps=10))
    return folder


def answer(folder: RunFolder, version: Version, rows: int) -> None:
    lines = LineWriter(folder.results_file)
    values: dict[str, Any] = {"prompt": "q", "reference": "yes", "tokens": 1, "complete": True, "trained_tokens": 1}
    for row in range(rows):
        for model, text in ((BASE, "no"), (version.id, "yes")):
            lines.write(Answer(row=row, model=model, text=text, nll=1.0, **values))
    lines.close()


def slow(nap: float, **limits: Any) -> Check:
    source = f"import time\ndef check(prompt, answer, reference):\n    time.sleep({nap})\n    return True\n"
    return Check(name="slow", source=source, **limits)


def running(process: subprocess.Popen[bytes], program: str) -> list[psutil.Process]:
    """Its descendants that run this program, once there are some."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        every = psutil.Process(process.pid).children(recursive=True)
        if any(program in " ".join(each.cmdline()) for each in every):
            return every
        time.sleep(0.05)
    pytest.fail(f"{program} never ran")


def test_a_keeper_stays_until_the_answers_are_scored(home: Home, keeper: Any) -> None:
    version = version_in(Versions(home.versions), home.runs, "run-1")
    folder = answered(home, version, slow(0.2))  # sixteen answers, six times as long as it idles
    assert keeper().wait(60) == 0
    found = verdict_of_run(Versions(home.versions), version, folder)
    assert found and found.result("check: slow")


def test_scoring_that_was_killed_is_done_when_the_home_is_opened_again(home: Home, keeper: Any) -> None:
    versions = Versions(home.versions)
    version = version_in(versions, home.runs, "run-1")
    folder = answered(home, version, slow(0.3))
    first = keeper()
    others = running(first, "check_runner")
    first.kill()  # kill -9, as the system does when memory is short
    gone, left = psutil.wait_procs(others, timeout=10)
    for process in left:
        process.kill()
    assert gone and not left
    assert verdict_of_run(versions, version, folder) is None
    assert keeper().wait(60) == 0
    assert verdict_of_run(versions, version, folder)


def test_the_terminal_sees_to_it_that_somebody_scores(home: Home) -> None:
    version = version_in(Versions(home.versions), home.runs, "run-1")
    folder = answered(home, version)
    assert evaluation_of(home, version, folder.id).run == folder.id


def test_answers_that_cannot_be_scored_say_why(home: Home) -> None:
    version = version_in(Versions(home.versions), home.runs, "run-1")
    folder = answered(home, version, rows=0)
    with pytest.raises(StudioError, match="nothing to compare"):
        evaluation_of(home, version, folder.id)
    assert never_scored(Versions(home.versions), [folder]) == []


async def test_an_old_home_with_a_verdict_that_was_lost_gets_it(home: Home) -> None:
    versions = Versions(home.versions)
    version = version_in(versions, home.runs, "run-1")
    folder = answered(home, version)
    async with Engine.open(home.path) as engine:
        await until(lambda: not engine.runs.busy)
    (home.versions / version.id / "evaluations" / f"{folder.id}.json").unlink()
    async with Engine.open(home.path):
        await until(lambda: verdict_of_run(versions, version, folder) is not None)


async def test_what_a_resumed_run_answered_more_is_scored_anew(home: Home) -> None:
    versions, limit = Versions(home.versions), anyio.CapacityLimiter(1)
    version = version_in(versions, home.runs, "run-1")
    folder = answered(home, version, rows=3)
    await keep_verdicts(versions, folder, home.datasets, limit)
    first = verdict_of_run(versions, version, folder)
    await keep_verdicts(versions, folder, home.datasets, limit)
    assert first and verdict_of_run(versions, version, folder) == first
    await anyio.sleep(0.02)
    answer(folder, version, 5)
    assert verdict_of_run(versions, version, folder) is None
    await keep_verdicts(versions, folder, home.datasets, limit)
    second = verdict_of_run(versions, version, folder)
    assert second and (first.base.examples, second.base.examples) == (3, 5)


async def test_a_version_that_is_gone_keeps_no_other_from_its_verdict(home: Home) -> None:
    versions = Versions(home.versions)
    first, second = (version_in(versions, home.runs, f"run-{i}") for i in (1, 2))
    folder = answered(home, second)
    spec = json.loads(folder.spec_file.read_bytes())
    spec["job"]["adapters"].insert(0, {**spec["job"]["adapters"][0], "name": "gone"})
    folder.spec_file.write_text(json.dumps(spec), encoding="utf-8")
    await keep_verdicts(versions, folder, home.datasets, anyio.CapacityLimiter(1))
    assert verdict_of_run(versions, second, folder) and why_unscored(first, folder) is None


def completed(home: Home, monkeypatch: pytest.MonkeyPatch) -> RunView:
    """A training run that has ended, seen by a terminal that asks the holder often; nobody has made its version."""
    monkeypatch.setattr("studio.terminal.waiting.ASKED_AFTER_SECONDS", 0.05)
    folder = finished_run(home.runs, spec_of("run-1"))
    launched(folder)
    return view_of(folder)


def launched(folder: RunFolder) -> None:
    write_struct(folder.launch_file, LaunchRecord(attempt=0, pid=0, process_started=0, host="", time=0, threads=1))


async def test_the_terminal_waits_for_a_version_as_long_as_it_is_being_made(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, ready, found = completed(home, monkeypatch), anyio.Event(), list[Version | None]()
    asked: list[bool] = []
    ending = Outcomes.ending

    async def slowly(*_: object) -> None:
        await ready.wait()

    async def look() -> None:
        found.append(await anyio.to_thread.run_sync(version_of, home, view))

    def told(self: Outcomes, words: str, *, again: bool = False) -> orders.Ending:
        asked.append(again)
        return ending(self, words, again=again)

    monkeypatch.setattr("engine.outcomes.note_end", slowly)
    monkeypatch.setattr(Outcomes, "ending", told)
    async with Engine.open(home.path), anyio.create_task_group() as group:
        group.start_soon(look)
        await until(lambda: len(asked) > 2)
        assert not found and asked[:2] == [True, False]
        ready.set()
        await until(lambda: bool(found))
    assert found[0] and found[0].run == "run-1"


async def test_a_version_that_could_not_be_kept_says_why_and_is_tried_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, tried = completed(home, monkeypatch), list[str]()

    def full(_self: Versions, version: Version, _run: RunFolder) -> None:
        tried.append(version.id)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Versions, "_write", full)
        async with Engine.open(home.path) as engine:
            await until(lambda: not engine.runs.busy)
            with pytest.raises(StudioError, match="The disk is full"):
                await anyio.to_thread.run_sync(version_of, home, view)
            assert len(tried) == 2  # at the run's end, and when it was asked for
    async with Engine.open(home.path) as engine:  # with room again it is made without being asked for
        await until(lambda: Versions(home.versions).of_run("run-1") is not None)
        await until(lambda: engine.outcomes.ending("run-1") == orders.Ending(done=True))


async def test_a_version_that_was_deleted_is_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    view = completed(home, monkeypatch)
    async with Engine.open(home.path) as engine:
        await until(lambda: bool(engine.outcomes.versions.value))
        await engine.outcomes.care_for("run-1", "delete")
        with anyio.fail_after(10):
            assert await anyio.to_thread.run_sync(version_of, home, view) is None


@pytest.mark.worker
async def test_a_long_scoring_holds_up_neither_the_queue_nor_the_end_of_another_run(home: Home) -> None:
    version = version_in(Versions(home.versions), home.runs, "run-1")
    answered(home, version, slow(60, seconds=100))
    async with Engine.open(home.path) as engine:
        next_one = msgspec.structs.replace(train_spec(Path("none"), Path("none")), id="next", name="next")
        engine.runs.add(next_one)
        await until(lambda: engine.runs.find("next").state is RunState.FAILED)  # launched, and there is no such model
        assert engine.runs.busy
        with anyio.fail_after(5):  # nobody waits for the verdict of a run that is to go
            await engine.runs.delete("evaluate-1")
        assert not (home.runs / "evaluate-1").exists()


async def until(fits: Callable[[], bool]) -> None:
    with anyio.fail_after(40):
        while not fits():
            await anyio.sleep(0.05)
