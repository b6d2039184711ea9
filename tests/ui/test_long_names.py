"""A very long name takes two lines of its page, and is whole on hover."""

from __future__ import annotations

import flet as ft
import pytest

from engine.spec.records import RunState
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio
NAME = "plums " * 400


def titled(client) -> list[ft.Text]:
    """The page's title, by its size."""
    heads = [each.content for each in client.find(ft.Semantics, header=True)]
    return [each for each in heads if isinstance(each, ft.Text) and "plums plums" in each.value]


@pytest.mark.parametrize("kind", ["run", "dataset"])
async def test_a_long_name_takes_two_lines_and_is_whole_on_hover(show, engine: FakeEngine, kind: str):
    if kind == "run":
        route = f"/runs/{engine.runs.make(NAME, RunState.COMPLETED, steps=3).id}"
    else:
        sample = engine.library.samples()[0]
        route = f"/data/{(await engine.library.add(sample, NAME[:200])).id}"
    client = await show(route, 390)
    (head,) = titled(client)
    assert head.max_lines == 2 and head.overflow is ft.TextOverflow.ELLIPSIS and head.tooltip == head.value
