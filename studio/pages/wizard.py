"""The wizard's frame: the steps, the content of one, the live estimate beside it, and what the next press does.

Everything entered is kept in the session's draft, so that going back and forth loses nothing.
"""

from __future__ import annotations

from typing import Any

import anyio
import flet as ft

from studio.frame import frame
from studio.hooks import go, use_engine, use_session, use_surroundings, use_topic
from studio.kit import Busy, body, component, label, muted, notice, primary, secondary, title, toast
from studio.kit.pressed import pressable
from studio.pages.estimate import EstimatePanel
from studio.pages.wizard_case import UseCases
from studio.pages.wizard_data import DataStep, import_chosen
from studio.pages.wizard_draft import DraftOffer
from studio.pages.wizard_model import Models
from studio.pages.wizard_review import Review
from studio.pages.wizard_settings import SettingsStep
from studio.pages.wizard_state import PlanState, goes_on, ready_until, use_plan
from studio.session import DATA, REVIEW, STEPS, USE_CASE, WizardDraft
from studio.theme import S2, S3, S4, Ink

HEADLINES = (
    "What should the model learn to do?",
    "What should it learn from?",
    "Which model do you start from?",
    "How should it be trained?",
    "Ready to start",
)

LEAVE_SECONDS = 2.0


@component
def Wizard() -> Any:
    """The page."""
    session = use_session()
    surroundings = use_surroundings()
    draft = use_topic(session.wizard, every=0.0)
    state = use_plan(draft)
    reach = ready_until(draft, state)
    step = min(draft.step, reach)
    content = (
        lambda: UseCases(draft),
        lambda: DataStep(draft),
        lambda: Models(draft),
        lambda: SettingsStep(draft, state),
        lambda: Review(draft, state),
    )[step]()
    wide = surroundings.columns == 3
    onward = goes_on(draft)
    origin = f"New run from {onward.title}" if onward else "New run"
    steps = StepList(step, reach, vertical=False)
    return frame(
        surroundings,
        ft.Column([muted(f"{origin}, step {step + 1} of {len(STEPS)}"), title(HEADLINES[step])], spacing=0, tight=True),
        steps,
        *([notice("warn", "Something of this draft is gone.", " ".join(draft.lost))] if draft.lost else []),
        *([DraftOffer()] if step == USE_CASE and not draft.begun else []),
        ft.Container(content, key=f"step-{step}"),
        panel=EstimatePanel(draft, state) if wide or step >= REVIEW - 1 else None,
        footer=Footer(draft, state, step),
    )


@component
def StepList(step: int, reach: int, vertical: bool) -> Any:
    """The five steps; those within reach can be pressed."""
    session = use_session()
    narrow = use_surroundings().columns == 1
    marks: list[ft.Control] = []
    for index, name in enumerate(STEPS):
        marks.append(_mark(index, name, step, index <= reach, narrow, lambda index=index: session.turn_to(index)))
        if index < len(STEPS) - 1:
            marks.append(ft.Container(height=1, bgcolor=Ink.BORDER, expand=True))
    return ft.Row(marks, spacing=S2, vertical_alignment=ft.CrossAxisAlignment.CENTER)


def _mark(index: int, name: str, step: int, open_: bool, narrow: bool, press: Any) -> ft.Control:
    done, here = index < step, index == step
    ground = Ink.ACTION if here else Ink.PRIMARY_TINT if done else Ink.TRACK
    inside: ft.Control = (
        ft.Icon(ft.Icons.CHECK, size=14, color=Ink.ON_PRIMARY_TINT)
        if done
        else label(str(index + 1), color=Ink.ON_ACTION if here else Ink.MUTED, text_align=ft.TextAlign.CENTER)
    )
    disc = ft.Container(inside, width=26, height=26, border_radius=13, bgcolor=ground, alignment=ft.Alignment.CENTER)
    words = [] if narrow and not here else [label(name) if here else body(name, color=Ink.TEXT if open_ else Ink.MUTED)]
    face = ft.Row([disc, *words], spacing=S2, tight=True)
    said, padding = f"Step {index + 1}: {name}", ft.Padding.only(right=6)
    if open_ and not here:
        return pressable(face, press, name=said, radius=13, padding=padding)
    inside = ft.Semantics(content=ft.Container(face, padding=padding), exclude_semantics=True)
    return ft.MergeSemantics(content=ft.Semantics(content=inside, label=said, selected=here))


async def _leave_for(route: str) -> None:
    """Show another page, and wait until it is there: an empty form would flash up otherwise."""
    page = ft.context.page
    go(route)
    with anyio.move_on_after(LEAVE_SECONDS):
        while page.route != route:
            await anyio.sleep(0.02)


@component
def Footer(draft: WizardDraft, state: PlanState, step: int) -> Any:
    """Back, and the one thing to do next."""
    engine, session = use_engine(), use_session()

    def back() -> None:
        session.turn_to(step - 1)

    def forward() -> None:
        session.turn_to(step + 1)

    async def take_data() -> None:
        await import_chosen(engine, session)

    async def start() -> None:
        assert state.draft is not None
        run_id = await engine.start(state.draft)
        toast("Training begins.")
        await _leave_for(f"/runs/{run_id}")
        session.start_over()
        await engine.drafts.forget(draft.id)

    left = secondary("Back", back) if step else secondary("Cancel", lambda: go("/"))
    if step == DATA and not draft.dataset:
        sure = draft.inspection is not None and (draft.mapping or draft.inspection.mapping) is not None
        right = Busy("Use this data", "Importing", take_data, disabled=not sure)
    elif step == REVIEW:
        ready = state.plan is not None and state.plan.ready
        right = Busy("Start training", "Starting", start, icon=ft.Icons.PLAY_ARROW, disabled=not ready)
    else:
        right = primary(f"Continue to {STEPS[step + 1]}", forward, disabled=ready_until(draft, state) <= step)
    return ft.Container(
        ft.Row([left, right], alignment=ft.MainAxisAlignment.SPACE_BETWEEN, spacing=S3),
        padding=ft.Padding.symmetric(horizontal=S4, vertical=S3),
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(top=ft.BorderSide(1, Ink.BORDER)),
    )
