"""Technical terms are explained on the page where they stand: on hover, on keyboard focus, on a press."""

from __future__ import annotations

import re

import flet as ft
import pytest

from engine.spec.fields import settings_of
from engine.spec.methods import METHODS
from engine.spec.records import RunState
from engine.spec.runspec import Training
from studio.guides import Term, guides, term_of, terms_in
from studio.kit.pressed import Spoken
from studio.places import HELP, PLACES, SETTINGS
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_data import support
from tests.ui.test_results import version
from tests.ui.test_wizard import at_settings

pytestmark = pytest.mark.anyio
UNITS = {each.unit for kind in (Training, *METHODS.values()) for each in settings_of(kind).values()}
LONGEST_LABEL = 4
"""Words; a text of more is a sentence, and what ends in a full stop is one, too."""


def labels(client: Client) -> set[str]:
    """What names something on the screen: of fields, and short texts that are neither a value nor a unit."""
    fields = [*client.find(ft.TextField), *client.find(ft.DropdownM2), *client.find(ft.Switch)]
    texts = [str(each.value) for each in client.find(ft.Text) if not each.spans and not in_card(client, each)]
    short = {each for each in texts if len(each.split()) <= LONGEST_LABEL and not re.search(r"\d|\.$|·", each)}
    return {str(each.label) for each in fields if each.label} | short - UNITS


def in_card(client: Client, text: ft.Text) -> bool:
    """Whether it stands on something that is pressed as a whole, or is one to choose: that says itself what it is."""
    parent = text.parent
    while parent is not None:
        pressed = isinstance(parent, ft.MergeSemantics) and isinstance(parent.content, Spoken)
        if pressed or isinstance(parent, ft.dropdownm2.Option):
            return True
        parent = parent.parent
    return False


def explained(client: Client, term: Term) -> bool:
    """Whether something on the screen says on hover what a term means, with its example."""
    controls = [*client.find(ft.TextButton), *client.find(ft.TextField), *client.find(ft.DropdownM2)]
    found = [each.tooltip for each in (*controls, *client.find(ft.Switch))]
    tips = [each.message for each in found if isinstance(each, ft.Tooltip)]
    return any(term.meaning in tip and term.example in tip for tip in tips)


async def test_every_term_in_a_label_of_the_wizard_is_explained_there(show, tmp_path):
    client = await at_settings(show, tmp_path)
    await client.press("Why this much?")
    await client.press(
        next(str(each.content) for each in client.find(ft.TextButton) if "Show all" in str(each.content))
    )
    found: set[str] = set()
    for step in ("Settings", "Review"):
        if step == "Review":
            await client.press("Continue to Review")
            await client.until(lambda: client.says("Before the start"))
        named = {(each, label) for label in labels(client) for each in terms_in(label)}
        assert [(each.term, label) for each, label in named if not explained(client, each)] == [], step
        found |= {each.term for each, _ in named}
    assert {"Rank", "Learning rate", "Method", "Objective", "LoRA", "Gradient", "Weight", "Batch size"} <= found


async def test_a_field_explains_its_term_while_it_has_the_focus(show, tmp_path):
    client = await at_settings(show, tmp_path)
    rank = term_of("rank")
    assert rank is not None
    field = client.find(ft.TextField, label="Rank")[0]
    assert isinstance(field.tooltip, ft.Tooltip) and rank.meaning in field.tooltip.message
    assert not client.says(rank.meaning)
    assert field.label_style and field.label_style.decoration_style is ft.TextDecorationStyle.DOTTED
    await client.event(field, "focus")
    assert client.says(rank.meaning) and client.says(f"Example: {rank.example}")
    assert client.find(ft.TextField, label="Rank")[0].value == field.value
    await client.event(client.find(ft.TextField, label="Rank")[0], "blur")
    assert not client.says(rank.meaning)


@pytest.mark.parametrize("event", ["focus", "click"])
async def test_a_word_is_explained_by_keyboard_and_by_touch(show, tmp_path, event):
    client = await at_settings(show, tmp_path)
    word = next(each for each in client.find(ft.Text) if each.value == "Weights trained")
    assert word.style and word.style.decoration_style is ft.TextDecorationStyle.DOTTED
    button = word.parent
    await client.event(button, event)
    assert client.says("Example: ")
    await client.event(button, "blur")
    assert not client.says("Example: ")


def on_page(client: Client) -> set[str]:
    """What names something on the page itself; the names of places stand in the frame around every page."""
    places = {each.name for each in (*PLACES, HELP, SETTINGS)}
    return labels(client) - places - {each.title for each in guides()}


async def furnished(engine: FakeEngine, kind: str) -> str:
    """The address of a page of this kind with something on it."""
    if kind == "run":
        return f"/runs/{engine.runs.make('It', RunState.RUNNING, steps=40).id}"
    if kind == "dataset":
        return f"/data/{(await support(engine)).id}"
    if kind == "playground":
        engine.outcomes.versions.set((version(),))
    return f"/{kind}"


@pytest.mark.parametrize("kind", ["run", "dataset", "playground", "settings", "models", "runs", "exports"])
async def test_every_term_that_names_something_on_a_page_is_explained_there(show, engine: FakeEngine, kind: str):
    client = await show(await furnished(engine, kind))
    await client.settle(60)
    if kind == "playground":
        await client.press("Show all settings")
    if kind == "dataset":
        await client.press("Findings")
    named = {(term, label) for label in on_page(client) for term in terms_in(label)}
    assert [(term.term, label) for term, label in named if not explained(client, term)] == []
    assert named or kind in ("models", "runs", "exports", "dataset", "settings")
