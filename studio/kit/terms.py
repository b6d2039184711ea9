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
from studio.kit.pressed import AROUND, Face, Spoken, hover_tip
from studio.theme import BODY, RADIUS_FIELD, S1, S2, SANS, SMALL, Ink


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


def explanation(known: Term, *, live: bool = True) -> ft.Control:
    """A term's meaning and example, below the word while it has the focus. With `live` it is read out as it appears."""
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
        live_region=live,
    )


def use_tip(known: Term | None) -> tuple[Tip | None, list[ft.Control]]:
    """For a field that is named by a term: its tip, and what to show beside it while it has the focus."""
    focused, focus = ft.use_state(False)
    if known is None:
        return None, []
    return Tip(tip_words(known), focus), [explanation(known)] if focused else []


@component
def Explained(words: str, known: Term | None, help: str = "", size: float = BODY, color: str = Ink.TEXT) -> Any:
    """A word with what it means behind it: a description for screen readers, shown while the keyboard is on it."""
    shown, show = ft.use_state(False)
    focused, focus = ft.use_state(False)
    meant = tip_words(known, help)

    def come() -> None:
        focus(True)
        show(True)

    def leave() -> None:
        focus(False)
        show(False)

    word = ft.TextButton(
        content=ft.Text(words, style=dotted(size, color, known)),
        tooltip=hover_tip(meant),
        on_click=act(lambda: show(lambda now: not now)),
        on_focus=act(come),
        on_blur=act(leave),
        style=Face(
            animation_duration=0,
            padding=0,
            side={ft.ControlState.FOCUSED: AROUND},
            shape=ft.RoundedRectangleBorder(radius=RADIUS_FIELD),
            alignment=ft.Alignment.CENTER_LEFT,
            minimum_size=ft.Size(0, size * 1.5),
        ),
    )
    said = Spoken(
        content=word,
        label=words,
        hint=meant or None,
        focusable=True,
        focused=focused,
        exclude_semantics=True,  # it explains and does nothing: to screen readers it is no button
        container=True,
    )
    lines = [explanation(known, live=False)] if shown and known else []
    return ft.Column([said, *lines], spacing=S1, tight=True)


def termed(words: str, *, size: float = SMALL, color: str = Ink.MUTED) -> ft.Control:
    """A name or a remark; explained where it has a term in it."""
    known = terms_in(words)
    if not known:
        return text.muted(words, size=size, color=color)
    return Explained(words, known[0], size=size, color=color)


def glossed(*sentences: str) -> list[ft.Control]:
    """The terms in these sentences, to stand under them."""
    return [Explained(each.term, each, size=SMALL, color=Ink.MUTED) for each in terms_in(" ".join(sentences))]
