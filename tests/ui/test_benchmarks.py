"""Benchmarks on the page of a version: the harness, a start with its choices, progress, errors, and the figures."""

from __future__ import annotations

from pathlib import Path

import flet as ft
import pytest

from engine.results.tasks import public_tasks
from engine.results.versions import Version
from engine.spec.answers import BASE
from engine.spec.benchmarks import LIBRARY, MARK, TaskScore
from engine.spec.files import LineWriter
from engine.spec.folder import RunFolder
from engine.spec.records import Action, Card, RunState
from engine.spec.runspec import BenchmarkJob
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, at_work, furnish, stands

pytestmark = pytest.mark.anyio
FOLDER = "Folder with tasks of your own (optional)"


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


@pytest.fixture
def version(home: FakeEngine) -> Version:
    return a_version(home, "run-1")


def install(home: FakeEngine) -> None:
    home.benchmarks.environment.mkdir(parents=True)
    (home.benchmarks.environment / MARK).write_text(LIBRARY)


async def opened(show, version: Version, width: int = 1440, confined: bool = False) -> Client:
    client = await show(f"/versions/{version.id}", width, confined)
    await client.until(lambda: client.says("Where it came from"))
    await client.press("Benchmarks")
    await client.until(lambda: client.says("Run a benchmark"))
    return client


async def started(client: Client, home: FakeEngine) -> tuple[str, BenchmarkJob]:
    """Press the start, and return what was queued."""
    before = {run.id for run in home.runs.list.value}
    await client.press("Start the benchmark")
    await client.until(lambda: {run.id for run in home.runs.list.value} - before)
    (run,) = {run.id for run in home.runs.list.value} - before
    job = RunFolder(home.home.runs / run).spec().job
    assert isinstance(job, BenchmarkJob)
    return run, job


def score(home: FakeEngine, run: str, version: Version, tasks: int = 1) -> None:
    """The run has asked both models: the version is better in the first task, and knows nothing of the others."""
    lines = LineWriter(RunFolder(home.home.runs / run).results_file)
    for place in range(tasks):
        for model, right in ((BASE, 20), (version.id, 36 if place == 0 else 20)):
            rows = tuple(float(i < right) for i in range(40)) if place == 0 else ()
            name = "hellaswag" if place == 0 else f"task_{place}"
            values = {"value": right / 40, "error": 0.05, "higher_is_better": True}
            lines.write(TaskScore(model=model, task=name, metric="acc", rows=rows, **values))  # type: ignore[arg-type]
    lines.close()
    stands(home, run, RunState.COMPLETED, 200, 200)


@pytest.mark.parametrize("width", [1440, 390])
async def test_the_public_tasks_are_offered_and_the_choices_reach_the_run(show, home: FakeEngine, version, width: int):
    install(home)
    client = await opened(show, version, width)
    for task in public_tasks():
        assert client.find(ft.Semantics, label=task.title)
    assert client.says("10,042 examples") or client.says("10\u202f042 examples")
    await client.press("TruthfulQA")
    await client.press("HellaSwag")
    await client.type("Examples of each", "25")
    await client.event(client.find(ft.Switch, label="Let it fetch the tasks' questions from the network")[0], "change")
    run, job = await started(client, home)
    assert (job.tasks, job.rows, job.online, job.chat, job.few_shot) == (("truthfulqa_mc2",), 25, True, False, None)
    assert job.adapters[0].name == version.id
    await client.until(lambda: client.says("Waiting for its turn."))
    assert client.says("TruthfulQA: 25 examples of each") and not client.says("Run a benchmark")
    at_work(home, run, 50, 200)
    await client.until(lambda: client.says("25 %"))
    await client.press("Stop")
    assert home.runs.asked == [("stop", run)]


async def test_without_a_task_nothing_can_be_started(show, home: FakeEngine, version):
    client = await opened(show, version)
    await client.press("HellaSwag")
    assert client.find(ft.FilledButton, content="Start the benchmark")[0].disabled


