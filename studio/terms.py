"""A setting's name with what it means behind it: dotted underneath, explained on hover, and on Enter or a press."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flet as ft

from studio.guides import term_of
from studio.hooks import use_session, use_topic
from studio.kit import body, component, icon_button, label, muted
from studio.kit.guard import act
from studio.theme import BODY, S2, SANS, Ink

PREFIX = "term:"


def term(setting: str, words: str, help: str, open_: Callable[[str], object]) -> ft.Control:
    """The name of a setting; `open_` shows the explanation for those who do not hover."""
    known = term_of(setting)
    tip = help if known is None else f"{help}\n\n{known.term}: {known.meaning}\nExample: {known.example}"
    style = ft.TextStyle(
        size=BODY,
        color=Ink.TEXT,
        font_family=SANS,
        decoration=ft.TextDecoration.UNDERLINE if known else None,
        decoration_style=ft.TextDecorationStyle.DOTTED,
        decoration_color=Ink.MUTED,
    )
    button = ft.TextButton(
        content=ft.Text(words, style=style),
        tooltip=tip,
        on_click=act(lambda: open_(f"{PREFIX}{setting}")),
        style=ft.ButtonStyle(
            padding=ft.Padding.symmetric(horizontal=2, vertical=0),
            side={ft.ControlState.FOCUSED: ft.BorderSide(2, Ink.FILL)},
            shape=ft.RoundedRectangleBorder(radius=4),
            alignment=ft.Alignment.CENTER_LEFT,
        ),
    )
    return ft.MergeSemantics(content=button)


@component
def Explanation(close: Callable[[], None]) -> Any:
    """What a term means, over the page."""
    session = use_session()
    name = use_topic(session.overlay, every=0.0)
    known = term_of(name.removeprefix(PREFIX))

    def hear(pressed: str) -> bool:
        if pressed == "Escape":
            close()
        return pressed == "Escape"

    ft.use_effect(lambda: session.hear(hear), [], cleanup=lambda: session.hear(None))
    if known is None:
        return ft.Container(height=0, visible=False)
    head = ft.Row([label(known.term, expand=True), icon_button(ft.Icons.CLOSE, "Close", close)])
    return ft.Column([head, body(known.meaning), muted(f"Example: {known.example}", size=14)], spacing=S2, tight=True)
