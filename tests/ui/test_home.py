"""Home says what matters first: what needs somebody, what runs, what is free, what was done, what one may do next."""

from __future__ import annotations

import time

import flet as ft
import msgspec
import pytest

from engine.runs.drafts import KeptDraft
from engine.runs.meters import Meters
from engine.spec.records import Action, Card, RunState
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.fakes import write_healing
from tests.ui.results_home import a_version, furnish

pytestmark = pytest.mark.anyio
WIDTHS = pytest.mark.parametrize("width", [1440, 900, 390])
BROKE = Card(what="The disk is full.", why="3 GB were needed.", actions=(Action(label="Free some space."),))
ORDER = ("Needs your attention", "Running now", "This computer", "Recent work", "Quick actions")


def filled(client: Client) -> list[str]:
    """What the main buttons say; a view has one."""
    return [str(each.content) for each in client.find(ft.FilledButton)]


def order(client: Client) -> list[str]:
    """The sections from top to bottom, as they are drawn."""
    heads = [each for each in client.find(ft.Text) if each.value in ORDER]
    return [str(each.value) for each in sorted(heads, key=place)]


def place(control: ft.BaseControl) -> list[int]:
    """Where a control stands: its place among those beside it, and so on from the top."""
    path: list[int] = []
    while (parent := control.parent) is not None:
        beside = parent.controls if isinstance(parent, ft.Column | ft.Row) else []
        path.insert(0, next((at for at, each in enumerate(beside) if each is control), 0))
        control = parent
    return path


@WIDTHS
async def test_with_nothing_there_is_one_way_in_that_needs_nothing(show, width):
    client = await show("/", width)
    assert filled(client) == ["Try it with sample data, about a minute"]
    assert not any(client.says(each) for each in ORDER)


@WIDTHS
async def test_with_one_thing_of_each_everything_is_there_once(show, engine: FakeEngine, width):
    engine.runs.make("Broken", RunState.FAILED, steps=30, error=BROKE)
    engine.runs.make("Going", RunState.RUNNING, steps=90)
    engine.runs.make("Done", RunState.COMPLETED, steps=200)
    client = await show("/", width)
    assert filled(client) == ["Fine-tune a model"]
    for each in ORDER:
        assert client.words().count(each) == 1, each
    beside = width == 1440  # what this computer has left stands at the side, with what one may do next
    assert order(client) == ([*ORDER[:2], ORDER[3], ORDER[2], ORDER[4]] if beside else list(ORDER))
    assert client.says("The disk is full.") and client.says("45 %")
    assert not client.find(ft.TextButton, content="All runs")


@WIDTHS
async def test_with_fifty_of_each_the_first_are_shown_and_the_way_to_the_others(show, engine: FakeEngine, width):
    for name, state in (("Broken", RunState.FAILED), ("Waiting", RunState.CREATED), ("Done", RunState.COMPLETED)):
        for number in range(7):
            engine.runs.make(f"{name} {number}", state, age=100 + number)
    made = {run.name: run for run in engine.runs.list.value}
    older = [
        msgspec.structs.replace(made[f"{name} 6"], id=f"{name}-{number}", name=f"{name} {number}")
        for name in ("Broken", "Waiting", "Done")
        for number in range(7, 50)
    ]
    engine.runs.list.set((*engine.runs.list.value, *older))
    client = await show("/", width)
    words = client.words()
    assert sum(each.startswith("Broken") for each in words) == 3
    assert sum(each.startswith("Waiting") for each in words) == 6
    assert sum(each.startswith("Done") for each in words) == 6
    assert "Broken 0" in words and "Done 0" in words  # the newest of them
    assert len(client.find(ft.TextButton, content="All runs")) == 2
    await client.press("44 more runs")
    await client.until(lambda: client.page.route == "/runs")


