"""Terms of the field where they stand on the screen: dotted underneath, and explained with an example on hover, on
keyboard focus and on a press. The words are the glossary's; a setting's own help stands before them.

On focus the meaning stands in the status strip, and only on a page of one column below its word: what grows beside
other things moves them, and Tab, which goes by place, would come back to them for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import flet as ft
import msgspec

from engine.core.topics import Topic
from studio.guides import Term, terms_in
from studio.hooks import use_surroundings
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
    example = f"\nExample: {known.example}" if known and known.example else ""
    meant = f"{known.term}: {known.meaning}{example}" if known else ""
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
    """A term's meaning and example, below its word."""
    return ft.Container(
        ft.Column([text.body(known.meaning), *_example(known)], spacing=S1, tight=True),
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(left=ft.BorderSide(2, Ink.FILL)),
        padding=ft.Padding.symmetric(horizontal=S2, vertical=S1),
    )


def in_one_line(known: Term) -> ft.Control:
    """A term's meaning and example, for the status strip."""
    example = _example(known, expand=True, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)
    icon = ft.Icon(ft.Icons.INFO_OUTLINE, size=14, color=Ink.PRIMARY)
    words = [text.muted(f"{known.term}:", color=Ink.TEXT, no_wrap=True), text.muted(known.meaning, no_wrap=True)]
    return ft.Row([icon, *words, *example], spacing=S2, expand=True)


def _example(known: Term, **options: Any) -> list[ft.Control]:
    return [text.muted(f"Example: {known.example}", **options)] if known.example else []


_explained: WeakKeyDictionary[ft.Page, Topic[Term | None]] = WeakKeyDictionary()


def explained_on(page: ft.Page) -> Topic[Term | None]:
    """The term that the keyboard is on, on this page."""
    if page not in _explained:
        _explained[page] = Topic(None)
    return _explained[page]


def _use_focus(known: Term | None) -> tuple[bool, Callable[[bool], None]]:
    """Whether the keyboard is on a term, and who is told of it; the status strip hears of it, too."""
    focused, focus = ft.use_state(False)
    topic = explained_on(ft.context.page)

    def told(here: bool) -> None:
        focus(here)
        if here or topic.value is known:
            topic.set(known if here else None)

    return focused, told


def use_tip(known: Term | None) -> tuple[Tip | None, list[ft.Control]]:
    """For a field that is named by a term: its tip, and what to show beside it while it has the focus."""
    focused, told = _use_focus(known)
    single = use_surroundings().columns == 1
    if known is None:
        return None, []
    return Tip(tip_words(known), told), [explanation(known)] if focused and single else []


@component
def Explained(words: str, known: Term | None, help: str = "", size: float = BODY, color: str = Ink.TEXT) -> Any:
    """A word with what it means behind it: a description for screen readers, shown while the keyboard is on it, and
    below it where it is pressed."""
    pressed, press = ft.use_state(False)
    focused, told = _use_focus(known)
    single = use_surroundings().columns == 1
    meant = tip_words(known, help)

    def leave() -> None:
        told(False)
        press(False)

    word = ft.TextButton(
        content=ft.Text(words, style=dotted(size, color, known)),
        tooltip=hover_tip(meant),
        on_click=act(lambda: press(lambda now: not now)),
        on_focus=act(lambda: told(True)),
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
    lines = [explanation(known)] if known and (pressed or (focused and single)) else []
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
