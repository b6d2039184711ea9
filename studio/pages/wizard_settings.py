"""Step 4: how it is trained. The method, five values that matter, each with its reason; the rest on demand."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.defaults import Value
from engine.plan.edits import settings_for
from engine.spec.fields import Level, Setting
from engine.spec.methods import method_name
from engine.spec.records import Card, Fact
from studio.guides import term_of
from studio.hooks import use_session, use_surroundings
from studio.kit import (
    Choice,
    ErrorCard,
    NumberField,
    Switch,
    TextField,
    body,
    card,
    component,
    icon_button,
    loading,
    quiet,
    section,
    use_tip,
)
from studio.kit.terms import Tip
from studio.pages.wizard_found import finding_notice
from studio.pages.wizard_method import MethodPart, use_everything
from studio.pages.wizard_needs import Alternatives
from studio.pages.wizard_state import OBJECTIVE, PlanState
from studio.session import WizardDraft
from studio.theme import S1, S3, S4, Ink

GROUPS = {Level.ESSENTIAL: "What matters most", Level.ADVANCED: "Advanced", Level.EXPERT: "Expert"}


@component
def SettingsStep(draft: WizardDraft, state: PlanState) -> Any:
    """The form, drawn from the settings' own descriptions."""
    session, everything = use_session(), use_everything(draft)
    if state.card is not None and state.plan is None:
        return ft.Column(
            [
                Refused(state.card),
                MethodPart(draft, None, None),
            ],
            spacing=S3,
        )
    if state.plan is None:
        return loading("Counting your data in the model's own tokens")
    plan = state.plan
    method = method_name(plan.method)
    settings = settings_for(method, str(plan.objective.__struct_config__.tag))
    values = {each.name: each for each in plan.values}
    levels = list(GROUPS) if everything else [Level.ESSENTIAL]
    blocks: list[ft.Control] = [MethodPart(draft, values.get("method"), values.get(OBJECTIVE))]
    for level in levels:
        rows: list[ft.Control] = [
            SettingRow(setting, values[name], name in draft.edits, key=f"{name}-{method}")  # type: ignore[call-arg]
            for name, setting in settings.items()
            if setting.level is level and name in values
        ]
        if rows:
            blocks.append(section(GROUPS[level], card(ft.Column(rows, spacing=S4, tight=True))))
    if plan.alternatives:
        blocks.append(Alternatives(draft, plan))
    blocks += [finding_notice(each) for each in plan.findings]
    more = "Show only what matters most" if everything else f"Show all {len(settings)} settings"
    blocks.append(ft.Row([quiet(more, lambda: session.edit(show_all=not everything))]))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Refused(card_: Card) -> Any:
    """Why there is no plan, and the way back to one."""
    session = use_session()
    again = quiet("Take the suggested values again", lambda: session.edit(edits={}, method=""))
    return ft.Column([ErrorCard(card_), ft.Row([again])], spacing=S3)


@component
def SettingRow(setting: Setting, value: Value, edited: bool) -> Any:
    """One setting: name, value, reason, and back to the suggestion."""
    session = use_session()
    narrow = use_surroundings().columns == 1
    tip, explained = use_tip(term_of(setting.name))

    def set_value(new: Fact) -> None:
        if new != value.value:
            session.edit(edits={**session.wizard.value.edits, setting.name: new})

    def reset() -> None:
        session.edit(edits={key: each for key, each in session.wizard.value.edits.items() if key != setting.name})

    field = ft.Row(
        [
            ft.Container(_field(setting, value, set_value, tip), expand=True),
            *([icon_button(ft.Icons.RESTART_ALT, f"Suggested value for {setting.title}", reset)] if edited else []),
        ],
        spacing=S1,
        width=260,
    )
    words = ft.Column(
        [
            body(setting.help),
            ft.Text(value.reason, size=12, color=Ink.PRIMARY if edited else Ink.MUTED),
            *explained,
        ],
        spacing=0,
        tight=True,
    )
    return _line(field, words, narrow)


def _line(field: ft.Control, words: ft.Control, narrow: bool) -> ft.Control:
    if narrow:
        return ft.Column([field, words], spacing=S1, tight=True)
    return ft.Row(
        [ft.Container(field, width=268), ft.Container(words, expand=True)],
        spacing=S4,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )


def _field(setting: Setting, value: Value, set_value: Any, tip: Tip | None) -> ft.Control:
    current = value.value
    if isinstance(current, bool):
        return Switch(current, set_value, label=setting.title, tip=tip)
    if setting.choices:
        options = [(each, each) for each in setting.choices]
        return Choice(str(current), options, set_value, label=setting.title, width=216, tip=tip)
    if isinstance(current, int | float):
        return NumberField(
            current,
            lambda number: set_value(int(number) if setting.whole else number),
            whole=setting.whole,
            minimum=setting.minimum,
            maximum=setting.maximum,
            unit=setting.unit,
            label=setting.title,
            width=150,
            tip=tip,
        )
    shown = ", ".join(current) if isinstance(current, tuple) else str(current)
    return TextField(shown, set_value, label=setting.title, tip=tip)
