"""What is pressed is one thing with one name, what is explained is no button, and both show where the keyboard is."""

from __future__ import annotations

import flet as ft
import pytest

from engine.spec.records import RunState
from studio.guides import term_of
from studio.kit import Explained, Switch, body, card, card_with_tools, chip, component, muted, row
from studio.kit.pressed import AROUND, RING, Spoken, unsaid
from studio.kit.table import Head, Tick, heads
from studio.kit.terms import explained_on
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_kit import drawn

pytestmark = pytest.mark.anyio
FOCUSED = ft.ControlState.FOCUSED


def nothing() -> None:
    """What a thing under test does."""


PRESSED = {
    "card": lambda: card(ft.Row([body("Plums"), muted("480 rows")]), on_click=nothing, name="Dataset Plums"),
    "card-with-tools": lambda: card_with_tools(body("Plums"), row(), on_click=nothing, name="Dataset Plums"),
    "chip": lambda: chip("Plums", nothing),
    "head": lambda: heads([Head("Plums", "plums")], "", False, lambda key: None),
}


def line_of(button: ft.TextButton) -> ft.BorderSide:
    """The line a button has while the keyboard is on it."""
    assert button.style is not None and isinstance(button.style.side, dict)
    return button.style.side[FOCUSED]


@pytest.mark.parametrize("kind", PRESSED)
async def test_what_is_pressed_is_one_node_with_one_name(kind: str):
    @component
    def Page() -> ft.Control:
        return PRESSED[kind]()

    client = await drawn(Page)
    (said,) = client.find(Spoken, button=True)
    assert said.label and isinstance(said.parent, ft.MergeSemantics)
    button = said.content
    assert isinstance(button, ft.TextButton) and line_of(button) == RING
    assert isinstance(button.content, ft.Semantics) and button.content.exclude_semantics
    assert client.says("Plums")  # it is still seen


def test_a_description_has_what_the_name_lacks():
    inside = ft.Column([body("Plums"), ft.Row([muted("480  rows"), ft.Icon(ft.Icons.CHECK, semantics_label="good")])])
    assert unsaid(ft.Container(inside), "Dataset Plums") == "480 rows, good"
    assert unsaid(ft.Container(), "x") == ""


@pytest.mark.parametrize("selected", [False, True])
def test_the_line_of_what_has_a_blue_edge_stands_off_it(selected: bool):
    made = chip("Plums", nothing, selected=selected)
    assert isinstance(made, ft.MergeSemantics) and isinstance(made.content, Spoken)
    assert isinstance(made.content.content, ft.TextButton)
    assert line_of(made.content.content) == (AROUND if selected else RING)


async def test_a_term_is_no_button_and_its_meaning_is_a_description():
    known = term_of("rank")
    assert known is not None

    @component
    def Page() -> ft.Control:
        return Explained("Rank", known, "How many directions.")

    client = await drawn(Page)
    (said,) = client.find(Spoken)
    assert said.label == "Rank" and not said.button and said.focusable and said.exclude_semantics
    assert said.hint and "How many directions." in said.hint and known.meaning in said.hint
    assert isinstance(said.content, ft.TextButton) and line_of(said.content) == AROUND
    assert isinstance(said.content.tooltip, ft.Tooltip) and said.content.tooltip.exclude_from_semantics
    await client.event(said.content, "focus")
    assert client.find(Spoken)[0].focused and explained_on(client.page).value is known
    assert not client.says(known.meaning)  # what grew here would move its neighbours, and Tab goes by place
    await client.event(client.find(ft.TextButton)[0], "click")
    assert client.says(known.meaning)
    await client.event(client.find(ft.TextButton)[0], "blur")
    assert not client.find(Spoken)[0].focused and not client.says(known.meaning)
    assert explained_on(client.page).value is None


@pytest.mark.parametrize("width", [1440, 390])
async def test_a_term_with_the_focus_is_explained_once_at_every_width(show, engine: FakeEngine, width: int):
    """In the status strip, or below its word where everything stands in one column and there is none."""
    folder = engine.runs.make("Plums", RunState.STOPPED, steps=20)
    client = await show(f"/runs/{folder.id}", width)
    await client.until(lambda: client.find(Spoken, label="Loss now"))
    await client.event(client.find(Spoken, label="Loss now")[0].content, "focus")
    await client.settle(20)
    meaning = str(client.find(Spoken, label="Loss now")[0].hint).partition("\n")[0].removeprefix("Loss: ")
    assert client.words().count(meaning) == 1
    await client.event(client.find(Spoken, label="Loss now")[0].content, "blur")
    await client.until(lambda: not client.says(meaning))


@pytest.mark.parametrize("kind", [ft.Switch, ft.Checkbox])
async def test_a_switch_and_a_tick_show_where_the_keyboard_is(kind: type[ft.Control]):
    @component
    def Page() -> ft.Control:
        return Switch(True, lambda on: None, "On") if kind is ft.Switch else Tick("On", True, lambda on: None)

    def ringed(client: Client) -> bool:
        box = client.find(kind)[0].parent
        assert isinstance(box, ft.Container) and box.border is not None
        return box.border.top == RING

    client = await drawn(Page)
    assert not ringed(client)
    await client.event(client.find(kind)[0], "focus")
    assert ringed(client)
    await client.event(client.find(kind)[0], "blur")
    assert not ringed(client)


async def test_a_run_in_the_list_is_said_once_and_described(show, engine: FakeEngine):
    engine.runs.make("Plums", RunState.STOPPED, steps=20)
    client = await show("/")
    await client.until(lambda: client.find(Spoken, label="Run Plums, stopped"))
    hint = client.find(Spoken, label="Run Plums, stopped")[0].hint
    assert hint is not None and "loss" in hint and "Plums" not in hint.split(", ")
