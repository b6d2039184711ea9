"""Help on the screens: found by words, reached from every error, terms explained without a mouse."""

from __future__ import annotations

import flet as ft
import pytest

from engine.spec.records import Card, RunState
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("width", [1440, 390])
async def test_help_is_searched_and_read(show, width):
    client = await show("/help", width)
    assert client.says("First steps") and client.says("QLoRA")
    await client.type("Search guides and glossary", "held-out")
    assert not client.says("QLoRA")
    await client.type("Search guides and glossary", "curve")
    await client.press("Reading the curve")
    await client.until(lambda: client.page.route == "/help/curve")
    await client.until(lambda: client.find(ft.Markdown))
    assert "Held-out rows" in str(client.find(ft.Markdown)[0].value)


async def test_nothing_found_says_so(show):
    client = await show("/help")
    await client.type("Search guides and glossary", "zebra crossing")
    assert client.says("Nothing fits.")


async def test_a_guide_that_is_not_there_leads_back(show):
    client = await show("/help/gone")
    assert client.says("There is no such guide.")
    await client.press("All guides")
    await client.until(lambda: client.page.route == "/help")


async def test_an_error_leads_to_its_guide(show, engine: FakeEngine):
    engine.runs.make("It", RunState.FAILED, steps=5, error=Card(what="It broke.", why="So.", help="anomalies"))
    client = await show("/runs/run-1")
    await client.press("Get help")
    await client.until(lambda: client.says("When a run notices something"))


async def test_a_term_is_explained_when_it_is_pressed(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=5)
    client = await show("/runs/run-1")
    await client.press("Settings")
    button = next(each for each in client.find(ft.TextButton) if "Example: 8 learns a tone" in str(each.tooltip))
    await client.event(button, "click")
    await client.until(lambda: client.says("How many directions an adapted layer may change in."))
    assert client.says("Example: 8 learns a tone, 64 more detail.")
