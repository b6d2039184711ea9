"""How good a dataset is: its score with the reasons, how its rows are spread, and fixes that make a new version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import flet as ft

from engine.data.nouns import Dataset, Finding, Step
from engine.data.quality_report import Histogram, QualityReport, read_quality
from engine.data.steps import step_from
from studio.hooks import go, use_engine, use_loaded, use_surroundings
from studio.kit import (
    Busy,
    body,
    card,
    columns,
    component,
    label,
    link,
    loading,
    muted,
    number,
    plural,
    ring,
    row,
    section,
    toast,
)
from studio.pages.data_lengths import Bin, bars
from studio.theme import S2, S3, S4, Ink

if TYPE_CHECKING:
    from engine.engine import Engine

GOOD, FAIR = 85, 60
"""Scores from which a dataset is called good, or fair."""
REASONS_SHOWN = 6
WHOLE_TEXT = {
    "repair_encoding": "Repair these characters",
    "redact": "Hide these personal details",
    "trim": "Trim these spaces",
}
DONE_WORDS: dict[str, str] = {
    "drop": "without those rows",
    "repair_encoding": "with its characters repaired",
    "redact": "with personal details hidden",
    "trim": "trimmed",
}

STEP_WORDS = {
    "repair_encoding": "characters repaired",
    "redact": "personal details hidden",
    "trim": "trimmed",
    "remap": "columns mapped anew",
    "show": "hidden rows in sight again",
}


def step_of(finding: Finding) -> Step | None:
    """The change that answers a finding; None when only a person can."""
    kind = finding.repair.partition(":")[0]
    return step_from(finding.repair) if kind in DONE_WORDS else None


def fix_button(
    engine: Engine, dataset: Dataset, finding: Finding, take: Callable[[Dataset], object] | None = None
) -> ft.Control | None:
    """One press makes a new version with the finding answered; the version shown stays as it is. The new one is opened,
    or given to `take`."""
    step = step_of(finding)
    if step is None:
        return None

    async def fix() -> None:
        made = await engine.library.fix(dataset.id, step)
        if take is None:
            go(f"/data/{made.id}")
        else:
            take(made)
        toast(f"This is a new version {DONE_WORDS[step.do]}. The one before is kept.")

    words = "Leave out these rows" if step.do == "drop" else WHOLE_TEXT[step.do]
    return Busy(words, "Making a new version", fix, main=False)


def grade(score: float) -> tuple[str, str]:
    """The score in a word, and its colour."""
    if score >= GOOD:
        return "good", Ink.GREEN
    return ("fair", Ink.AMBER) if score >= FAIR else ("poor", Ink.RED)


@component
def Quality(dataset: Dataset) -> Any:
    """Score, reasons, and the rows' own scores."""
    engine = use_engine()
    narrow = use_surroundings().columns == 1

    async def load() -> QualityReport | None:
        return await anyio.to_thread.run_sync(read_quality, engine.home.datasets / dataset.id)

    loaded = use_loaded(load, [dataset.id])
    if loaded.value is None:
        missing = muted("It was imported before there was a quality report. Import its file again.", size=14)
        return section("Quality", card(missing if loaded.done else loading("Reading its quality report")))
    report = loaded.value
    parts = [card(_score(report, dataset.findings)), card(_rows(report.row_scores)), card(_lengths(report))]
    return section("Quality", columns(parts, 1 if narrow else 3))


def _score(report: QualityReport, findings: tuple[Finding, ...]) -> ft.Control:
    word, color = grade(report.score)
    head = ft.Row(
        [
            ring(report.score / 100, color=color, words=f"{report.score:.0f}", name="Quality score"),
            ft.Column([number(word), muted("of 100 points")], spacing=2, tight=True),
        ],
        spacing=S4,
    )
    named = {each.id: each.what for each in findings}
    worst = sorted(report.reasons, key=lambda each: -each.points)[:REASONS_SHOWN]
    lines: list[ft.Control] = [
        ft.Row(
            [
                ft.Container(label(f"−{each.points:.2g}"), width=44),
                body(named.get(each.finding) or each.finding.replace("_", " "), expand=True),
            ],
            vertical_alignment=ft.CrossAxisAlignment.START,
        )
        for each in worst
    ]
    return ft.Column([head, *(lines or [muted("Nothing takes points off.", size=14)])], spacing=S3, tight=True)


def bins_of(histogram: Histogram) -> list[Bin]:
    """The histogram's bars; the last one holds its upper edge, too."""
    last = len(histogram.counts) - 1
    return [
        Bin(histogram.edges[at], histogram.edges[at + 1] - (at < last), count)
        for at, count in enumerate(histogram.counts)
    ]


def _rows(histogram: Histogram) -> ft.Control:
    bins = bins_of(histogram)
    total = sum(each.rows for each in bins)
    good = sum(each.rows for each in bins if each.first >= GOOD)
    said = f"{good:,} of {total:,} rows score {GOOD} points or more."
    return ft.Column(
        [
            label("Points of each row"),
            ft.Semantics(content=bars(bins, "points"), label=said, image=True, container=True),
            muted(said, size=14),
        ],
        spacing=S3,
        tight=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _lengths(report: QualityReport) -> ft.Control:
    bins = bins_of(report.row_lengths)
    tokens = report.tokens
    said = f"Half have up to {tokens.median:,} tokens, 95 % up to {tokens.p95:,}, by estimate."
    return ft.Column(
        [
            label("Length of each row"),
            ft.Semantics(content=bars(bins, "tokens"), label=f"Lengths. {said}", image=True, container=True),
            muted(said, size=14),
        ],
        spacing=S3,
        tight=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def step_words(step: Step) -> str:
    """What a recorded step did."""
    if step.do in STEP_WORDS:
        return STEP_WORDS[step.do]
    deed = "hidden" if step.do == "hide" else "left out"
    if step.language:
        return f"rows not in “{step.language}” {deed}"
    return (
        f"rows {deed}: {step.finding.replace('_', ' ')}" if step.finding else f"{plural(len(step.rows), 'row')} {deed}"
    )


def Made(dataset: Dataset) -> ft.Control:
    """The steps that made this version, and the way to the one before."""
    steps: list[ft.Control] = [
        body(f"{place}. {step_words(each)}") for place, each in enumerate(dataset.steps, start=1)
    ]
    return section(
        "How this version was made",
        card(ft.Column([*steps, row(link("Open the version before", f"/data/{dataset.parent}"))], spacing=S2)),
    )
