"""The dataset library: every dataset with what it holds, and the way to add one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flet as ft

from engine.data.nouns import Dataset
from studio.frame import frame
from studio.hooks import SessionContext, go, use_engine, use_session, use_surroundings, use_topic
from studio.kit import (
    TextField,
    ago,
    badge,
    card,
    component,
    empty,
    label,
    muted,
    plural,
    primary,
    quiet,
    row,
    secondary,
    section,
    title,
)
from studio.pages.data_mapping import SCHEMAS
from studio.pages.data_merge import Merge
from studio.pages.wizard_data import DataStep, ImportButton
from studio.session import Session
from studio.theme import S2, S3, S4

WINDOW = 100
"""Datasets drawn at once; the rest comes with “Show more”."""


@component
def DataList() -> Any:
    """The library."""
    engine = use_engine()
    surroundings = use_surroundings()
    leaving = use_topic(use_session().leaving, every=0.0)
    every = use_topic(engine.library.datasets, every=0.5)
    datasets = tuple(each for each in every if each.id not in leaving)
    doing, set_doing = ft.use_state("")
    words, set_words = ft.use_state("")
    window, set_window = ft.use_state(WINDOW)
    start = primary("Import data", lambda: set_doing("import"), icon=ft.Icons.UPLOAD_FILE)
    join = secondary("Put together", lambda: set_doing("merge"), icon=ft.Icons.MERGE)
    found = chosen(datasets, words)
    narrow = surroundings.columns == 1
    blocks: list[ft.Control] = []
    if doing == "import":
        blocks.append(Import(lambda: set_doing("")))
    elif doing == "merge":
        blocks.append(Merge(datasets, lambda: set_doing("")))
    if datasets:
        search = ft.Container(TextField(words, set_words, hint="Search name, kind, file"), width=280)
        blocks.append(row(search, muted(plural(len(found), "dataset"))))
    rows: list[ft.Control] = [dataset_row(each, narrow) for each in found[:window]]
    if len(found) > window:
        rows.append(quiet(f"Show {len(found) - window} more", lambda: set_window(lambda now: now + WINDOW)))
    if not datasets and not doing:
        what = "No data yet."
        why = "Files you import become datasets here: read once, checked, never changed."
        rows = [empty(ft.Icons.TABLE_ROWS_OUTLINED, what, why, start)]
    elif datasets and not found:
        rows = [empty(ft.Icons.SEARCH_OFF, "No dataset fits.", "Try fewer words.")]
    blocks.append(ft.Column(rows, spacing=S2, horizontal_alignment=ft.CrossAxisAlignment.STRETCH))
    return frame(
        surroundings,
        title("Data"),
        *blocks,
        actions=(join, start) if datasets and not doing else (),
    )


def chosen(datasets: tuple[Dataset, ...], words: str) -> list[Dataset]:
    """The datasets that have every word in their name, kind or file."""
    wanted = words.casefold().split()
    return [
        each
        for each in datasets
        if all(word in f"{each.name} {SCHEMAS[each.schema]} {each.source} {each.id}".casefold() for word in wanted)
    ]


def size_words(characters: int) -> str:
    """How much text there is: 940 characters, 61 k characters, 2.4 M characters."""
    for factor, name in ((1_000_000, "M"), (1000, "k")):
        if characters >= factor:
            value = characters / factor
            return f"{value:.0f} {name} characters" if value >= 10 else f"{value:.1f} {name} characters"
    return plural(characters, "character")


def splits_words(dataset: Dataset) -> str:
    """How the rows are divided."""
    found = [f"{dataset.train_rows:,} to learn from", f"{dataset.validation_rows:,} held out"]
    if dataset.test_rows:
        found.append(f"{dataset.test_rows:,} to test")
    return ", ".join(found)


def dataset_row(dataset: Dataset, narrow: bool) -> ft.Control:
    """A dataset as a line of a list."""
    concerns = sum(each.level != "info" for each in dataset.findings)
    words: list[ft.Control] = [
        label(dataset.name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
        muted(f"{plural(dataset.rows, 'row')} of {SCHEMAS[dataset.schema]}", size=14),
        muted(f"{splits_words(dataset)} · {size_words(dataset.characters)}"),
    ]
    figures: list[ft.Control] = [badge("fixed version", "plain")] if dataset.parent and not narrow else []
    if dataset.score is not None and not narrow:
        figures.append(muted(f"{dataset.score:.0f} of 100 points", size=14))
    if concerns:
        figures.append(badge(plural(concerns, "finding"), "warn"))
    if not narrow:
        figures.append(ft.Container(muted(ago(dataset.made), size=14), width=120))
    return card(
        ft.Row([ft.Column(words, spacing=2, tight=True, expand=True), *figures], spacing=S3),
        on_click=lambda: go(f"/data/{dataset.id}"),
        padding=12,
        name=f"Dataset {dataset.name}",
    )


@component
def Import(close: Any) -> Any:
    """The wizard's own way in, with a draft of its own, so that a run being put together is left alone."""
    own = ft.use_memo(Session, [])
    return SessionContext(own, lambda: ImportForm(close))


@component
def ImportForm(close: Any) -> Any:
    """Choose a file, look at what was found, and keep it."""
    session = use_session()
    draft = use_topic(session.wizard, every=0.0)
    sure = draft.inspection is not None and (draft.mapping or draft.inspection.mapping) is not None

    def opened() -> None:
        go(f"/data/{session.wizard.value.dataset}")

    keep_words = f"Import {Path(draft.path).name}" if sure else "Import this data"
    return section(
        "Import data",
        card(
            ft.Column(
                [
                    DataStep(draft, earlier=False),
                    row(
                        ImportButton(keep_words, opened, disabled=not sure),
                        quiet("Cancel", close),
                    ),
                ],
                spacing=S4,
                horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
            )
        ),
    )
