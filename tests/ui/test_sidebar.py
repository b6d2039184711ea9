"""The lists beside every page, and a page that stays itself while the window is made narrow and wide again."""

from __future__ import annotations

import re

import flet as ft
import pytest

from engine.core.settings import Settings
from engine.spec.records import RunState
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_playground import answered, ask, talking

pytestmark = pytest.mark.anyio
LISTED = re.compile("^All |, (open|folded|running|failed|completed)$")
PLAIN = {"alt": False, "shift": False, "meta": False}


@pytest.fixture(autouse=True)
def with_lists(engine: FakeEngine) -> None:
    engine.settings.set(Settings())


async def resize(client, width: int) -> None:
    client.page.width = width
    await client.event(client.page, "resize", {"width": width, "height": 900})
    await client.settle(30)


def lines(client) -> list[str]:
    """What the lists say, as a screen reader hears it."""
    said = [each.label for each in client.find(ft.Semantics, button=True) if each.label]
    return [each for each in said if LISTED.search(each)]


async def test_nothing_is_listed_in_an_empty_home(show):
    client = await show("/")
    assert not client.says("Datasets")
    assert not client.find(ft.IconButton, tooltip="Hide the lists (Ctrl+B)")


@pytest.mark.parametrize("width", [1440, 1200, 768])
async def test_runs_stand_beside_the_page_with_their_states_those_at_work_first(show, engine: FakeEngine, width):
    engine.runs.make("Older", RunState.RUNNING, steps=10, age=900)
    engine.runs.make("Newer", RunState.FAILED, steps=10, age=60)
    client = await show("/settings", width)
    said = lines(client)
    assert said[:3] == ["Runs, 2, open", "Older, running", "Newer, failed"]
    await client.press("Newer, failed")
    await client.until(lambda: client.page.route == "/runs/run-2")
    assert client.find(ft.Semantics, label="Newer, failed")[0].selected


async def test_a_long_list_shows_its_newest_and_leads_to_all(show, engine: FakeEngine):
    for number in range(12):
        engine.runs.make(f"Run {number}", RunState.COMPLETED, steps=10, age=number)
    client = await show("/help")
    assert sum(each.endswith(", completed") for each in lines(client)) == 8
    await client.press("All 12 runs")
    await client.until(lambda: client.page.route == "/runs")


async def test_a_list_folds_and_stays_folded_on_the_next_page(show, engine: FakeEngine):
    engine.runs.make("Only", RunState.COMPLETED, steps=10)
    client = await show("/help")
    await client.press("Runs, 1, open")
    await client.until(lambda: "Runs, 1, folded" in lines(client))
    await client.go("/settings")
    assert "Only, completed" not in lines(client)


async def test_a_key_closes_the_lists_for_good(show, engine: FakeEngine):
    engine.runs.make("Only", RunState.COMPLETED, steps=10)
    client = await show("/help")
    await client.event(client.page, "keyboard_event", {"key": "B", "ctrl": True, **PLAIN})
    await client.until(lambda: lines(client) == [])
    assert not engine.settings.value.side_bar
    other = await show("/help")
    assert lines(other) == []
    await other.press("Show the lists (Ctrl+B)")
    await other.until(lambda: "Only, completed" in lines(other))


async def test_on_a_phone_the_lists_open_over_the_page_and_close_with_a_choice(show, engine: FakeEngine):
    engine.runs.make("Only", RunState.COMPLETED, steps=10)
    client = await show("/help", 375)
    assert lines(client) == []
    await client.press("Lists")
    await client.until(lambda: "Only, completed" in lines(client))
    await client.press("Only, completed")
    await client.until(lambda: client.page.route == "/runs/run-1" and not client.find(ft.AlertDialog, open=True))


async def test_the_playground_lists_its_conversations(show, engine: FakeEngine):
    client = await talking(show, engine)
    await ask(client, "Do you have plums?")
    await answered(client)
    await client.until(lambda: client.find(ft.Semantics, label="Conversation Do you have plums?"))
    assert client.find(ft.Semantics, label="Conversation Do you have plums?")[0].selected
    await client.press("New conversation")
    await client.until(lambda: not client.find(ft.Semantics, label="Conversation Do you have plums?")[0].selected)
    await client.press("Conversation Do you have plums?")
    await client.until(lambda: client.says("We have plums."))


async def test_what_is_open_on_a_page_stays_open_while_the_window_changes(show, engine: FakeEngine):
    engine.runs.make("First", RunState.COMPLETED, steps=200)
    engine.runs.make("Second", RunState.FAILED, steps=20)
    client = await show("/runs")
    await client.press("Failed")
    await client.until(lambda: client.says("1 run"))
    for width in (1000, 700, 375, 1440):
        await resize(client, width)
        assert client.says("1 run"), width


async def test_a_panel_stands_beside_a_wide_page_and_below_a_narrow_one(show, engine: FakeEngine):
    engine.runs.make("First", RunState.COMPLETED, steps=200)
    client = await show("/")
    for width in (1440, 900, 375, 1440):
        await resize(client, width)
        assert client.words().count("This computer") == 1, width


async def test_a_line_is_said_once_and_whole_on_hover(show, engine: FakeEngine):
    engine.settings.set(Settings())
    engine.runs.make("Plums", RunState.RUNNING, steps=3)
    client = await show("/help")
    (said,) = client.find(ft.Semantics, label="Plums, running")
    tip = said.content.tooltip
    assert said.button and tip.message == "Plums" and tip.exclude_from_semantics
    assert said.content.content.exclude_semantics and said.hint is None
