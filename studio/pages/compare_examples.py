"""The examples of a comparison, most different first, and the topics that go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flet as ft

from engine.results.comparison import Comparison, ErrorCluster, ExampleRow
from studio.hooks import use_surroundings
from studio.kit import (
    answer,
    beside,
    card,
    chip,
    component,
    figures,
    muted,
    named,
    one_line,
    plural,
    quiet,
    row,
    section,
)
from studio.pages.evaluation_parts import measured
from studio.theme import S3, Ink

SHOWN = 6
CLUSTERS = 6
ALL, TIES = "all", "ties"


@component
def Examples(found: Comparison, colors: Sequence[str]) -> Any:
    """The rows with every answer; filtered by who alone is best, or where all are alike."""
    kind, choose = ft.use_state(ALL)
    shown, show = ft.use_state(SHOWN)
    narrow = use_surroundings().columns == 1 or len(found.subjects) > 3
    names = {
        ALL: "All",
        **{str(i): f"{named(each.title)} best alone" for i, each in enumerate(found.subjects)},
        TIES: "Alike",
    }
    fitting = [each for each in found.examples if fits(each, kind)]
    chips = [chip(words, lambda key=key: choose(key), selected=key == kind) for key, words in names.items()]
    unit = next((each.measure.unit for each in found.measures if each.name == found.main), "share")
    titles = [named(each.title) for each in found.subjects]
    blocks: list[ft.Control] = [row(*chips)]
    blocks += [_example(each, titles, colors, unit, narrow) for each in fitting[:shown]]
    if not fitting:
        blocks.append(muted("No example fits.", size=14))
    if len(fitting) > shown:
        more = f"Show {plural(min(SHOWN, len(fitting) - shown), 'more example')}"
        blocks.append(row(quiet(more, lambda: show(lambda now: now + SHOWN))))
    return section("Examples, most different first", *blocks)


def fits(each: ExampleRow, kind: str) -> bool:
    """Whether an example belongs under this filter."""
    if kind == ALL:
        return True
    return each.apart == 0 if kind == TIES else each.apart > 0 and each.winners == (int(kind),)


def _example(each: ExampleRow, titles: list[str], colors: Sequence[str], unit: str, narrow: bool) -> ft.Control:
    wanted = answer("Wanted", each.reference, color=Ink.GREEN)
    wanted.expand = None
    answers = [
        answer(
            title,
            words,
            each.reference,
            color=colors[place],
            mark=f"{measured(mark, unit)}{', best' if each.apart and place in each.winners else ''}",
        )
        for place, (title, words, mark) in enumerate(zip(titles, each.answers, each.marks, strict=True))
    ]
    return card(
        ft.Column(
            [ft.Row([one_line(each.prompt)]), wanted, beside(answers, narrow)],
            spacing=S3,
            tight=True,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
        ),
        padding=12,
    )


@component
def Errors(found: Comparison) -> Any:
    """Topics and how often each is answered wrongly."""
    titles = [named(each.title) for each in found.subjects]
    telling = [each for each in found.clusters if sum(each.errors)][:CLUSTERS]
    if not telling:
        return ft.Container()
    rows = [_topic(each) for each in telling]
    widths = (260, 90, *(150 for _ in titles))
    return section("Errors by topic", figures(["questions about", "examples", *titles], rows, widths))


def _topic(each: ErrorCluster) -> list[str | ft.Control]:
    return [", ".join(each.words) or "everything else", str(each.examples), *(str(count) for count in each.errors)]
