"""Terms of the field where they stand on the screen: dotted underneath, and explained with an example on hover, on
keyboard focus and on a press. The words are the glossary's; a setting's own help stands before them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flet as ft
import msgspec

from studio.guides import Term, terms_in
from studio.kit import text
from studio.kit.guard import act, component
from studio.theme import BODY, RADIUS_FIELD, S1, S2, SANS, SMALL, Ink

ONE_LINE = 24
"""Letters that stand on one line wherever a term may stand."""


class Tip(msgspec.Struct, frozen=True, eq=False):
    """What a field says of the term it is named by: on hover its words, and who hears that it has the focus."""

    words: str
    told: Callable[[bool], None]


def tip_words(known: Term | None, help: str = "") -> str:
    """What a setting is for, what its term means, and an example."""
    meant = f"{known.term}: {known.meaning}\nExample: {known.example}" if known else ""
    return "\n\n".join(each for each in (help, meant) if each)


def dotted(size: float, color: str, known: object = True) -> ft.TextStyle:
    """How a word looks that is explained; as ever where nothing is known of it."""
    return ft.TextStyle(
        size=size,
        color=color,
        font_family=SANS,
        decoration=ft.TextDecoration.UNDERLINE if known else None,
        decoration_style=ft.TextDecorationStyle.DOTTED,
        decoration_color=Ink.MUTED,
    )


def explanation(known: Term) -> ft.Control:
    """A term's meaning and example, below the word while it has the focus."""
    return ft.Semantics(
        content=ft.Container(
            ft.Column(
                [text.body(known.meaning), text.muted(f"Example: {known.example}")],
                spacing=S1,
                tight=True,
            ),
            bgcolor=Ink.SURFACE,
            border=ft.Border.only(left=ft.BorderSide(2, Ink.FILL)),
            padding=ft.Padding.symmetric(horizontal=S2, vertical=S1),
        ),
        container=True,
        live_region=True,
    )


def use_tip(known: Term | None) -> tuple[Tip | None, list[ft.Control]]:
    """For a field that is named by a term: its tip, and what to show beside it while it has the focus."""
    focused, focus = ft.use_state(False)
    if known is None:
        return None, []
    return Tip(tip_words(known), focus), [explanation(known)] if focused else []


@component
def Explained(words: str, known: Term | None, help: str = "", size: float = BODY, color: str = Ink.TEXT) -> Any:
    """A word with what it means behind it."""
    shown, show = ft.use_state(False)
    button = ft.TextButton(
        content=ft.Text(words, style=dotted(size, color, known)),
        tooltip=tip_words(known, help) or None,
        on_click=act(lambda: show(True)),
        on_focus=act(lambda: show(True)),
        on_blur=act(lambda: show(False)),
        style=ft.ButtonStyle(
            animation_duration=0,
            padding=ft.Padding.symmetric(horizontal=0, vertical=0),
            side={ft.ControlState.FOCUSED: ft.BorderSide(2, Ink.FILL)},
            shape=ft.RoundedRectangleBorder(radius=RADIUS_FIELD),
            alignment=ft.Alignment.CENTER_LEFT,
            visual_density=ft.VisualDensity.COMPACT,
        ),
        height=size * 1.5 if len(words) <= ONE_LINE else None,  # a longer one may break
    )
    lines = [explanation(known)] if shown and known else []
    return ft.Column([ft.MergeSemantics(content=button), *lines], spacing=S1, tight=True)


def termed(words: str, *, size: float = SMALL, color: str = Ink.MUTED) -> ft.Control:
    """A name or a remark; explained where it has a term in it."""
    known = terms_in(words)
    if not known:
        return text.muted(words, size=size, color=color)
    return Explained(words, known[0], size=size, color=color)


def glossed(*sentences: str) -> list[ft.Control]:
    """The terms in these sentences, to stand under them."""
    return [Explained(each.term, each, size=SMALL, color=Ink.MUTED) for each in terms_in(" ".join(sentences))]
