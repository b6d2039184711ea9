"""Words on the screen: the six styles of the type scale, and the words of people and models, whichever way they run."""

from __future__ import annotations

import unicodedata
from typing import Any

import flet as ft

from studio.theme import BODY, LARGE, MONO, SANS, SMALL, TITLE, Ink

STRONG = f"{SANS} Semibold"
LONGEST_LINE = 220
"""Letters of a line that are sent; what is longer is cut before."""


def _text(value: str, size: float, *, strong: bool = False, color: str = Ink.TEXT, **rest: Any) -> ft.Text:
    options: dict[str, Any] = {"size": size, "color": color, "font_family": STRONG if strong else SANS, **rest}
    if options.get("selectable") and value:
        options.setdefault("semantics_label", value)  # else it is an empty field to a screen reader
    return ft.Text(value, **options)


def title(value: str, **rest: Any) -> ft.Control:
    """The name of a page; a heading for screen readers."""
    return ft.Semantics(content=_text(value, TITLE, strong=True, **rest), header=True, heading_level=1, container=True)


def name_title(name: str) -> ft.Control:
    """The name that somebody gave to what a page shows: two lines at the most, and all of it on hover."""
    return title(name, max_lines=2, overflow=ft.TextOverflow.ELLIPSIS, tooltip=name, rtl=rightward(name))


def heading(value: str, **rest: Any) -> ft.Text:
    """The name of a section."""
    return _text(value, LARGE, strong=True, **rest)


def label(value: str, *, color: str = Ink.TEXT, **rest: Any) -> ft.Text:
    """Body text that stands out."""
    return _text(value, BODY, strong=True, color=color, **rest)


def body(value: str, *, color: str = Ink.TEXT, **rest: Any) -> ft.Text:
    """Text to read."""
    return _text(value, BODY, color=color, **rest)


def muted(value: str, *, size: float = SMALL, **rest: Any) -> ft.Text:
    """What explains something beside it."""
    return _text(value, size, **{"color": Ink.MUTED, **rest})


def rightward(words: str) -> bool:
    """Whether a text is read from right to left: its first letter with a direction says so."""
    kinds = (unicodedata.bidirectional(letter) for letter in words)
    return next((kind in ("R", "AL") for kind in kinds if kind in ("L", "R", "AL")), False)


def verbatim(words: str, *, color: str = Ink.TEXT, **rest: Any) -> ft.Text:
    """What a person or a model wrote, as it is and never as markup, in the direction in which it is read."""
    return body(words, **{"color": color, "rtl": rightward(words), **rest})


def captioned(name: str, words: str) -> ft.Control:
    """A grey sentence under the small name of what it tells."""
    return ft.Column([muted(name), body(words, color=Ink.MUTED)], spacing=0, tight=True)


def number(value: str, *, size: float = TITLE, color: str = Ink.TEXT) -> ft.Text:
    """A figure that matters; its digits are of one width."""
    return _text(value, size, strong=True, color=color, no_wrap=True)


def code(value: str, *, size: float = 13, color: str = Ink.TEXT, **rest: Any) -> ft.Text:
    """Ids, paths, logs and model text."""
    return _text(value, size, **{"color": color, "font_family": MONO, "selectable": True, **rest})


def one_line(words: str) -> ft.Control:
    """A name or a prompt on one line, cut where it is too long."""
    shown = " ".join(words.split())[:LONGEST_LINE]
    return label(shown, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS, expand=True, rtl=rightward(shown))
