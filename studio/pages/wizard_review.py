"""Step 5: everything once more on one page, the checks before the start, and a name."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.checks import Check
from engine.plan.facts import DataFacts
from engine.plan.methods import TABLE
from engine.plan.objectives import TABLE as OBJECTIVES
from engine.plan.planner import Plan
from engine.results.continuing import Continuation
from engine.spec.methods import method_name
from studio.hooks import use_session, use_surroundings
from studio.kit import TextField, card, columns, component, fact, loading, muted, notice, plural, section, termed
from studio.pages.wizard_found import finding_notice
from studio.pages.wizard_needs import Alternatives, Needs
from studio.pages.wizard_settings import Refused
from studio.pages.wizard_state import PlanState, goes_on
from studio.session import WizardDraft
from studio.theme import BODY, LARGE, S2, S3, S4, Ink

MARKS = {
    "ok": (ft.Icons.CHECK_CIRCLE, Ink.GREEN, "good"),
    "warning": (ft.Icons.WARNING_AMBER_ROUNDED, Ink.AMBER, "take a look"),
    "problem": (ft.Icons.CANCEL, Ink.RED, "stands against it"),
}


@component
def Review(draft: WizardDraft, state: PlanState) -> Any:
    """The last look."""
    session = use_session()
    narrow = use_surroundings().columns == 1
    if state.card is not None:
        return Refused(state.card)
    if state.plan is None or state.draft is None:
        return loading("Counting your data in the model's own tokens")
    plan = state.plan
    onward = goes_on(draft)
    parent = notice("info", *onward_words(onward)) if onward else None
    checks: list[ft.Control] = [_check(each, narrow) for each in plan.checks]
    name = TextField(state.draft.name, lambda words: session.edit(name=words.strip()), label="Name of this run")
    return ft.Column(
        [
            name if narrow else ft.Row([ft.Container(name, width=420)]),
            *([parent] if parent else []),
            _summary(plan, state, narrow),
            section("Before the start", card(ft.Column(checks, spacing=S2, tight=True))),
            *[finding_notice(each) for each in plan.findings],
            Needs(plan),
            *([Alternatives(draft, plan)] if plan.alternatives else []),
        ],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def onward_words(onward: Continuation) -> tuple[str, str]:
    """That training goes on from a version, and what cannot change because of it."""
    kept = "its method and its adapter's settings stay as they were."
    return f"Training goes on from {onward.title}.", f"It begins with the weights of that version: {kept}"


def _summary(plan: Plan, state: PlanState, narrow: bool) -> ft.Control:
    training = plan.training
    data = state.draft.data if state.draft else None
    facts = [
        fact(termed("Method"), termed(named(plan), size=LARGE, color=Ink.TEXT), termed(objective_title(plan))),
        fact(termed("Epochs"), str(training.epochs), termed(plural(plan.total_steps, "step"))),
        fact(termed("Learning rate"), f"{training.learning_rate:g}", termed(f"{training.schedule} schedule")),
        fact(termed("Batch size"), str(training.batch_size), "examples at once"),
        fact(termed("Context length"), f"{training.max_length:,}", termed("tokens")),
        fact("Examples", f"{data.examples:,}" if data else "", termed(_held_out(data)) if data else ""),
    ]
    return card(columns(list(facts), 2 if narrow else 3))


def _held_out(data: DataFacts) -> str:
    """Held-out examples; of preferences both answers are rows of one example."""
    held = data.validation_rows // 2 if data.layout == "pairs" else data.validation_rows
    return f"{held:,} held out"


def named(plan: Plan) -> str:
    """The method by the name it was chosen by: LoRA+ is LoRA with other knobs."""
    name = next((str(each.value) for each in plan.values if each.name == "method"), method_name(plan.method))
    return TABLE[name].title if name in TABLE else name


def objective_title(plan: Plan) -> str:
    """What is optimised."""
    return OBJECTIVES[str(plan.objective.__struct_config__.tag)].title


def _check(check: Check, narrow: bool) -> ft.Control:
    icon, color, word = MARKS[check.state]
    name, note = (
        termed(check.title, size=BODY, color=Ink.TEXT),
        muted(check.note, size=14, expand=None if narrow else True),
    )
    words: ft.Control = (
        ft.Column([name, note], spacing=0, tight=True)
        if narrow
        else ft.Row([ft.Container(name, width=150), note], spacing=S3)
    )
    return ft.Row(
        [ft.Icon(icon, color=color, size=20, semantics_label=word), ft.Container(words, expand=True)], spacing=S3
    )