@WIDTHS
async def test_a_draft_is_offered_among_what_goes_on(show, engine: FakeEngine, width):
    engine.runs.make("Done", RunState.COMPLETED, steps=200)
    await engine.drafts.keep(KeptDraft(id="d", changed=time.time(), profile="chatbot", name="plums"))
    client = await show("/", width)
    assert client.says("Go on with your draft “plums”")
    await client.press("Go on")
    await client.until(lambda: client.page.route == "/new")


async def test_what_failed_long_ago_is_history(show, engine: FakeEngine):
    engine.runs.make("Broken", RunState.FAILED, steps=30, error=BROKE)
    (view,) = engine.runs.list.value
    engine.runs.list.set((msgspec.structs.replace(view, updated=time.time() - 8 * 86_400),))
    client = await show("/")
    assert not client.says("Needs your attention") and client.says("Recent work") and client.says("Broken")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (RunState.LOST, "It stopped answering."),
        (RunState.PAUSED, "It is paused, and goes on when you resume it."),
        (RunState.FAILED, "It could not go on."),
    ],
    ids=str,
)
async def test_it_is_said_why_a_run_needs_somebody(show, engine: FakeEngine, state, why):
    engine.runs.make("It", RunState.COMPLETED)
    (view,) = engine.runs.list.value
    engine.runs.list.set((msgspec.structs.replace(view, state=state),))
    client = await show("/")
    assert client.says("Needs your attention") and client.says(why)


async def test_a_run_that_goes_on_and_asks_stands_first_and_among_those_that_run(show, engine: FakeEngine):
    folder = engine.runs.make("Asking", RunState.RUNNING, steps=90)
    engine.runs.make("Quiet", RunState.RUNNING, steps=90)
    write_healing(folder, Card(what="The loss stands still.", why="It fell by 0.001 in 60 steps."))
    client = await show("/")
    assert client.says("The loss stands still.")
    assert client.words().count("Asking") == 2 and client.words().count("Quiet") == 1
    await client.press("Run Asking: The loss stands still.")
    await client.until(lambda: client.page.route == "/runs/run-1")


async def test_the_worst_comes_first(show, engine: FakeEngine):
    engine.runs.make("Paused", RunState.PAUSED)
    engine.runs.make("Broken", RunState.FAILED, error=BROKE, age=1000)
    client = await show("/")
    named = [str(each.label) for each in client.find(ft.Semantics, button=True) if str(each.label).startswith("Run ")]
    assert [each.split(":")[0] for each in named] == ["Run Broken", "Run Paused"]


@pytest.mark.parametrize("runs", [0, 1])
async def test_a_disk_that_is_nearly_full_is_said_and_what_helps(show, engine: FakeEngine, runs):
    if runs:
        engine.runs.make("Done", RunState.COMPLETED, steps=200)
    client = await show("/")
    assert not client.says("nearly full")
    engine.meters.set(Meters(cpu=0.1, memory_used=1, memory_total=2, disk_free=2_100_000_000))
    await client.until(lambda: client.says("The disk is nearly full: 2.1 GB left."))
    await client.press("Look at the versions")
    await client.until(lambda: client.page.route == "/versions")


async def test_quick_actions_are_those_that_are_possible(show, engine: FakeEngine):
    furnish(engine)
    version = a_version(engine, "run-of-a-version")
    engine.runs.make("One", RunState.COMPLETED, steps=20)
    client = await show("/")
    assert not client.find(ft.TextButton, content="Compare runs")
    engine.runs.make("Two", RunState.STOPPED, steps=20)
    await client.until(lambda: client.find(ft.TextButton, content="Compare runs"))
    await client.press(f"Talk to {version.title}")
    await client.until(lambda: client.page.route == f"/playground/{version.id}")


async def test_the_sample_stays_at_hand_once_there_are_runs(show, engine: FakeEngine):
    engine.runs.make("One", RunState.COMPLETED, steps=20)
    client = await show("/")
    await client.press("Try the sample data")
    await client.until(lambda: client.says("Before the start"), 10)
