"""Where nothing may move, nothing does: on every page, with work going on, however that was asked for."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgspec
import pytest

from engine.core.settings import Settings
from engine.spec.records import RunState
from studio.app import ROUTES
from studio.hooks import Surroundings, SurroundingsContext
from studio.kit import bar
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio
PAGES = [f"/{each.path or ''}" for each in ROUTES[0].children or () if ":" not in (each.path or "")]
ANIMATED = ("animate", "animate_opacity", "animate_size", "animate_position", "animate_offset", "animate_scale")


def moving(client: Client) -> list[str]:
    """What of the screen moves by itself or when it is touched."""
    found = [f"{type(each).__name__} goes round" for each in client.find(ft.ProgressRing) if each.value is None]
    found += [f"{each.semantics_label} runs" for each in client.find(ft.ProgressBar) if each.value is None]
    buttons: list[Any] = [*client.find(ft.FilledButton), *client.find(ft.OutlinedButton), *client.find(ft.TextButton)]
    buttons += [each for each in client.find(ft.IconButton) if each.style]
    found += [f"{each.tooltip or type(each).__name__} fades" for each in buttons if each.style.animation_duration != 0]
    for each in client.find(ft.LayoutControl):
        found += [f"{type(each).__name__}.{name}" for name in ANIMATED if getattr(each, name, None) is not None]
    found += [
        f"{type(each).__name__} scrolls"
        for kind in (ft.ListView, ft.Column)
        for each in client.find(kind)
        if each.auto_scroll and each.auto_scroll_animation != 0
    ]
    for theme in (client.page.theme, client.page.dark_theme):
        assert theme is not None
        if theme.page_transitions.linux is not ft.PageTransitionTheme.NONE:
            found.append("pages slide")
        if theme.splash_color != ft.Colors.TRANSPARENT or theme.highlight_color != ft.Colors.TRANSPARENT:
            found.append("presses spread")
    return found


@pytest.fixture
def at_work(engine: FakeEngine) -> FakeEngine:
    engine.runs.make("Shop", RunState.RUNNING, steps=10)
    engine.runs.make("Soon", RunState.INITIALIZING)
    return engine


@pytest.mark.parametrize("route", [*PAGES, "/runs/run-1", "/runs/run-2"])
async def test_no_page_moves_when_that_is_set(show, at_work: FakeEngine, route: str):
    at_work.save_settings(Settings(motion="reduced", debug=True))
    client = await show(route)
    assert client.words() and moving(client) == []


async def test_the_parts_that_wait_stand_still_too(show, at_work: FakeEngine):
    client = await show("/kit")
    before = moving(client)
    assert any("goes round" in each for each in before)
    assert "pages slide" in before and "presses spread" in before
    at_work.save_settings(msgspec.structs.replace(at_work.settings.value, motion="reduced"))
    await client.until(lambda: not moving(client))
    assert client.says("Loading…")


@pytest.mark.parametrize("motion,value", [("reduced", 0.0), ("full", None)])
async def test_a_bar_without_an_end_is_empty_where_nothing_may_move(show, engine: FakeEngine, motion, value):
    engine.save_settings(Settings(motion=motion))
    drawn = ft.component(lambda: bar(None, name="Reading"))
    client = await show("/")
    client.page.render(lambda: SurroundingsContext(Surroundings(still=motion == "reduced"), drawn))
    await client.until(lambda: client.find(ft.ProgressBar, semantics_label="Reading", value=value))


async def test_the_system_can_ask_for_it(show, at_work: FakeEngine, monkeypatch):
    async def asked(self: object) -> object:
        return msgspec.defstruct("Features", [("reduce_motion", bool, True), ("disable_animations", bool, False),
                                              ("high_contrast", bool, False)])()  # fmt: skip

    monkeypatch.setattr(ft.SemanticsService, "get_accessibility_features", asked)
    client = await show("/kit")
    await client.until(lambda: not moving(client))
    at_work.save_settings(Settings(motion="full"))
    await client.until(lambda: moving(client))
