"""Models: the starter, those of the Home and folders that were named; what each is, and what training it takes here."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.models import BaseModel, UnusableModel
from engine.planning import MethodNeed
from studio.frame import frame
from studio.hooks import go, use_attempt, use_engine, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    CodeBlock,
    ErrorCard,
    TextField,
    badge,
    body,
    card,
    code,
    columns,
    component,
    fact,
    gigabytes,
    label,
    loading,
    muted,
    primary,
    quiet,
    row,
    section,
    termed,
    title,
    toast,
)
from studio.kit.meters import meter
from studio.model_folders import forget_folder, keep_folder, use_folders
from studio.pages.wizard_found import finding_notice
from studio.pages.wizard_model import size_words
from studio.theme import S3, Ink


@component
def ModelList() -> Any:
    """The page."""
    engine = use_engine()
    surroundings = use_surroundings()
    looked, look = ft.use_state(0)
    found = ft.use_memo(engine.planning.models, [looked])
    named = use_folders()
    known = {each.path for each in found.models}
    models = [*found.models, *(each for each in named.models if each.path not in known)]
    gone = [] if surroundings.confined else [Gone(each, key=each.path) for each in named.unusable]  # type: ignore[call-arg]
    unusable = [*(_unusable(each) for each in found.unusable), *gone]
    return frame(
        surroundings,
        title("Models"),
        *(ModelCard(each, key=each.path) for each in models),  # type: ignore[call-arg]
        *([] if surroundings.confined else [Add()]),
        *([section("Cannot be used", *unusable)] if unusable else []),
        actions=(quiet("Look again", lambda: look(lambda times: times + 1), icon=ft.Icons.REFRESH),),
    )


@component
def ModelCard(model: BaseModel) -> Any:
    """One model: its architecture, its size, and what training it by each method takes."""
    session = use_session()
    surroundings = use_surroundings()
    count = 2 if surroundings.columns == 1 else 4
    open_, set_open = ft.use_state(False)

    def use() -> None:
        session.start_over()
        session.add_model(model)
        go("/new")
        toast(f"{model.name} is chosen for the new run.")

    facts = [
        fact(termed("Weights"), size_words(model.parameters), f"{gigabytes(model.weight_bytes)}, {model.dtype}"),
        fact("Reads", f"{model.context:,}", "tokens"),
        fact(termed("Layers"), str(model.layers), f"{model.hidden:,} wide, {model.heads} heads"),
        fact("Vocabulary", f"{model.vocabulary:,}", "tokens"),
    ]
    blocks: list[ft.Control] = [
        row(label(model.name, max_lines=2, overflow=ft.TextOverflow.ELLIPSIS), badge(model.architecture, "plain")),
        columns(facts, count),
        *([] if model.chat_template else [muted("Has no chat template of its own; a plain one is used.", size=14)]),
        *([] if surroundings.confined else [CodeBlock(model.path, "the path", most=2)]),
        *(finding_notice(each) for each in model.findings),
        row(
            primary("Use it in a new run", use, icon=ft.Icons.AUTO_FIX_HIGH),
            quiet("Hide what training takes" if open_ else "What training takes here", lambda: set_open(not open_)),
        ),
    ]
    if open_:
        blocks.append(Needs(model, key=f"needs-{model.path}"))  # type: ignore[call-arg]
    return card(ft.Column(blocks, spacing=S3, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH))


@component
def Needs(model: BaseModel) -> Any:
    """Memory by method, against what this machine has."""
    engine = use_engine()
    hardware = use_topic(engine.planning.hardware, every=1.0)
    if hardware is None:
        return loading("Looking at the hardware")
    needs = ft.use_memo(lambda: engine.planning.needs(model), [model.path, id(hardware)])
    note = "Planned for rows of the usual length on this computer; the wizard counts your own."
    return ft.Column([*(_need(each) for each in needs), muted(note)], spacing=S3, tight=True)


def _need(each: MethodNeed) -> ft.Control:
    if each.why_not:
        return ft.Column([body(f"{each.title}: not possible"), muted(each.why_not)], spacing=2, tight=True)
    words = f"{gigabytes(each.memory)} of {gigabytes(each.budget)}{'' if each.fits else ', too much'}"
    return meter(each.title, each.memory / max(1, each.budget), words)


def _unusable(each: UnusableModel) -> ft.Control:
    return ErrorCard(each.card, tone="warn", also=code(each.path, size=12, color=Ink.MUTED))


@component
def Gone(each: UnusableModel) -> Any:
    """A folder that was named and cannot be read any more, such as one on a disk that is not connected."""
    engine, session = use_engine(), use_session()
    forget = quiet("Forget this folder", lambda: forget_folder(engine, session, each.path))
    return ErrorCard(each.card, tone="warn", also=row(code(each.path, size=12, color=Ink.MUTED), forget))


@component
def Add() -> Any:
    """Names any folder on this computer."""
    engine, session = use_engine(), use_session()
    path, set_path = ft.use_state("")
    problem, trying = use_attempt()

    async def add() -> None:
        model = engine.planning.model(path)
        keep_folder(engine, session, model)
        set_path("")

    field = TextField(path, set_path, label="Model folder", hint="A folder with config.json and safetensors")
    blocks: list[ft.Control] = [
        row(
            ft.Container(field, width=420),
            Busy("Add this folder", "Reading", trying(add), main=False, disabled=not path.strip()),
        ),
        muted("Weights are read from safetensors only, and no code of a model is ever run."),
    ]
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return section("A folder on this computer", ft.Column(blocks, spacing=S3, tight=True))