async def test_the_harness_is_installed_on_demand_and_why_it_could_not_be_is_said(show, home: FakeEngine, version):
    client = await opened(show, version)
    assert client.says("The benchmark harness is not installed yet.")
    await client.press("Install it")
    (run,) = [run for run in home.runs.list.value if run.kind == "benchmark"]
    job = RunFolder(home.home.runs / run.id).spec().job
    assert isinstance(job, BenchmarkJob) and job.tasks == ()
    await client.until(lambda: client.says("Waiting for its turn.") and not client.says("not installed yet"))
    await client.press("Start the benchmark")  # a second one would install into the same folder
    await client.until(lambda: client.says("lm-evaluation-harness is being installed."))
    why = "The package index could not be reached: this machine has no network now."
    error = Card(what="It could not be installed.", why=why, actions=(Action(label="Connect to the network once."),))
    stands(home, run.id, RunState.FAILED, error=error)
    await client.until(lambda: client.says(why) and client.says("Connect to the network once."))
    await client.press("Try again")
    assert home.runs.asked == [("resume", run.id)]
    install(home)
    stands(home, run.id, RunState.COMPLETED, 100, 100)
    await client.until(lambda: not client.says(why) and not client.says("not installed yet"))


async def test_a_benchmark_that_failed_says_why_and_goes_on_where_it_was(show, home: FakeEngine, version):
    install(home)
    client = await opened(show, version)
    run, _ = await started(client, home)
    error = Card(what="The benchmark could not be run.", why="lm-evaluation-harness said: no such task", actions=())
    stands(home, run, RunState.FAILED, error=error)
    await client.until(lambda: client.says("lm-evaluation-harness said: no such task"))
    await client.press("Try again")
    stands(home, run, RunState.STOPPED)
    await client.until(lambda: client.says("The last benchmark did not finish."))
    await client.press("Go on with it")
    assert home.runs.asked == [("resume", run), ("resume", run)]


async def test_the_figures_stand_beside_each_other_with_their_errors(show, home: FakeEngine, version):
    install(home)
    client = await opened(show, version)
    run, _ = await started(client, home)
    score(home, run, version, tasks=20)
    await client.until(lambda: client.says("0.500 ± 0.050") and client.says("0.900 ± 0.050"))
    assert client.says("better, p < 0.001") and client.says(" to +0.") and client.says("not paired")
    assert client.says("HellaSwag: 100 examples of each") and client.says("After ± the standard error.")
    assert not client.says("task_19")
    await client.press("Show all 20")
    assert client.says("task_19")
    again, _ = await started(client, home)
    score(home, again, version)
    await client.until(lambda: client.find(ft.DropdownM2, label="Benchmark") and not client.says("task_1"))


async def test_the_page_of_its_run_leads_to_its_figures(show, home: FakeEngine, version):
    install(home)
    client = await opened(show, version)
    run, _ = await started(client, home)
    client = await show(f"/runs/{run}")
    await client.until(lambda: client.says("What came of it"))
    assert not client.says("The version is being made.")
    await client.press(f"Open {version.title}")
    await client.until(lambda: client.page.route == f"/versions/{version.id}" and client.says("Benchmark"))
    assert client.says("Waiting for its turn.")


async def test_another_versions_benchmarks_are_not_shown(show, home: FakeEngine, version):
    install(home)
    client = await opened(show, version)
    run, _ = await started(client, home)
    score(home, run, version)
    other = await opened(show, a_version(home, "run-2"))
    assert not other.says("What it found")


async def test_tasks_of_ones_own_are_found_in_a_folder(show, home: FakeEngine, version, tmp_path: Path):
    install(home)
    (tmp_path / "mine").mkdir()
    client = await opened(show, version)
    await client.type(FOLDER, str(tmp_path / "mine"))
    await client.until(lambda: client.says("There are no tasks in this folder."))
    (tmp_path / "mine" / "faq.yaml").write_text("task: shop_faq\n")
    await client.press("Try again")
    await client.until(lambda: client.find(ft.Semantics, label="shop_faq"))
    await client.press("shop_faq")
    _, job = await started(client, home)
    assert job.tasks == ("hellaswag", "shop_faq") and job.tasks_folder == str(tmp_path / "mine")


async def test_a_page_on_another_machine_names_no_folder(show, home: FakeEngine, version):
    install(home)
    here, there = await opened(show, version), await opened(show, version, confined=True)
    assert here.find(ft.TextField, label=FOLDER) and not there.find(ft.TextField, label=FOLDER)
    _, job = await started(there, home)
    assert job.tasks_folder == ""
