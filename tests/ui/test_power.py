"""Pages that nobody sees, and machines on battery: fewer redraws, nothing that moves, and it is said."""

from __future__ import annotations

import anyio
import flet as ft
import msgspec
import pytest
from flet.messaging.protocol import MessageAction

from engine.core.settings import Settings
from engine.spec.records import RunState
from studio import pace
from studio.kit import fields
from studio.pace import pace_of
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


async def seen(client, visible: bool) -> None:
    await client.event(client.page, "app_lifecycle_state_change", {"state": "show" if visible else "hide"})


async def test_a_hidden_page_is_drawn_once_and_then_when_it_is_seen_again(show, engine: FakeEngine, monkeypatch):
    monkeypatch.setattr(pace, "HIDDEN_EVERY", 1000.0)
    for name in ("One", "Two", "Three"):
        engine.runs.make(name, RunState.COMPLETED)
    client = await show("/runs")
    await client.until(lambda: client.says("Three"))
    await seen(client, False)
    assert pace_of(client.page).every(0.5) == 1000.0
    engine.runs.make("Four", RunState.COMPLETED)  # what is not resting yet takes this one
    await client.settle(60)
    engine.runs.make("Five", RunState.COMPLETED)
    await client.settle(60)
    assert not client.says("Five")
    await seen(client, True)
    assert pace_of(client.page).every(0.5) == 0.5
    await client.until(lambda: client.says("Five"))


async def test_pressing_something_ends_the_idle_pace(show, engine: FakeEngine):
    client = await show("/settings")
    own = pace_of(client.page)
    own._used -= 2 * pace.IDLE_AFTER
    assert own.every(0.1) == pace.IDLE_EVERY
    await client.event(client.find(ft.DropdownM2)[0], "change", "dark")
    assert own.every(0.1) == 0.1
    own._used -= 2 * pace.IDLE_AFTER
    await client.event(
        client.page, "keyboard_event", {"key": "A", "ctrl": False, "shift": False, "alt": False, "meta": False}
    )
    assert own.every(0.1) == 0.1


async def test_the_keyboard_is_brought_back_once_where_a_new_theme_took_it(show, engine: FakeEngine, monkeypatch):
    monkeypatch.setattr(fields, "SETTLED", 0.01)
    client = await show("/settings")

    def asked() -> int:
        return sum(each.action is MessageAction.INVOKE_METHOD and each.body.name == "focus" for each in client.sent)

    async def leave() -> None:
        await client.event(client.find(ft.DropdownM2)[0], "blur")
        await anyio.sleep(0.1)

    await leave()
    assert asked() == 0
    await client.event(client.find(ft.DropdownM2)[0], "change", "dark")
    await leave()
    await client.until(lambda: asked() == 1)
    await leave()  # by the person, this time
    assert asked() == 1


@pytest.mark.parametrize("setting,on_battery,saves", [
    ("auto", True, True), ("auto", False, False), ("auto", None, False), ("on", None, True), ("off", True, False),
])  # fmt: skip
async def test_power_is_saved_as_wished_and_on_battery(show, engine: FakeEngine, setting, on_battery, saves):
    engine.save_settings(Settings(power_saving=setting))
    client = await show("/")
    engine.meters.set(msgspec.structs.replace(engine.meters.value, on_battery=on_battery))
    await client.until(lambda: client.says("Saving power") is saves)
    own = pace_of(client.page)
    assert own.every(1.0) == (pace.SAVING if saves else 1.0)
    transition = ft.PageTransitionTheme.NONE if saves else ft.PageTransitionTheme.FADE_UPWARDS
    assert client.page.theme.page_transitions.linux is transition


async def test_plugging_in_ends_it(show, engine: FakeEngine):
    client = await show("/")
    for on_battery in (True, False, True):
        engine.meters.set(msgspec.structs.replace(engine.meters.value, on_battery=on_battery))
        await client.until(lambda: client.says("Saving power") is on_battery)  # noqa: B023 - waited for at once
