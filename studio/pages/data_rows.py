"""A dataset's rows, page by page, as a model will see them."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.data.nouns import Dataset
from engine.plan.models import BaseModel
from engine.spec.prepared import Split
from studio.kit import chip, component, icon_button, muted, row
from studio.pages.wizard_rows import SHOWN, Rendered
from studio.theme import S3


def sides_of(dataset: Dataset) -> list[tuple[Split, str, int]]:
    """The sides of the split that have prepared rows: (split, words, rows)."""
    return [("train", "To learn from", dataset.train_rows), ("validation", "Held out", dataset.validation_rows)]


@component
def Rows(dataset: Dataset, model: BaseModel, length: int) -> Any:
    """Ten rows of one side, and the way to the others."""
    side, set_side = ft.use_state(0)
    start, set_start = ft.use_state(0)
    sides = [each for each in sides_of(dataset) if each[2]]
    if not sides:
        return muted("It has no rows to show.", size=14)
    split, _, count = sides[min(side, len(sides) - 1)]

    def choose(index: int) -> None:
        set_side(index)
        set_start(0)

    chips = [
        chip(words, lambda index=index: choose(index), selected=name == split)
        for index, (name, words, _) in enumerate(sides)
    ]
    pages = ft.Row(
        [
            icon_button(
                ft.Icons.CHEVRON_LEFT,
                "Rows before these",
                lambda: set_start(lambda now: max(0, now - SHOWN)),
                disabled=start == 0,
            ),
            muted(f"{start + 1:,} to {min(count, start + SHOWN):,} of {count:,}", size=14),
            icon_button(
                ft.Icons.CHEVRON_RIGHT,
                "Rows after these",
                lambda: set_start(lambda now: now + SHOWN),
                disabled=start + SHOWN >= count,
            ),
        ],
        tight=True,
    )
    return ft.Column(
        [
            Rendered(dataset.id, model, length, split, start),
            row(*chips, pages),
        ],
        spacing=S3,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
