"""Larger pieces: text to take along with a copy button, and the difference between two texts."""

from __future__ import annotations

import difflib
from typing import Any

import flet as ft
import msgspec

from studio.kit import text
from studio.kit.buttons import icon_button
from studio.kit.guard import component, toast
from studio.theme import RADIUS_CARD, S1, S2, S3, Ink

SAME, GONE, NEW = " ", "−", "+"


@component
def CodeBlock(words: str, name: str, most: int | None = None) -> Any:
    """Text to take along, shown as it is, in `most` lines; `name` is what is copied: the path."""
    clipboard = ft.use_memo(ft.Clipboard, [])

    async def copy() -> None:
        await clipboard.set(words)
        toast("Copied.")

    options: dict[str, Any] = {"max_lines": most, "overflow": ft.TextOverflow.ELLIPSIS} if most else {}
    shown = ft.Container(text.code(words, **options), expand=True)
    return ft.Container(
        ft.Row(
            [shown, icon_button(ft.Icons.CONTENT_COPY, f"Copy {name}", copy)],
            vertical_alignment=ft.CrossAxisAlignment.CENTER,
        ),
        bgcolor=Ink.SURFACE,
        border=ft.Border.all(1, Ink.BORDER),
        border_radius=RADIUS_CARD,
        padding=ft.Padding.only(left=S3, right=S1),
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
