"""Boxes and small pieces: cards, sections, badges, chips, state dots, facts, columns that follow the width."""

from __future__ import annotations

from collections.abc import Sequence

import flet as ft

from engine.spec.records import RunState
from studio.kit import text
from studio.kit.guard import Handler
from studio.kit.pressed import pressable
from studio.theme import RADIUS_CARD, S1, S2, S3, S4, SMALL, Ink

STATES = {
    RunState.CREATED: (Ink.FIELD, ft.Icons.SCHEDULE, "waiting"),
    RunState.INITIALIZING: (Ink.FILL, ft.Icons.HOURGLASS_EMPTY, "preparing"),
    RunState.RUNNING: (Ink.FILL, ft.Icons.PLAY_ARROW, "running"),
    RunState.PAUSED: (Ink.AMBER, ft.Icons.PAUSE, "paused"),
    RunState.COMPLETED: (Ink.GREEN, ft.Icons.CHECK, "completed"),
    RunState.FAILED: (Ink.RED, ft.Icons.ERROR_OUTLINE, "failed"),
    RunState.STOPPED: (Ink.FIELD, ft.Icons.STOP, "stopped"),
    RunState.LOST: (Ink.RED, ft.Icons.HELP_OUTLINE, "lost"),
}
"""Colour, icon and word of each state; colour never speaks alone."""


def card(
    content: ft.Control,
    *,
    on_click: Handler | None = None,
    selected: bool = False,
    padding: int = S4,
    name: str = "",
    expand: bool | int | None = None,
) -> ft.Control:
    """A bordered box; with `on_click` a thing to press, which needs a `name` for screen readers."""
    ground, line = _face(selected)
    if on_click is not None:
        return pressable(
            content,
            on_click,
            name=name,
            selected=selected,
            ground=ground,
            line=line,
            radius=RADIUS_CARD,
            padding=padding + 1,
            alignment=ft.Alignment.TOP_LEFT,
            expand=expand,
        )
    return ft.Container(
        content,
        bgcolor=ground,
        border=ft.Border.all(1, line),
        border_radius=RADIUS_CARD,
        padding=padding,
        expand=expand,
    )


def _face(selected: bool) -> tuple[str, str]:
    """Ground and edge of a card."""
    return (Ink.PRIMARY_TINT, Ink.FILL) if selected else (Ink.RAISED, Ink.BORDER)


