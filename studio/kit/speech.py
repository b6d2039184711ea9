"""What models say: text as it is, never as markup, with what another text lacks marked."""

from __future__ import annotations

import difflib
import re
from typing import Any

import flet as ft

from studio.kit.text import label, muted, rightward
from studio.theme import S1, S2, S3, SANS, Ink

LONGEST_DIFF = 600
"""Words of an answer that are compared one by one; longer ones are shown without marks."""


def pieces(words: str, other: str) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether the other text lacks it there."""
    mine, theirs = _cut(words), _cut(other)
    if max(len(mine), len(theirs)) > 2 * LONGEST_DIFF:
        return [(words, False)]
    matcher = difflib.SequenceMatcher(None, mine, theirs, autojunk=False)
    return [
        ("".join(mine[start:end]), kind != "equal") for kind, start, end, _, _ in matcher.get_opcodes() if end > start
    ]


def _cut(words: str) -> list[str]:
    """Words and the spaces between them."""
    return re.findall(r"\s+|\w+|[^\w\s]", words)


def said(words: str, other: str = "", *, ground: str = Ink.AMBER_TINT) -> ft.Control:
    """Text of a model as it is, never as markup; with `other` the parts that are different are underlined."""
    if not words:
        return muted("(nothing)", size=14)
    spans = [ft.TextSpan(piece, ft.TextStyle(**_mark(ground)) if new else None) for piece, new in _told(words, other)]
    return ft.Text(
        spans=spans, size=14, color=Ink.TEXT, font_family=SANS, selectable=True, rtl=rightward(words),
        semantics_label=words,
    )  # fmt: skip


def _told(words: str, other: str) -> list[tuple[str, bool]]:
    return pieces(words, other) if other else [(words, False)]


def _mark(ground: str) -> dict[str, Any]:
    """Colour and a line: colour never speaks alone."""
    return {"bgcolor": ground, "decoration": ft.TextDecoration.UNDERLINE}


def answer(name: str, words: str, other: str = "", *, color: str, mark: str = "") -> ft.Control:
    """An answer under the name of who gave it, beside a line in that one's colour."""
    head: list[ft.Control] = [label(name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)]
    if mark:
        head.append(muted(mark))
    return ft.Container(
        ft.Column([ft.Row(head, spacing=S2, wrap=True), said(words, other)], spacing=S1, tight=True),
        border=ft.Border.only(left=ft.BorderSide(3, color)),
        padding=ft.Padding.only(left=S3),
        expand=1,
    )
