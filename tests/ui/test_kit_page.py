"""The living page and the app's log: every piece is drawn in every width, and secrets do not reach the screen."""

from __future__ import annotations

import ast
import inspect
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.settings import Settings
from studio import kit
from studio.kit.blocks import GONE, NEW, SAME, difference
from studio.pages import kit as page
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio
WORDS = {
    "ago", "amount", "duration", "duration_range", "gigabytes", "named", "percent", "plural", "share_words", "short",
}  # fmt: skip
"""These only word a number or a name."""
HELPERS = {"act", "pieces", "rightward", "use_tip"}
"""A guard of handlers, the parts and the direction of a text, and what a field tells of itself: they draw nothing."""
TEXT = st.lists(st.text("abc", max_size=3), max_size=8).map("\n".join)


@pytest.mark.parametrize("width", [1440, 768, 320])
async def test_every_piece_is_drawn(show, width):
    client = await show("/kit", width)
    await client.until(lambda: client.says("Made a moment later."))
    for words in ("Design system", "Row 1", "The disk is full.", "A chosen box.", "rank 16"):
        assert client.says(words), words
    assert not client.says("Something went wrong")


def test_no_piece_of_the_kit_is_forgotten_on_its_page():
    called = {node.id for node in ast.walk(ast.parse(inspect.getsource(page))) if isinstance(node, ast.Name)}
    drawn = set(kit.__all__) - WORDS - HELPERS
    assert drawn - called == set()
    assert set(kit.__all__) >= WORDS | HELPERS  # none is listed that is there no more


@given(TEXT, TEXT)
def test_a_difference_has_both_texts_in_it(before: str, after: str):
    lines = difference(before, after)
    assert [each.words for each in lines if each.sign in (SAME, GONE)] == before.splitlines()
    assert [each.words for each in lines if each.sign in (SAME, NEW)] == after.splitlines()


async def test_the_apps_log_is_shown_in_debug_mode_alone_and_without_secrets(show, engine: FakeEngine):
    plain = await show("/settings")
    assert not plain.says("The app's log")
    engine.save_settings(Settings(debug=True))
    client = await show("/settings")
    await client.until(lambda: client.says("The app's log"))
    await client.settle(40)
    logging.getLogger("studio.test").warning("token=hf_abcdefghijklmnop and <b>words</b>")
    await client.until(lambda: client.says("<b>words</b>"))
    assert client.says("[redacted]") and not client.says("hf_abcdefghijklmnop")
    await client.press("Errors")
    await client.until(lambda: not client.says("<b>words</b>"))


async def test_leaving_the_page_stops_listening(show, engine: FakeEngine):
    engine.save_settings(Settings(debug=True))
    before = len(logging.getLogger().handlers)
    client = await show("/settings")
    await client.until(lambda: len(logging.getLogger().handlers) == before + 1)
    await client.go("/runs")
    await client.until(lambda: len(logging.getLogger().handlers) == before)
