"""Step 5: everything once more on one page, the checks before the start, and a name."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.checks import Check
from engine.plan.planner import Plan
from engine.spec.methods import method_name
from studio.hooks import use_session, use_surroundings
from studio.kit import ErrorCard, TextField, body, card, columns, component, fact, loading, muted, section
from studio.pages.wizard_found import finding_notice
from studio.pages.wizard_state import PlanState
from studio.session import WizardDraft
from studio.theme import S2, S3, S4, Ink

MARKS = {
    "ok": (ft.Icons.CHECK_CIRCLE, Ink.GREEN, "good"),
    "warning": (ft.Icons.WARNING_AMBER_ROUNDED, Ink.AMBER, "take a look"),
    "problem": (ft.Icons.CANCEL, Ink.RED, "stands against it"),
}
METHOD_NAMES = {"lora": "LoRA", "qlora": "QLoRA", "full": "Every weight"}


@component
def Review(draft: WizardDraft, state: PlanState) -> Any:
    """The last look."""
    session = use_session()
    narrow = use_surroundings().columns == 1
    if state.card is not None:
        return ErrorCard(state.card)
    if state.plan is None or state.draft is None:
        return loading("Counting your data in the model's own tokens")
    plan = state.plan
    checks: list[ft.Control] = [_check(each, narrow) for each in plan.checks]
    name = TextField(state.draft.name, lambda words: session.edit(name=words.strip()), label="Name of this run")
    return ft.Column(
        [
            name if narrow else ft.Row([ft.Container(name, width=420)]),
            _summary(plan, state, narrow),
            section("Before the start", card(ft.Column(checks, spacing=S2, tight=True))),
            *[finding_notice(each) for each in plan.findings],
        ],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _summary(plan: Plan, state: PlanState, narrow: bool) -> ft.Control:
    training = plan.training
    data = state.draft.data if state.draft else None
    facts = [
        fact("Method", METHOD_NAMES.get(method_name(plan.method), method_name(plan.method))),
        fact("Epochs", str(training.epochs), f"{plan.total_steps} steps"),
        fact("Learning rate", f"{training.learning_rate:g}", training.schedule),
        fact("Batch", str(training.batch_size), "examples per step"),
        fact("Context", f"{training.max_length:,}", "tokens"),
        fact("Examples", f"{data.rows:,}" if data else "", f"{data.validation_rows:,} held out" if data else ""),
    ]
    return card(columns(list(facts), 2 if narrow else 3))


def _check(check: Check, narrow: bool) -> ft.Control:
    icon, color, word = MARKS[check.state]
    name, note = body(check.title), muted(check.note, size=14, expand=None if narrow else True)
    words: ft.Control = (
        ft.Column([name, note], spacing=0, tight=True)
        if narrow
        else ft.Row([ft.Container(name, width=150), note], spacing=S3)
    )
    return ft.Row(
        [ft.Icon(icon, color=color, size=20, semantics_label=word), ft.Container(words, expand=True)], spacing=S3
    )
