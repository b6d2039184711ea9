"""What is made a moment later: the page stands first, and what is there in a moment shows no sign of coming."""

from __future__ import annotations

from typing import cast

import anyio
import flet as ft
import pytest

from studio.kit import Below, body, component, loading
from studio.kit.table import Rows
from tests.ui.client import drawn

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def slowly(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.kit.later.BELOW_SECONDS", 0.3)
    monkeypatch.setattr("studio.kit.later.SKELETON_SECONDS", 0.3)


async def test_what_lies_below_comes_once_the_page_stands():
    @component
    def Page() -> ft.Control:
        return ft.Column([body("first"), Below([body("below")])])

    client = await drawn(Page)
    assert client.says("first") and not client.says("below")
    await client.until(lambda: client.says("below"))


async def test_a_skeleton_is_shown_only_for_what_takes_longer():
    @component
    def Page() -> ft.Control:
        here, come = ft.use_state("")

        async def load() -> None:
            await anyio.sleep(0.6)
            come("here")

        ft.use_effect(load, [], cleanup=lambda: None)
        return body(here) if here else loading("Reading")

    client = await drawn(Page)
    assert not client.says("Reading…")
    await client.until(lambda: client.says("Reading…"))
    await client.until(lambda: client.says("here"))
    assert not client.says("Reading…")


async def test_of_a_long_list_the_rows_that_are_seen_come_first():
    @component
    def Page() -> ft.Control:
        return Rows(1000, lambda place: body(f"Row {place}"), 20, 200)

    client = await drawn(Page)
    assert client.says("Row 11") and not client.says("Row 12")
    await client.until(lambda: client.says("Row 20"))
    assert not client.says("Row 100")
    box = client.find(ft.ListView)[0]
    await client.scroll(box, 10_000.0)  # a leap
    assert client.says("Row 511") and not client.says("Row 512") and not client.says("Row 499")
    await client.until(lambda: client.says("Row 512") and client.says("Row 499"))
    await client.scroll(box, 10_100.0)
    assert client.says("Row 520")


async def test_of_other_rows_those_that_are_seen_come_first():
    made: list[str] = []

    @component
    def Page() -> ft.Control:
        kind, set_kind = ft.use_state("plum")

        def draw(place: int) -> ft.Control:
            made.append(f"{kind} {place}")
            return body(made[-1])

        rows = Rows(10_000, draw, 20, 200, lambda place: (f"{kind} {place}", None))
        return ft.Column([ft.TextButton("Pears", on_click=lambda: set_kind("pear")), rows])

    client = await drawn(Page)
    await client.until(lambda: client.says("plum 20"))
    await client.scroll(client.find(ft.ListView)[0], 2_000.0)
    await client.until(lambda: client.says("plum 95"))
    made.clear()
    await client.press("Pears")
    assert made == [f"pear {place}" for place in range(100, 112)]
    assert not client.says("plum")
    box = client.find(ft.ListView)[0]
    assert [cast("ft.Container", box.controls[at]).height for at in (0, -1)] == [100 * 20, (10_000 - 112) * 20]
    await client.until(lambda: client.says("pear 95") and client.says("pear 113"))
    assert len(made) == len(set(made))


async def test_a_row_moves_with_what_it_is_of_and_is_made_anew_only_when_that_changed():
    made: list[str] = []
    names = ["b", "c", "a"]

    @component
    def Page() -> ft.Control:
        order, set_order = ft.use_state(names)
        shout, set_shout = ft.use_state("")

        def draw(place: int) -> ft.Control:
            made.append(order[place])
            return body(order[place].upper() if order[place] == shout else order[place])

        return ft.Column(
            [
                ft.TextButton("Sort", on_click=lambda: set_order(sorted(names))),
                ft.TextButton("Shout", on_click=lambda: set_shout("c")),
                Rows(3, draw, 20, 200, lambda place: (order[place], order[place] == shout)),
            ]
        )

    client = await drawn(Page)
    await client.press("Sort")
    assert client.words()[-3:] == ["b", "c", "a"] and made == names  # the controls there were, in another order
    rows = [each.key for each in client.find(ft.ListView)[0].controls]
    assert rows == ["above", "a", "b", "c", "below"]
    await client.press("Shout")
    assert client.says("C") and made == [*names, "c"]
