"""What a view shows when it has nothing or cannot: empty, notice, and the error card (R1)."""

from __future__ import annotations

from collections.abc import Callable

import flet as ft

from engine.spec.records import Action, Card
from studio.kit import text
from studio.theme import RADIUS_CARD, S2, S3, S4, S6, Ink

TONES = {
    "bad": (ft.Icons.ERROR_OUTLINE, Ink.RED, Ink.RED_TINT),
    "warn": (ft.Icons.WARNING_AMBER_ROUNDED, Ink.AMBER, Ink.AMBER_TINT),
    "good": (ft.Icons.CHECK_CIRCLE_OUTLINE, Ink.GREEN, Ink.GREEN_TINT),
    "info": (ft.Icons.INFO_OUTLINE, Ink.PRIMARY, Ink.PRIMARY_TINT),
}

AGAIN = "Try again"


def notice(tone: str, what: str, why: str = "", *actions: ft.Control) -> ft.Control:
    """A band with an icon, what happened and why, and things to do about it. Tones: bad, warn, good, info."""
    icon, color, ground = TONES[tone]
    words: list[ft.Control] = [text.label(what)]
    if why:
        words.append(text.body(why))
    if actions:
        words.append(ft.Row(list(actions), spacing=S2, run_spacing=S2, wrap=True))
    return ft.Semantics(
        content=ft.Container(
            ft.Row(
                [ft.Icon(icon, color=color, size=20), ft.Column(words, spacing=S2, expand=True, tight=True)],
                spacing=S3,
                vertical_alignment=ft.CrossAxisAlignment.START,
            ),
            bgcolor=ground,
            border_radius=RADIUS_CARD,
            padding=ft.Padding.symmetric(horizontal=S4, vertical=S3),
        ),
        container=True,
        live_region=tone in ("bad", "warn"),
    )


def ErrorCard(
    card: Card,
    on_action: Callable[[Action], object] | None = None,
    possible: Callable[[Action], bool] | None = None,
    tone: str = "bad",
    also: ft.Control | None = None,
    again: Callable[[], object] | None = None,
    close: Callable[[], object] | None = None,
) -> ft.Control:
    """What happened, why, and what to do. Actions with a verb become buttons when they can be carried out here
    (`possible`); the others are advice. `also` stands beside the buttons. `again` tries once more what failed; `close`
    puts away a card that lies over the page."""
    from studio.kit.buttons import quiet, secondary, sentence

    buttons: list[ft.Control] = []
    steps: list[str] = []
    for action in card.actions:
        if on_action is not None and action.do and (possible is None or possible(action)):
            buttons.append(sentence(action.label, lambda action=action, do=on_action: do(action)))
        elif again is None or action.label.rstrip(".") != AGAIN:
            steps.append(action.label)
    if again is not None:
        buttons.append(secondary(AGAIN, again))

    def help_() -> None:
        if close is not None:
            close()
        ft.context.page.navigate(f"/help/{card.help}")

    more = [quiet("Get help", help_), *([quiet("Close", close)] if close is not None else [])]
    advice = ft.Column([_step(step) for step in steps], spacing=2, tight=True)
    shown = [*([advice] if steps else []), *buttons, *([also] if also else []), *more]
    return notice(tone, card.what, card.why, *shown)


def _step(words: str) -> ft.Control:
    return ft.Row(
        [ft.Icon(ft.Icons.CHEVRON_RIGHT, size=16, color=Ink.MUTED), text.body(words, expand=True)],
        spacing=S2,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )


def empty(icon: ft.IconData, what: str, why: str, *actions: ft.Control) -> ft.Control:
    """What would be here, and the one thing to do about it."""
    return ft.Container(
        ft.Column(
            [
                ft.Icon(icon, size=32, color=Ink.FIELD),
                text.label(what),
                text.muted(why, size=14, text_align=ft.TextAlign.CENTER),
                *actions,
            ],
            horizontal_alignment=ft.CrossAxisAlignment.CENTER,
            spacing=S3,
            tight=True,
        ),
        padding=S6,
        alignment=ft.Alignment.CENTER,
    )
