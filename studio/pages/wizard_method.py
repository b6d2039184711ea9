"""How it is trained: the method with what it is, when to use it and what it costs, and the objective that suits the
data. Both tables are the planner's own.
"""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.data.nouns import Dataset
from engine.plan.methods import TABLE, MethodFacts
from engine.plan.objectives import TABLE as OBJECTIVES
from engine.plan.values import Value
from engine.spec.objectives import LAYOUTS
from engine.spec.records import Fact
from studio.guides import term_named
from studio.hooks import use_engine, use_session, use_surroundings, use_topic
from studio.kit import (
    Choice,
    badge,
    body,
    captioned,
    card,
    columns,
    component,
    label,
    muted,
    quiet,
    row,
    section,
    termed,
    use_tip,
)
from studio.pages.wizard_state import OBJECTIVE
from studio.session import Session, WizardDraft
from studio.theme import BODY, S1, S2, S3, S4, Ink

CHOSEN_FOR_YOU = ("", "Chosen for you")


def offered(show_all: bool) -> list[MethodFacts]:
    """The methods to choose from; those for experts only in expert mode."""
    return [each for each in TABLE.values() if show_all or each.level != "expert"]


def use_everything(draft: WizardDraft) -> bool:
    """Whether every setting and method is shown: as it was chosen for this draft, else as the app's settings say."""
    settings = use_topic(use_engine().settings, every=0.0)
    return settings.expert_mode if draft.show_all is None else draft.show_all


def choose_method(session: Session, name: str) -> None:
    """Another method brings its own suggestions; what is optimised stays."""
    kept = {key: value for key, value in session.wizard.value.edits.items() if key == OBJECTIVE}
    session.edit(method=name, edits=kept)


@component
def MethodPart(draft: WizardDraft, value: Value | None, objective: Value | None) -> Any:
    """Method and objective, each with its reason; all methods side by side on demand."""
    session, everything = use_session(), use_everything(draft)
    compare, set_compare = ft.use_state(False)
    narrow = use_surroundings().columns == 1
    options = [CHOSEN_FOR_YOU, *((each.name, each.title) for each in offered(everything))]
    if draft.method and draft.method not in dict(options):
        options.append((draft.method, TABLE[draft.method].title if draft.method in TABLE else draft.method))
    tip, explained = use_tip(term_named("Method"))
    choice = Choice(draft.method, options, lambda name: choose_method(session, name), "Method", width=260, tip=tip)
    words: list[ft.Control] = [muted(value.reason, size=14)] if value else []
    if chosen := TABLE.get(str(value.value) if value else draft.method):
        words = [_title(chosen.title), *_facts(chosen)] if draft.method else [_title(chosen.title), *words]
    lines = [_beside(choice, ft.Column([*words, *explained], spacing=S1, tight=True), narrow)]
    if objective is not None:
        lines.append(ObjectiveRow(draft, objective))
    more = quiet("Hide the methods" if compare else "Compare all methods", lambda: set_compare(lambda now: not now))
    blocks: list[ft.Control] = [card(ft.Column(lines, spacing=S4, tight=True))]
    if compare:
        cards = [_method(each, draft, session) for each in offered(everything)]
        blocks.append(columns(cards, 1 if narrow else 2, spacing=S3))
    return section("How it is trained", *blocks, action=more)


def _title(words: str) -> ft.Control:
    return termed(words, size=BODY, color=Ink.TEXT)


def _method(method: MethodFacts, draft: WizardDraft, session: Session) -> ft.Control:
    head = row(label(method.title), *([badge("for experts", "plain")] if method.level == "expert" else []))
    return card(
        ft.Column([head, body(method.what), *_facts(method, what=False)], spacing=S2, tight=True),
        on_click=lambda: choose_method(session, method.name),
        selected=draft.method == method.name,
        padding=12,
        name=f"Method {method.title}",
    )


def _facts(method: MethodFacts, *, what: bool = True) -> list[ft.Control]:
    said = [body(method.what)] if what else []
    return [*said, captioned("When to use it", method.when), captioned("What it costs", method.cost)]


@component
def ObjectiveRow(draft: WizardDraft, value: Value) -> Any:
    """What is optimised; a choice where the data can be read in more than one way."""
    engine, session = use_engine(), use_session()
    datasets = use_topic(engine.library.datasets, every=0.5)
    narrow = use_surroundings().columns == 1
    dataset = next((each for each in datasets if each.id == draft.dataset), None)
    names = readable(dataset)
    chosen = OBJECTIVES[str(value.value)]
    words = ft.Column(
        [body(chosen.what), muted(f"{chosen.when} {value.reason if value.source == 'you' else ''}".strip(), size=14)],
        spacing=S1,
        tight=True,
    )
    tip, explained = use_tip(term_named("Objective"))
    if len(names) < 2:
        fixed = ft.Column([termed("Objective"), _title(chosen.title)], spacing=0, tight=True)
        return _beside(fixed, words, narrow)

    def choose(name: str) -> None:
        others: dict[str, Fact] = {
            key: each for key, each in session.wizard.value.edits.items() if key not in (OBJECTIVE, "max_length")
        }
        session.edit(edits={**others, OBJECTIVE: name})

    options = [(each, OBJECTIVES[each].title) for each in names]
    words.controls += explained
    return _beside(Choice(chosen.name, options, choose, "Objective", width=260, tip=tip), words, narrow)


def readable(dataset: Dataset | None) -> list[str]:
    """The objectives that can be trained on a dataset: its own layout's, and imitation of its good answers."""
    layouts = {"rows", dataset.layout} if dataset else {"rows"}
    return [name for name in OBJECTIVES if LAYOUTS[name] in layouts]


def _beside(field: ft.Control, words: ft.Control, narrow: bool) -> ft.Control:
    if narrow:
        return ft.Column([field, words], spacing=S2, tight=True)
    return ft.Row(
        [ft.Container(field, width=268), ft.Container(words, expand=True)],
        spacing=S4,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )
