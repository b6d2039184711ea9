"""Step 1: what the model should learn to do. A card per profile, with an example in and out."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.profiles import Profile
from studio.hooks import use_engine, use_session, use_surroundings
from studio.kit import card, columns, component, label, muted
from studio.session import WizardDraft
from studio.theme import S1, S2, Ink

ICONS = {
    "question-answering": ft.Icons.HELP_OUTLINE,
    "chatbot": ft.Icons.CHAT_BUBBLE_OUTLINE,
    "customer-support": ft.Icons.SUPPORT_AGENT,
    "summarization": ft.Icons.SHORT_TEXT,
    "classification": ft.Icons.LABEL_OUTLINE,
    "code": ft.Icons.CODE,
    "creative-writing": ft.Icons.EDIT_OUTLINED,
    "domain-adaptation": ft.Icons.MENU_BOOK_OUTLINED,
}


@component
def UseCases(draft: WizardDraft) -> Any:
    """All profiles, the chosen one marked."""
    engine, session = use_engine(), use_session()
    count = {1: 1, 2: 2, 3: 2}[use_surroundings().columns]

    def choose(profile: Profile) -> None:
        session.edit(profile=profile.id, edits={})

    cards = [
        _case(each, each.id == draft.profile, lambda each=each: choose(each)) for each in engine.planning.profiles()
    ]
    return columns(cards, count)


def _case(profile: Profile, selected: bool, press: Any) -> ft.Control:
    head = ft.Row(
        [
            ft.Icon(ICONS.get(profile.id, ft.Icons.AUTO_AWESOME), size=20, color=Ink.PRIMARY),
            label(profile.title, expand=True),
            *([ft.Icon(ft.Icons.CHECK_CIRCLE, size=18, color=Ink.PRIMARY)] if selected else []),
        ],
        spacing=S2,
    )
    example = ft.Column(
        [_said("In", profile.example_input), _said("Out", profile.example_output)], spacing=S1, tight=True
    )
    return card(
        ft.Column([head, muted(profile.description, size=14), example], spacing=S2, tight=True),
        on_click=press,
        selected=selected,
        name=profile.title,
    )


def _said(side: str, words: str) -> ft.Control:
    return ft.Row(
        [
            ft.Container(muted(side), width=26),
            ft.Text(
                words.replace("\n", " "),
                size=12,
                color=Ink.TEXT,
                expand=True,
                max_lines=2,
                overflow=ft.TextOverflow.ELLIPSIS,
            ),
        ],
        spacing=S1,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )
