"""The list of runs: sorted, told several things at once, deleted with a way back, and quick with ten thousand."""

from __future__ import annotations

import asyncio

import flet as ft
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.settings import Settings
from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.kit.table import window
from studio.pages.runs import SORTS, in_order
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def short_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.undo.SECONDS", 0.2)


async def tick(client: Client, name: str) -> None:
    await client.event(client.find(ft.Checkbox, tooltip=f"Choose {name}")[0], "change", True)


def names(client: Client) -> list[str]:
    """The runs that the list shows, from top to bottom."""
    box = next((each for each in client.find(ft.ListView) if each.on_scroll), None)
    rows = box.controls[1:-1] if box else []
    labels = [row.content.controls[1].content.label for row in rows]  # type: ignore[attr-defined]
    return [label.removeprefix("Run ").rpartition(", ")[0] for label in labels]


async def undo(client: Client) -> None:
    bar = next(each for each in client.page._dialogs.controls if isinstance(each, ft.SnackBar) and each.action)
    await client.event(bar.action, "click")


@given(st.floats(0, 1e9), st.floats(100, 2000), st.integers(20, 200), st.integers(1, 20_000))
def test_a_window_has_every_row_that_is_seen_and_few_others(pixels: float, height: float, row: int, count: int):
    pixels = min(pixels, max(0.0, count * row - height))
    shown = window(pixels, height, row, count)
    seen = range(int(pixels // row), min(count, int((pixels + height) // row) + 1))
    assert shown.start <= seen.start and seen.stop <= shown.stop
    assert len(shown) <= height / row + 40


@given(
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.floats(0, 9)), max_size=20),
    st.sampled_from(list(SORTS)),
    st.booleans(),
)
def test_sorting_loses_no_run_and_puts_those_without_the_number_last(made, sort: str, descending: bool):
    runs = [
        RunView(id=str(place), kind="train", name=name, state=RunState.COMPLETED, created=place, updated=0, loss=loss)
        for place, (name, loss) in enumerate(made)
    ]
    found = in_order(runs, sort, descending)
    assert sorted(each.id for each in found) == sorted(each.id for each in runs)
    values = [SORTS[sort][1](each) for each in found]
    there = [each for each in values if each is not None]
    assert values[: len(there)] == sorted(there, reverse=descending)


async def test_a_head_sorts_and_turns_round(show, engine: FakeEngine):
    for name in ("beta", "Alpha", "gamma"):
        engine.runs.make(name, RunState.COMPLETED, steps=20)
    client = await show("/runs")
    await client.press("Sort by name")
    assert names(client) == ["Alpha", "beta", "gamma"]
    await client.press("Sort by name, rising")
    assert names(client) == ["gamma", "beta", "Alpha"]


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (1440, {"name", "state", "loss", "progress", "started"}),
        (900, {"name", "state", "loss", "started"}),  # beside the lists, a name keeps room to be read
        (390, set[str]()),  # sorted by a drop-down
    ],
)
async def test_the_columns_are_those_that_there_is_room_for(show, engine: FakeEngine, width: int, heads: set[str]):
    engine.settings.set(Settings(side_bar=True))
    engine.runs.make("One", RunState.COMPLETED, steps=20)
    client = await show("/runs", width)
    said = [str(each.label) for each in client.find(ft.Semantics) if str(each.label).startswith("Sort by ")]
    assert {words.removeprefix("Sort by ").split(",")[0] for words in said} == heads


async def test_several_runs_are_stopped_at_once(show, engine: FakeEngine):
    for name in ("One", "Two", "Three"):
        engine.runs.make(name, RunState.RUNNING, steps=20)
    client = await show("/runs")
    await tick(client, "One")
    await tick(client, "Three")
    await client.press("Stop 2 runs")
    assert sorted(engine.runs.asked) == [("stop", "run-1"), ("stop", "run-3")]


async def test_deleted_runs_go_when_nobody_undoes_it(show, engine: FakeEngine):
    for name in ("One", "Two"):
        engine.runs.make(name, RunState.COMPLETED, steps=20)
    client = await show("/runs")
    await tick(client, "One")
    task = asyncio.create_task(client.press("Delete 1 run"))
    await client.until(lambda: names(client) == ["Two"])
    assert engine.runs.asked == []
    await task
    await client.until(lambda: engine.runs.asked == [("delete", "run-1")])
    assert names(client) == ["Two"]


async def test_undo_keeps_them(show, engine: FakeEngine):
    engine.runs.make("One", RunState.COMPLETED, steps=20)
    engine.runs.make("Two", RunState.COMPLETED, steps=20)
    client = await show("/runs")
    await tick(client, "One")
    task = asyncio.create_task(client.press("Delete 1 run"))
    await client.until(lambda: names(client) == ["Two"])
    await undo(client)
    await client.until(lambda: len(names(client)) == 2)
    await task
    assert engine.runs.asked == []


@pytest.mark.parametrize("count,offered", [(1, False), (2, True), (5, True), (6, False)])
async def test_two_to_five_runs_can_be_compared(show, engine: FakeEngine, count: int, offered: bool):
    for place in range(6):
        engine.runs.make(f"R{place}", RunState.COMPLETED, steps=20)
    client = await show("/runs")
    for place in range(count):
        await tick(client, f"R{place}")
    assert bool(client.find(ft.TextButton, content="Compare")) is offered
    if count == 2:
        await client.press("Compare")
        await client.until(lambda: client.page.route == "/compare?ids=run-2,run-1")


async def test_ten_thousand_runs_make_a_screenful_of_rows(show, engine: FakeEngine):
    engine.runs.make("First", RunState.COMPLETED, steps=20)
    one = engine.runs.list.value[0]
    many = tuple(msgspec.structs.replace(one, id=f"x{n}", name=f"Run {n:05}", created=float(-n)) for n in range(10_000))
    engine.runs.list.set(many)
    client = await show("/runs")
    await client.until(lambda: client.says("10,000 runs") or client.says("10\u202f000 runs"))
    assert len(names(client)) < 60
    box = next(each for each in client.find(ft.ListView) if each.on_scroll)
    await client.scroll(box, 300_000.0)
    await client.until(lambda: "Run 05000" in names(client))
    assert len(names(client)) < 60


async def test_runs_are_found_by_model_and_by_when_they_were_started(show, engine: FakeEngine):
    engine.runs.make("Old", RunState.COMPLETED, steps=20, age=40 * 86_400)
    engine.runs.make("New", RunState.COMPLETED, steps=20, age=60)
    new, old = engine.runs.list.value
    engine.runs.list.set((new, msgspec.structs.replace(old, model="other")))
    client = await show("/runs")
    days, model = client.find(ft.DropdownM2)[:2]
    await client.event(days, "change", "30")
    await client.until(lambda: client.says("New") and not client.says("Old"))
    await client.event(client.find(ft.DropdownM2)[0], "change", "")
    await client.event(client.find(ft.DropdownM2)[1], "change", "other")
    await client.until(lambda: client.says("Old") and not client.says("New"))
    assert model.options[0].text == "Any model"


async def test_all_that_fit_are_chosen_at_once_and_told_each_what_it_can_do(show, engine: FakeEngine):
    engine.runs.make("Going", RunState.RUNNING, steps=20)
    engine.runs.make("Resting", RunState.PAUSED, steps=20)
    client = await show("/runs")
    await client.press("Choose all")
    await client.press("Pause 1 run")
    await client.press("Resume 1 run")
    assert engine.runs.asked == [("pause", "run-1"), ("resume", "run-2")]
