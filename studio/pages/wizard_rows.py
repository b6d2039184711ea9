"""Ten rows as the model will see them, the trained part tinted: the very bytes it is trained on, put back into text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import flet as ft

from engine.core.errors import unexpected
from engine.plan.models import BaseModel
from engine.spec.prepared import Split
from studio.hooks import use_engine, use_loaded
from studio.kit import ErrorCard, card, component, loading, muted, notice, rightward, section
from studio.pages.wizard_state import chosen_model, first_length, use_models
from studio.session import WizardDraft
from studio.theme import MONO, S2, S3, Ink

if TYPE_CHECKING:
    from engine.data.preview import PreviewRow

SHOWN = 10


@component
def RenderedDraft(draft: WizardDraft) -> Any:
    """The first training rows of the chosen dataset, with the chosen model's template (or the first model's)."""
    models = use_models()
    model = chosen_model(models, draft) or models[0]
    return Rendered(draft.dataset, model, first_length(use_engine(), draft, model))


@component
def Rendered(dataset: str, model: BaseModel, length: int, split: Split = "train", start: int = 0) -> Any:
    """Rows of one side from `start` on, cut at `length` tokens."""
    engine = use_engine()

    async def load() -> tuple[PreviewRow, ...]:
        return await engine.library.preview(dataset, Path(model.path), length, split, start, SHOWN)

    loaded = use_loaded(load, [dataset, model.path, length, split, start])
    if loaded.error is not None:
        return ErrorCard(unexpected(loaded.error), again=loaded.again)
    if loaded.value is None:
        return loading("Preparing the rows as the model will see them")
    if not any(row.trained_tokens for row in loaded.value):
        return notice("bad", "There is nothing to train on.", "No row has an answer. Choose another column or file.")
    legend = ft.Row(
        [
            ft.Container(width=14, height=14, bgcolor=Ink.PURPLE_TINT, border_radius=3),
            muted("learned from; everything else is only read"),
        ],
        spacing=S2,
    )
    rows: list[ft.Control] = [_row(each) for each in loaded.value]
    return section(f"As {model.name} will see it", legend, card(ft.Column(rows, spacing=S3, tight=True)))


def _row(row: PreviewRow) -> ft.Control:
    spans = [
        ft.TextSpan(
            segment.text,
            ft.TextStyle(
                font_family=MONO,
                size=12,
                color=Ink.ON_PURPLE_TINT if segment.trained else Ink.MUTED,
                bgcolor=Ink.PURPLE_TINT if segment.trained else None,
            ),
        )
        for segment in row.segments
    ]
    return ft.Column(
        [
            muted(f"row {row.source_row + 1}: {row.tokens} tokens, {row.trained_tokens} learned"),
            ft.Text(
                spans=spans,
                selectable=True,
                rtl=rightward(_content(row)),
                semantics_label="".join(segment.text for segment in row.segments),
            ),
        ],
        spacing=2,
        tight=True,
    )


def _content(row: PreviewRow) -> str:
    """What is learned of a row, or all of it: the template's own words run from left to right in every language."""
    learned = "".join(each.text for each in row.segments if each.trained)
    return learned or "".join(each.text for each in row.segments)
