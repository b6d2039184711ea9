"""What the screens of results share: values in words, tables of figures, answers with their differences marked."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import flet as ft
import msgspec

from engine.core.errors import unexpected
from engine.results.evaluation import Mean
from engine.spec.records import Card
from studio.hooks import use_loaded
from studio.kit import body, label, muted
from studio.theme import S1, S2, S3, SANS, Ink

T = TypeVar("T")
OUTCOMES = {"better": "good", "worse": "bad", "mixed": "warn"}
"""The badge's tone for each outcome; those that show nothing are plain."""
BANDS = {"excellent": "good", "good": "good", "fair": "warn", "poor": "bad"}
LONGEST_DIFF = 600
"""Words of an answer that are compared one by one; longer ones are shown without marks."""
LONGEST_NAME, LONGEST_ON_CHIP = 220, 40


class Latest(msgspec.Struct, frozen=True, eq=False):
    """What was loaded last, kept on the screen while it is loaded anew; or why it could not be."""

    value: object | None = None
    card: Card | None = None


def use_latest(load: Callable[[], Awaitable[T]], dependencies: list[object]) -> tuple[T | None, Card | None]:
    """(value, card): the newest value of an async call, the old one until then; the card says why it failed."""
    held = ft.use_ref(Latest())
    loaded = use_loaded(load, dependencies)
    if loaded.done:
        held.current = Latest(loaded.value)
    elif loaded.error is not None:
        held.current = Latest(card=unexpected(loaded.error))
    return held.current.value, held.current.card  # type: ignore[return-value]


def use_attempt() -> tuple[Card | None, Callable[[Callable[[], Awaitable[object]]], Callable[[], Awaitable[None]]]]:
    """(card, trying): `trying(do)` is a handler whose failure becomes the card, until the next attempt."""
    problem, keep = ft.use_state(cast("Card | None", None))

    def trying(do: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        async def carry_out() -> None:
            keep(lambda _: None)
            try:
                await do()
            except Exception as error:  # noqa: BLE001 - shown as a card
                card = unexpected(error)
                keep(lambda _: card)

        return carry_out

    return problem, trying


def measured(value: float, unit: str, *, sign: bool = False) -> str:
    """A value of a measure: a share in percent, loss and ratios with two digits."""
    plus = "+" if sign else ""
    if unit == "share":
        return f"{100 * value:{plus}.0f} {'points' if sign else '%'}"
    return f"{value:{plus}.2f}"


def interval(mean: Mean, unit: str) -> str:
    """A mean with its interval."""
    bounds = f"{measured(mean.low, unit).removesuffix(' %')} to {measured(mean.high, unit)}"
    return f"{measured(mean.value, unit)} ({bounds})"


def figures(heads: Sequence[str], rows: Sequence[Sequence[str | ft.Control]], widths: Sequence[int]) -> ft.Control:
    """A table of figures with named columns; it scrolls sideways where there is no room."""
    lines: list[ft.Control] = [_line([muted(head) for head in heads], widths)]
    for cells in rows:
        drawn = [body(cell) if isinstance(cell, str) else cell for cell in cells]
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


def rightward(words: str) -> bool:
    """Whether a text is read from right to left: its first letter with a direction says so."""
    kinds = (unicodedata.bidirectional(letter) for letter in words)
    return next((kind in ("R", "AL") for kind in kinds if kind in ("L", "R", "AL")), False)


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


def beside(blocks: Sequence[ft.Control], narrow: bool) -> ft.Control:
    """Blocks in columns, or below each other where there is no room."""
    if narrow:
        for block in blocks:
            block.expand = None
        return ft.Column(list(blocks), spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return ft.Row(list(blocks), spacing=S3, vertical_alignment=ft.CrossAxisAlignment.START)


def named(words: str) -> str:
    """A name for a chip, a badge or a button, cut in its middle where it is too long: numbers stand at its end."""
    return words if len(words) <= LONGEST_ON_CHIP else f"{words[: LONGEST_ON_CHIP - 15]}…{words[-14:]}"


def one_line(words: str) -> ft.Control:
    """A name or a prompt on one line, cut where it is too long."""
    shown = " ".join(words.split())[:LONGEST_NAME]
    return label(shown, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS, expand=True)
