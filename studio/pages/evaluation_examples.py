"""The examples of an evaluation: where both models part, most different first, answers side by side; and confusion."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgspec

from engine.results.evaluation import Evaluation, Example
from engine.results.metrics.labels import OTHER, Confusion
from studio.hooks import use_surroundings
from studio.kit import (
    TextField,
    answer,
    badge,
    beside,
    body,
    card,
    chip,
    component,
    label,
    muted,
    one_line,
    plural,
    quiet,
    row,
    section,
    share_words,
)
from studio.pages.evaluation_parts import measured
from studio.theme import S1, S2, S3, Ink

SHOWN = 8
KINDS = {"all": "All", "win": "Tuned is better", "loss": "Tuned is worse", "tie": "Alike"}
TONES = {"win": "good", "loss": "bad", "tie": "plain"}


class Seen(msgspec.Struct, frozen=True):
    """An example with its marks by the main measure, and who is better there."""

    example: Example
    base: float
    tuned: float
    kind: str


def seen(found: Evaluation) -> list[Seen]:
    """Every example, those first where both are furthest apart."""
    main = found.result(found.suite.main)
    sign = -1 if main and main.measure.better == "less" else 1
    marked: list[Seen] = []
    for example in found.examples:
        base, tuned = example.marks.get(found.suite.main, (example.base_f1, example.tuned_f1))
        ahead = sign * (tuned - base)
        marked.append(Seen(example, base, tuned, "win" if ahead > 0 else "loss" if ahead < 0 else "tie"))
    return sorted(marked, key=lambda each: (-abs(each.tuned - each.base), each.example.row))


@component
def Examples(found: Evaluation, color: str) -> Any:
    """The rows that were asked, filtered and searched."""
    kind, set_kind = ft.use_state("all")
    words, search = ft.use_state("")
    shown, show = ft.use_state(SHOWN)
    every = ft.use_memo(lambda: seen(found), [found.run])
    counts = {key: sum(each.kind == key or key == "all" for each in every) for key in KINDS}
    fitting = [each for each in every if kind in ("all", each.kind) and _has(each.example, words)]
    result = found.result(found.suite.main)
    unit, title = (result.measure.unit, result.measure.title) if result else ("share", "token F1")
    chips = [
        chip(f"{name} ({counts[key]})", lambda key=key: set_kind(key), selected=key == kind)
        for key, name in KINDS.items()
    ]
    blocks: list[ft.Control] = [
        row(*chips, ft.Container(TextField(words, search, label="With these words"), width=220)),
        muted(f"Most different first, by {title}. What only one of them says is underlined.", size=14),
        *(_example(each, unit, color, use_surroundings().columns == 1) for each in fitting[:shown]),
    ]
    if not fitting:
        blocks.append(muted("No example fits.", size=14))
    if len(fitting) > shown:
        more = f"Show {plural(min(SHOWN, len(fitting) - shown), 'more example')}"
        blocks.append(row(quiet(more, lambda: show(lambda now: now + SHOWN))))
    return section("Examples", *blocks)


def _has(example: Example, words: str) -> bool:
    told = f"{example.prompt}\n{example.reference}\n{example.base}\n{example.tuned}".casefold()
    return all(word in told for word in words.casefold().split())


def _example(each: Seen, unit: str, color: str, narrow: bool) -> ft.Control:
    example = each.example
    head = ft.Row([one_line(example.prompt), badge(KINDS[each.kind].lower(), TONES[each.kind])], spacing=S2)
    answers = [
        answer("Base", example.base, example.tuned, color=Ink.BASE, mark=measured(each.base, unit)),
        answer("Tuned", example.tuned, example.base, color=color, mark=measured(each.tuned, unit)),
    ]
    wanted = answer("Wanted", example.reference, color=Ink.GREEN)
    wanted.expand = None
    return card(
        ft.Column([head, wanted, beside(answers, narrow)], spacing=S3, tight=True,
                  horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
        padding=12,
    )  # fmt: skip


@component
def Confused(base: Confusion, tuned: Confusion) -> Any:
    """What was answered for each label wanted, of both models."""
    of_base, set_base = ft.use_state(False)
    shown = base if of_base else tuned
    scores = f"Accuracy {share_words(shown.accuracy)}, macro F1 {share_words(shown.macro_f1)}."
    words = " ".join(each for each in (scores, "Rows: wanted; columns: answered.", shown.left_out) if each)
    return section(
        "Which label was answered",
        row(
            chip("Tuned", lambda: set_base(False), selected=not of_base),
            chip("Base", lambda: set_base(True), selected=of_base),
        ),
        matrix(shown),
        muted(words),
    )


def matrix(found: Confusion) -> ft.Control:
    """Counts as squares, the darker the more of that row; right ones on the diagonal have a frame."""
    heads = [*found.labels, OTHER]
    lines: list[ft.Control] = [ft.Row([ft.Container(width=140), *(_head(name) for name in heads)], spacing=S1)]
    for wanted, counts in enumerate(found.counts):
        most = max(1, sum(counts))
        cells = [_cell(count, count / most, place == wanted) for place, count in enumerate(counts)]
        name = ft.Container(label(found.labels[wanted], max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), width=140)
        lines.append(ft.Row([name, *cells], spacing=S1))
    table = ft.Column(lines, spacing=S1, tight=True)
    said = ft.Semantics(content=table, label=found.in_words, container=True)
    return ft.Row([said], scroll=ft.ScrollMode.AUTO)


def _head(name: str) -> ft.Control:
    return ft.Container(muted(name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), width=84, tooltip=name)


def _cell(count: int, share: float, right: bool) -> ft.Control:
    color = Ink.GREEN if right else Ink.RED
    return ft.Container(
        body(str(count) if count else "·"),
        width=84,
        height=36,
        alignment=ft.Alignment.CENTER,
        bgcolor=ft.Colors.with_opacity(0.35 * share, color) if count else None,
        border=ft.Border.all(1, Ink.FIELD if right else Ink.BORDER),
        border_radius=4,
    )