def card_with_tools(
    content: ft.Control, tools: ft.Control, *, on_click: Handler, name: str, selected: bool = False
) -> ft.Control:
    """A bordered box of something to press, and of tools below it that are pressed by themselves."""
    ground, line = _face(selected)
    face = pressable(
        content,
        on_click,
        name=name,
        selected=selected,
        radius=RADIUS_CARD,
        padding=ft.Padding.only(left=S4, top=S3, right=S4, bottom=S1),
    )
    inside = ft.Column(
        [face, ft.Container(tools, padding=ft.Padding.only(left=S2, bottom=S1))],
        spacing=0,
        tight=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
    return ft.Container(
        inside,
        bgcolor=ground,
        border=ft.Border.all(1, line),
        border_radius=RADIUS_CARD,
    )


def section(name: str, *content: ft.Control, action: ft.Control | None = None) -> ft.Control:
    """A heading and what belongs to it."""
    return ft.Column(
        [
            ft.Row([text.heading(name), *([action] if action else [])], alignment=ft.MainAxisAlignment.SPACE_BETWEEN),
            *content,
        ],
        spacing=S3,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def panel_title(words: str) -> ft.Control:
    """The small capitals-free head of a side panel."""
    return ft.Container(text.label(words, color=Ink.MUTED), padding=ft.Padding.only(bottom=S2))


def divider() -> ft.Control:
    return ft.Divider(height=1, thickness=1, color=Ink.BORDER)


def badge(words: str, tone: str = "info") -> ft.Control:
    """A word in a small tinted box. Tones: info, good, warn, bad, tuned, plain."""
    color, ground = {
        "info": (Ink.ON_PRIMARY_TINT, Ink.PRIMARY_TINT),
        "good": (Ink.TEXT, Ink.GREEN_TINT),
        "warn": (Ink.TEXT, Ink.AMBER_TINT),
        "bad": (Ink.ON_RED_TINT, Ink.RED_TINT),
        "tuned": (Ink.ON_PURPLE_TINT, Ink.PURPLE_TINT),
        "plain": (Ink.MUTED, Ink.SURFACE),
    }[tone]
    return ft.Container(
        ft.Text(words, size=SMALL, color=color, no_wrap=True),
        bgcolor=ground,
        border_radius=10,
        padding=ft.Padding.symmetric(horizontal=S2, vertical=1),
        border=ft.Border.all(1, Ink.BORDER) if tone == "plain" else None,
    )


def dot(state: RunState, *, words: bool = True, width: int | None = None) -> ft.Control:
    """A run's state: icon and word in the state's colour."""
    color, icon, name = STATES[state]
    mark = ft.Icon(icon, size=16, color=color, semantics_label=None if words else name, tooltip=None if words else name)
    return ft.Row([mark, text.body(name)] if words else [mark], spacing=S1, tight=width is None, width=width)


def chip(
    words: str, on_click: Handler | None = None, *, icon: ft.IconData | None = None, selected: bool = False
) -> ft.Control:
    """A rounded choice or a word that can be pressed."""
    inside: list[ft.Control] = [ft.Icon(icon, size=16, color=Ink.MUTED)] if icon else []
    inside.append(
        ft.Text(
            words,
            size=13,
            color=Ink.ON_PRIMARY_TINT if selected else Ink.TEXT,
            max_lines=1,
            overflow=ft.TextOverflow.ELLIPSIS,
        )
    )
    face = ft.Row(inside, spacing=S1, tight=True)
    ground, line = (Ink.PRIMARY_TINT, Ink.FILL) if selected else (Ink.SURFACE, Ink.BORDER)
    if on_click is not None:
        padding = ft.Padding.symmetric(horizontal=S3 + 1, vertical=6)
        return pressable(
            face, on_click, name=words, selected=selected, ground=ground, line=line, radius=16, padding=padding
        )
    return ft.Container(
        face,
        bgcolor=ground,
        border=ft.Border.all(1, line),
        border_radius=16,
        padding=ft.Padding.symmetric(horizontal=S3, vertical=5),
    )


def fact(name: str | ft.Control, value: str | ft.Control, note: str | ft.Control = "") -> ft.Control:
    """A name, its value, and a grey remark."""
    words = [_small(name), text.number(value) if isinstance(value, str) else value]
    if note:
        words.append(_small(note))
    return ft.Column(words, spacing=2, tight=True)


def _small(words: str | ft.Control) -> ft.Control:
    return text.muted(words) if isinstance(words, str) else words


def row(*content: ft.Control, spacing: int = S2, wrap: bool = True) -> ft.Row:
    """Things beside each other that may break into lines."""
    return ft.Row(
        list(content), spacing=spacing, run_spacing=S2, wrap=wrap, vertical_alignment=ft.CrossAxisAlignment.CENTER
    )


def columns(items: Sequence[ft.Control], count: int, *, spacing: int = S4) -> ft.Control:
    """Equal columns, filled row by row; the boxes of one row are equally high."""
    count = max(1, count)
    lines: list[ft.Control] = []
    for start in range(0, len(items), count):
        line: list[ft.Control] = [ft.Container(item, expand=1) for item in items[start : start + count]]
        line += [ft.Container(expand=1) for _ in range(count - len(line))]
        lines.append(
            ft.Row(
                line,
                spacing=spacing,
                vertical_alignment=ft.CrossAxisAlignment.STRETCH,
                intrinsic_height=True,
            )
        )
    return ft.Column(lines, spacing=spacing, tight=True)


def beside(blocks: Sequence[ft.Control], narrow: bool) -> ft.Control:
    """Blocks in columns, or below each other where there is no room."""
    if narrow:
        for block in blocks:
            block.expand = None
        return ft.Column(list(blocks), spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return ft.Row(list(blocks), spacing=S3, vertical_alignment=ft.CrossAxisAlignment.START)


def color_key(color: str, words: str) -> ft.Control:
    """Which line of a chart is whose: a piece of it, and its name."""
    line = ft.Container(width=16, height=3, bgcolor=color, border_radius=2)
    named = text.muted(words, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)
    return ft.Row([line, named], spacing=S2, tight=True)
