"""Long lists: only the rows near what is seen are made, however many there are, and a line of column heads.

Flet sends every control of a list to the client; ten thousand rows would take seconds at each change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import flet as ft
import msgspec

from studio.hooks import use_task
from studio.kit import later, text
from studio.kit.guard import act, component
from studio.kit.pressed import pressable, ringed, use_ring
from studio.theme import S1, S2, S3, SMALL, Ink

AHEAD = 6
"""Rows made above and below those that are seen."""
RULE = ft.Border.only(bottom=ft.BorderSide(1, Ink.BORDER))
"""The line under a row."""
BLOCK = 6
"""The window moves by so many rows at once."""
Row = tuple[object, ft.Control]
Known = dict[str, Row]


def seen(pixels: float, height: float, row_height: int, count: int) -> range:
    """The rows that are seen at this place of the scroll."""
    first = int(pixels // row_height)
    return range(max(0, min(first, count - 1)), min(count, max(0, first + int(height // row_height) + 2)))


def window(pixels: float, height: float, row_height: int, count: int) -> range:
    """The rows to make: those seen at this place of the scroll, and some more on both sides."""
    first = int(pixels // row_height) // BLOCK * BLOCK - AHEAD
    last = first + AHEAD * 2 + BLOCK + int(height // row_height) + 1
    return range(max(0, min(first, count - 1)), min(count, max(0, last)))


@component
def Rows(
    count: int,
    draw: Callable[[int], ft.Control],
    row_height: int,
    height: int,
    mark: Callable[[int], tuple[str, object]] | None = None,
) -> Any:
    """Rows of one height in a box that scrolls; `draw` makes the row of a number.

    `mark` tells whose row it is, and what of that is drawn: a row is made again only when the second changes (Flet
    passes over a control that is the same object), and moves with the first when a list is sorted or filtered.
    """
    known: Any = ft.use_ref(Known())
    at = ft.use_ref(0.0)
    shown, show = ft.use_state(lambda: seen(0, height, row_height, count))
    _, draw_again = ft.use_state(0)
    leaps: Any = ft.use_ref(0)

    async def make_more() -> None:
        """Of a page that opens, after a leap, or of other rows, those that are seen come first, then those around."""
        await anyio.sleep(later.BELOW_SECONDS)
        show(lambda _: window(at.current or 0.0, height, row_height, count))
        draw_again(lambda times: times + 1)

    shown = range(min(shown.start, max(0, count - 1)), min(shown.stop, count)) if shown.start < count else range(0)
    if not shown and count:
        shown = window(0, height, row_height, count)

    def scrolled(event: Any) -> None:
        at.current = float(event.pixels)
        here = seen(at.current, height, row_height, count)
        far = here.start >= shown.stop or here.stop <= shown.start
        show(lambda _: here if far else window(at.current or 0.0, height, row_height, count))
        leaps.current += far

    marks = {place: mark(place) if mark else (str(place), None) for place in shown}
    near = seen(at.current or 0.0, height, row_height, count)
    near = range(max(near.start, shown.start), min(near.stop, shown.stop))
    if mark and _mostly_new(known.current, [marks[place] for place in near]):
        shown, marks = near, {place: marks[place] for place in near}
        leaps.current += 1
    use_task(make_more, [leaps.current])
    above, below = shown.start * row_height, (count - shown.stop) * row_height
    known.current = {
        whose: _row(known.current if mark else {}, whose, drawn, lambda place=place: draw(place), row_height)
        for place, (whose, drawn) in marks.items()
    }
    made = [control for _, control in known.current.values()]
    return ft.ListView(
        [ft.Container(height=above, key="above"), *made, ft.Container(height=below, key="below")],
        height=min(height, count * row_height),
        spacing=0,
        on_scroll=act(scrolled),
        scroll_interval=60,
        build_controls_on_demand=False,
    )


def _mostly_new(known: Known, marks: Sequence[tuple[str, object]]) -> bool:
    """Whether most of these rows are others than there were."""
    kept = sum(whose in known and known[whose][0] == drawn for whose, drawn in marks)
    return bool(known) and 2 * kept < len(marks)


def _row(known: Known, whose: str, drawn: object, draw: Callable[[], ft.Control], height: int) -> Row:
    """A row with what is drawn of it: the one there was, where it still holds."""
    before = known.get(whose)
    if before is not None and before[0] == drawn:
        return before
    return drawn, ft.Container(draw(), height=height, key=whose, border=RULE)


class Head(msgspec.Struct, frozen=True):
    """A column: its name, the key it sorts by (none when it does not), and its width (none takes what is left)."""

    name: str
    key: str = ""
    width: int | None = None


def heads(columns: Sequence[Head], sorted_by: str, descending: bool, sort: Callable[[str], object]) -> ft.Control:
    """A line of column heads; pressing one sorts by it."""
    return ft.Row([_head(each, sorted_by, descending, sort) for each in columns], spacing=S3)


def _head(column: Head, sorted_by: str, descending: bool, sort: Callable[[str], object]) -> ft.Control:
    words: ft.Control = text.muted(column.name, no_wrap=True)
    if column.key:
        here = column.key == sorted_by
        arrow = ft.Icons.ARROW_DOWNWARD if descending else ft.Icons.ARROW_UPWARD
        face: list[ft.Control] = [ft.Text(column.name, size=SMALL, color=Ink.TEXT if here else Ink.MUTED, no_wrap=True)]
        if here:
            face.append(ft.Icon(arrow, size=14, color=Ink.MUTED))
        how = (", falling" if descending else ", rising") if here else ""
        words = pressable(
            ft.Row(face, spacing=S1, tight=True),
            lambda: sort(column.key),
            name=f"Sort by {column.name.lower()}{how}",
            selected=here,
            padding=ft.Padding.symmetric(horizontal=2, vertical=4),
        )
    return ft.Container(words, width=column.width, expand=column.width is None)


@component
def Tick(name: str, value: bool, on_change: Callable[[bool], object], width: int | None = None) -> Any:
    """A box to tick, named for screen readers."""
    focused, told = use_ring()
    box = ft.Checkbox(
        value=value, on_change=act(lambda: on_change(not value)), active_color=Ink.ACTION, tooltip=name, **told
    )
    return ft.MergeSemantics(content=ringed(box, focused, width))


def figures(
    heads: Sequence[str | ft.Control], rows: Sequence[Sequence[str | ft.Control]], widths: Sequence[int]
) -> ft.Control:
    """A table of figures with named columns; it scrolls sideways where there is no room."""
    lines: list[ft.Control] = [_line([text.muted(each) if isinstance(each, str) else each for each in heads], widths)]
    for cells in rows:
        drawn = [text.body(cell) if isinstance(cell, str) else cell for cell in cells]
        lines.append(_line(drawn, widths, rule=True))
    table = ft.Column(lines, spacing=0, tight=True)
    return ft.Row([table], scroll=ft.ScrollMode.AUTO)


def _line(cells: Sequence[ft.Control], widths: Sequence[int], *, rule: bool = False) -> ft.Control:
    boxes: list[ft.Control] = [ft.Container(cell, width=width) for cell, width in zip(cells, widths, strict=True)]
    return ft.Container(
        ft.Row(boxes, spacing=S3, vertical_alignment=ft.CrossAxisAlignment.CENTER),
        border=ft.Border.only(top=ft.BorderSide(1, Ink.BORDER)) if rule else None,
        padding=ft.Padding.symmetric(vertical=S2),
    )
