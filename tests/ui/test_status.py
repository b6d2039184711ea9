"""The line at the foot says what runs, what goes on in the background and what is wrong; each part opens its page."""

from __future__ import annotations

import time

import anyio
import flet as ft
import msgspec
import pytest

from engine.library import Import
from engine.runs.views import RunView
from engine.spec.records import Card, RunState
from studio.attention import LATELY_SECONDS, wrong
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


def of_kind(engine: FakeEngine, kind: str, name: str, state: RunState = RunState.RUNNING) -> None:
    """A run of another kind than training."""
    folder = engine.runs.make(name, state, steps=50)
    runs = (msgspec.structs.replace(run, kind=kind) if run.id == folder.id else run for run in engine.runs.list.value)
    engine.runs.list.set(tuple(runs))


async def test_evaluations_are_background_work_and_no_running_run(show, engine: FakeEngine):
    of_kind(engine, "evaluate", "evaluate Fruit 2")
    client = await show("/runs")
    assert client.says("No run active") and client.says("Evaluating Fruit 2, 25 %")
    of_kind(engine, "evaluate", "evaluate Fruit 3")
    engine.runs.make("Trains", RunState.RUNNING, steps=3)
    await client.until(lambda: client.says("2 evaluations") and client.says("1 running, 0 waiting"))


async def test_an_import_is_seen_while_it_goes_on(show, engine: FakeEngine, tmp_path):
    go_on, told = anyio.Event(), []

    async def slow(*_: object, on_progress, **__: object) -> object:
        told.append(on_progress)
        await go_on.wait()
        raise RuntimeError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.data.service.import_file", slow)
        client = await show("/")
        async with anyio.create_task_group() as group:
            group.start_soon(tolerated, engine, tmp_path / "fruit.csv")
            await client.until(lambda: client.says("Importing fruit.csv, 0 %"))
            told[0](type("P", (), {"done": 30, "total": 60}))
            await client.until(lambda: client.says("Importing fruit.csv, 50 %"))
            go_on.set()
        await client.until(lambda: not client.says("Importing"))


async def tolerated(engine: FakeEngine, path) -> None:
    with pytest.raises(RuntimeError):
        await engine.library.add(path)


@pytest.mark.parametrize("names, words, route", [
    ([], "No problems", "/"), (["One"], "1 problem", "/runs/run-1"), (["One", "Two"], "2 problems", "/"),
])  # fmt: skip
async def test_what_is_wrong_is_counted_and_opened(show, engine: FakeEngine, names, words: str, route: str):
    for name in names:
        engine.runs.make(name, RunState.FAILED)
    client = await show("/help")
    await client.press(words)
    assert client.page.route == route


@pytest.mark.parametrize("words, route", [("No run active", "/runs"), ("Memory 9.3 GB of 25.0 GB", "/")])
async def test_each_part_opens_its_page(show, words: str, route: str):
    client = await show("/help")
    await client.press(words)
    assert client.page.route == route


async def test_a_phone_has_a_line_only_while_something_runs_or_is_wrong(show, engine: FakeEngine):
    client = await show("/help", 390)
    assert not client.says("No run active") and not client.says("No problems")
    engine.runs.make("Trains", RunState.RUNNING, steps=3)
    await client.until(lambda: client.says("1 running, 0 waiting"))
    assert not client.says("No problems") and not client.find(ft.Semantics, label="No problems")
    engine.library.importing.set((Import(1, "x" * 100, 0.5),))
    await client.until(lambda: client.says(f"Importing {'x' * 23}…, 50 %"))


WELL = RunView(id="r", kind="train", name="r", state=RunState.PAUSED, created=0.0, updated=0.0)
CARD = Card(what="It is full.", why="", actions=())


@pytest.mark.parametrize("changes, expected", [
    ({}, False),
    ({"error": CARD}, True),
    ({"state": RunState.LOST}, True),
    ({"state": RunState.FAILED, "updated": time.time()}, True),
    ({"state": RunState.FAILED, "updated": time.time() - LATELY_SECONDS - 60}, False),
    ({"state": RunState.RUNNING}, False),
    ({"state": RunState.RUNNING, "asks": "Halve it?"}, True),
    ({"state": RunState.LOST, "kind": "host"}, False),
    ({"state": RunState.COMPLETED, "error": CARD}, False),
], ids=["paused", "asks", "lost", "failed", "long ago", "runs", "runs and asks", "a host", "completed"])  # fmt: skip
def test_what_is_wrong_with_a_run(changes: dict, expected: bool):
    assert wrong(msgspec.structs.replace(WELL, **changes), time.time()) is expected
