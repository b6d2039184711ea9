"""Step 3: the model to start from. The starter, models in the Home, and any folder."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.models import BaseModel
from studio.hooks import use_engine, use_session, use_surroundings
from studio.kit import Busy, TextField, badge, card, columns, component, gigabytes, glossed, label, link, muted, row
from studio.model_folders import keep_folder
from studio.pages.wizard_state import use_models
from studio.session import WizardDraft
from studio.theme import S2, S3, Ink

SAFE = "Weights are read from safetensors only, and no code of a model is ever run."


def size_words(parameters: int) -> str:
    """How many weights, as the field says it: 7 M, 1.5 B."""
    if parameters >= 1_000_000_000:
        return f"{parameters / 1e9:.1f} B"
    return f"{parameters / 1e6:.1f} M" if parameters < 10_000_000 else f"{parameters / 1e6:.0f} M"


@component
def Models(draft: WizardDraft) -> Any:
    """The models at hand, and a way to name another folder."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    count = 1 if surroundings.columns == 1 else 2
    path, set_path = ft.use_state("")
    models = use_models()
    smallest = min((each.parameters for each in models), default=0)

    async def add() -> None:
        model = engine.planning.model(path)
        keep_folder(engine, session, model)
        session.edit(model=model.path)

    cards = [
        _model(
            each,
            selected=each.path == draft.model,
            starter=each.parameters == smallest,
            press=lambda each=each: session.edit(model=each.path),
        )
        for each in models
    ]
    named = [
        label("Or a model folder on this computer"),
        row(
            ft.Container(TextField(path, set_path, hint="A folder with config.json and safetensors"), width=420),
            Busy("Add this folder", "Reading", add, main=False, disabled=not path.strip()),
        ),
        muted(SAFE),
        row(*glossed(SAFE)),
    ]
    return ft.Column(
        [
            columns(cards, count),
            *([] if surroundings.confined else named),
            row(link("More about these models", "/models")),
        ],
        spacing=S3,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _model(model: BaseModel, *, selected: bool, starter: bool, press: Any) -> ft.Control:
    facts = (
        f"{size_words(model.parameters)} weights",
        gigabytes(model.weight_bytes),
        f"reads {model.context:,} tokens",
        model.architecture,
    )
    head = ft.Row(
        [
            label(model.name, expand=True, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
            *([badge("smallest, for a first try", "good")] if starter else []),
            *([ft.Icon(ft.Icons.CHECK_CIRCLE, size=18, color=Ink.PRIMARY)] if selected else []),
        ],
        spacing=S2,
    )
    notes = [muted(" · ".join(facts), size=14)]
    if not model.chat_template:
        notes.append(muted("Has no chat template of its own; a plain one is used."))
    return card(ft.Column([head, *notes], spacing=S2, tight=True), on_click=press, selected=selected, name=model.name)
