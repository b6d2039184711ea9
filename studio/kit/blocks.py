"""Larger pieces: code with a copy button, the difference between two texts, and two panes with a movable line."""

from __future__ import annotations

import difflib
from typing import Any

import flet as ft
import msgspec

from studio.kit import text
from studio.kit.buttons import icon_button
from studio.kit.guard import act, component, toast
from studio.theme import RADIUS_CARD, S1, S2, S3, Ink

SAME, GONE, NEW = " ", "−", "+"
LEAST_SHARE = 0.15


@component
def CodeBlock(words: str, name: str = "Code") -> Any:
    """Text to take along, shown as it is."""
    clipboard = ft.use_memo(ft.Clipboard, [])

    async def copy() -> None:
        await clipboard.set(words)
        toast("Copied.")

    shown = ft.Container(text.code(words), expand=True)
    return ft.Container(
        ft.Row(
            [shown, icon_button(ft.Icons.CONTENT_COPY, f"Copy {name.lower()}", copy)],
            vertical_alignment=ft.CrossAxisAlignment.START,
        ),
        bgcolor=Ink.SURFACE,
        border=ft.Border.all(1, Ink.BORDER),
        border_radius=RADIUS_CARD,
        padding=S3,
    )


class DiffLine(msgspec.Struct, frozen=True):
    """A line and what became of it: same, gone, new."""

    sign: str
    words: str


def difference(before: str, after: str) -> list[DiffLine]:
    """The lines of both texts in one list."""
    signs = {"  ": SAME, "- ": GONE, "+ ": NEW}
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [DiffLine(signs[line[:2]], line[2:]) for line in lines if line[:2] in signs]


@component
def Diff(before: str, after: str) -> Any:
    """What changed, line by line; the sign says it as well as the colour."""
    grounds = {SAME: None, GONE: Ink.RED_TINT, NEW: Ink.GREEN_TINT}
    rows: list[ft.Control] = [
        ft.Container(
            ft.Row(
                [text.code(each.sign, selectable=False), ft.Container(text.code(each.words), expand=True)], spacing=S2
            ),
            bgcolor=grounds[each.sign],
            padding=ft.Padding.symmetric(horizontal=S2, vertical=S1),
        )
        for each in difference(before, after)
    ]
    return ft.Column(rows, spacing=0, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Split(left: ft.Control, right: ft.Control, width: int, share: float = 0.5) -> Any:
    """Two panes beside each other; the line between them is dragged, or moved by the buttons on it."""
    at, put = ft.use_state(share)

    def move(pixels: float) -> None:
        put(lambda now: min(1 - LEAST_SHARE, max(LEAST_SHARE, now + pixels / width)))

    handle = ft.GestureDetector(
        ft.Container(width=8, height=48, bgcolor=Ink.TRACK, border_radius=4),
        mouse_cursor=ft.MouseCursor.RESIZE_LEFT_RIGHT,
        drag_interval=30,
        on_horizontal_drag_update=act(lambda event: move(float(event.primary_delta or 0))),
    )
    line = ft.Column(
        [
            icon_button(ft.Icons.CHEVRON_LEFT, "Narrower left pane", lambda: move(-width * 0.05)),
            handle,
            icon_button(ft.Icons.CHEVRON_RIGHT, "Wider left pane", lambda: move(width * 0.05)),
        ],
        spacing=0,
        horizontal_alignment=ft.CrossAxisAlignment.CENTER,
        tight=True,
    )
    weight = round(at * 100)
    return ft.Row([ft.Container(left, expand=weight), line, ft.Container(right, expand=100 - weight)], spacing=S1)


def offline(what: str, waiting: int = 0) -> ft.Control:
    """A part that needs a network while there is none; what was to be sent waits."""
    from studio.kit.states import notice

    later = f" {waiting} waiting to be sent." if waiting else ""
    return notice("info", what, f"There is no network now. Everything on this computer works on.{later}")
