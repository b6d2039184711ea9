"""Commands and quick open: by keyboard alone, from one table, with what was used last at the top."""

from __future__ import annotations

from collections import Counter
from typing import Any

import flet as ft
import pytest

from engine.spec.records import RunState
from studio.commands import COMMANDS, stroke
from studio.page_scripts import OWN_KEYS
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


async def press_keys(client: Client, keys: str) -> None:
    """Press strokes such as Ctrl+K Ctrl+S."""
    for each in keys.split(" ") if not keys.startswith(("Arrow", "Page")) else [keys]:
        *held, key = each.split("+")
        down = {name: name.capitalize() in held for name in ("ctrl", "alt", "shift", "meta")}
        await client.event(client.page, "keyboard_event", {"key": key, **down})
    await client.settle(30)


def field(client: Client) -> Any:
    return next(each for each in client.find(ft.TextField) if each.autofocus)


async def type_in(client: Client, words: str) -> None:
    await client.event(field(client), "change", words)
    await client.settle(30)


def dialog(client: Client) -> ft.AlertDialog | None:
    return next(
        (each for each in client.page._dialogs.controls if isinstance(each, ft.AlertDialog) and each.open), None
    )


def listed(client: Client) -> list[str]:
    """Entries of the open list; the chosen one has a star."""
    return [
        f"{'*' if each.selected else ''}{each.label}"
        for each in client.find(ft.Semantics, button=True)
        if isinstance(each.content, ft.TextButton) and each.content.height == 40
    ]


def test_no_two_commands_share_a_name_or_keys():
    for words in ([each.id for each in COMMANDS], [keys for each in COMMANDS for keys in each.keys]):
        assert [each for each, count in Counter(words).items() if count > 1] == []


def test_every_key_that_a_browser_would_take_is_kept_for_the_app():
    held = {each for command in COMMANDS for keys in command.keys for each in keys.split(" ") if "Alt" not in each}
    assert held == set(OWN_KEYS)


def test_cmd_is_what_ctrl_is_elsewhere():
    assert stroke("p", meta=True, shift=True) == stroke("P", ctrl=True, shift=True) == "Ctrl+Shift+P"


@pytest.mark.parametrize("keys", ["Ctrl+Shift+P", "Alt+Shift+K"])
async def test_a_command_is_found_and_done_by_keyboard_alone(show, engine: FakeEngine, keys):
    client = await show("/")
    await press_keys(client, keys)
    assert dialog(client)
    await type_in(client, "appdark")
    assert listed(client)[0] == "*Appearance: Dark"
    await client.event(field(client), "submit", "appdark")
    await client.until(lambda: dialog(client) is None)
    assert engine.settings.value.theme == "dark"


async def test_quick_open_goes_to_a_run_by_a_few_letters_and_has_it_first_the_next_time(show, engine: FakeEngine):
    for name in ("Alpha of shop", "Beta of shop", "Gamma"):
        engine.runs.make(name, RunState.COMPLETED, steps=200)
    client = await show("/")
    await press_keys(client, "Ctrl+P")
    await type_in(client, "beshop")
    assert listed(client) == ["*Beta of shop"]
    await client.event(field(client), "submit", "beshop")
    await client.until(lambda: client.page.route == "/runs/run-2")
    await press_keys(client, "Ctrl+P")
    await client.until(lambda: dialog(client))
    assert listed(client)[0] == "*Beta of shop"


async def test_up_and_down_choose_and_go_round_and_escape_closes(show, engine: FakeEngine):
    for name in ("One", "Two", "Three"):
        engine.runs.make(name, RunState.COMPLETED, steps=200)
    client = await show("/")
    await press_keys(client, "Ctrl+P")
    await type_in(client, "run,")
    chosen = []
    for key in ("Arrow Down", "Arrow Down", "Arrow Down", "Arrow Up"):
        await press_keys(client, key)
        chosen.append(next(each for each in listed(client) if each.startswith("*")))
    assert len(set(chosen[:3])) == 3 and chosen[3] == chosen[1]
    await press_keys(client, "Escape")
    await client.until(lambda: dialog(client) is None)
    assert client.page.route == "/"


async def test_only_what_can_be_done_here_is_listed(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=20)
    client = await show("/runs/run-1")
    await press_keys(client, "Ctrl+Shift+P")
    await type_in(client, "this run")
    assert {each.strip("*") for each in listed(client)} == {"This run: Pause", "This run: Save now", "This run: Stop"}
    await type_in(client, "run pause")
    await client.event(field(client), "submit", "run pause")
    await client.until(lambda: engine.runs.asked == [("pause", "run-1")])


@pytest.mark.parametrize("keys", ["F1", "Ctrl+K Ctrl+S"])
async def test_the_sheet_of_keys_names_every_command_that_has_some(show, keys):
    client = await show("/")
    await press_keys(client, keys)
    assert dialog(client)
    for command in COMMANDS:
        if command.keys:
            assert client.says(command.title), command.title
            assert client.says(command.keys[0]), command.keys


async def test_a_chord_that_is_broken_off_does_nothing(show):
    client = await show("/")
    await press_keys(client, "Ctrl+K")
    await press_keys(client, "X")
    await press_keys(client, "Ctrl+S")
    assert dialog(client) is None


async def test_a_held_modifier_does_not_break_a_chord(show):
    client = await show("/")
    await press_keys(client, "Ctrl+K")
    await client.event(
        client.page,
        "keyboard_event",
        {"key": "Control Left", "ctrl": True, "alt": False, "shift": False, "meta": False},
    )
    await press_keys(client, "Ctrl+S")
    assert dialog(client)


async def test_a_failing_command_says_so_and_the_app_goes_on(show, engine: FakeEngine, monkeypatch):
    def refuse(run_id: str) -> None:
        raise OSError("no")

    engine.runs.make("It", RunState.RUNNING, steps=20)
    monkeypatch.setattr(engine.runs, "pause", refuse)
    client = await show("/runs/run-1")
    await press_keys(client, "Ctrl+Shift+P")
    await type_in(client, "run pause")
    await client.event(field(client), "submit", "run pause")
    await client.until(lambda: client.find(ft.OutlinedButton, content="Try again"))
    assert client.crashed() == []
