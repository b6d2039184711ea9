"""What to do next about a version: each finding with the one press that follows it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flet as ft

from engine.results.advice import Advice
from engine.results.versions import Version
from studio.hooks import go, use_attempt, use_engine, use_latest, use_session
from studio.kit import Busy, ErrorCard, badge, body, card, component, label, loading, muted, row, secondary, section
from studio.pages.wizard_state import review_draft
from studio.theme import S2

ABOUT = {"answers": "from its answers", "training": "from its training", "data": "from its data"}


@component
def NextSteps(version: Version, changed: int, show: Callable[[str], None]) -> Any:
    """The advice; `show` opens another part of the version's page."""
    engine = use_engine()
    found, problem, again = use_latest(lambda: engine.outcomes.advice(version.id), [version.id, changed])
    if problem is not None:
        return section("What to do next", ErrorCard(problem, again=again))
    if found is None:
        return section("What to do next", loading("Looking at its answers, training and data"))
    if not found:
        words = "Nothing stands out in its data and training. An evaluation says more."
        return section("What to do next", muted(words, size=14))
    return section("What to do next", *(AdviceCard(each, version, show) for each in found))


@component
def AdviceCard(each: Advice, version: Version, show: Callable[[str], None]) -> Any:
    """One finding, why it matters, and the press that follows it up."""
    engine, session = use_engine(), use_session()
    problem, trying = use_attempt()

    async def train() -> None:
        review_draft(engine, session, await engine.outcomes.follow_up(version.id, each.edits))

    places: dict[str, tuple[str, Callable[[], object]]] = {
        "repair": ("Open the data", lambda: go(f"/data/{version.dataset_id}")),
        "add rows": ("Open the data", lambda: go(f"/data/{version.dataset_id}")),
        "hold out": ("Open the data", lambda: go(f"/data/{version.dataset_id}")),
        "larger model": ("See the models", lambda: go("/models")),
        "export": ("See the exports", lambda: show("exports")),
    }
    if each.do == "train":
        press: ft.Control = Busy("Review this run", "Planning", trying(train), icon=ft.Icons.REPLAY, main=False)
    else:
        words, do = places[each.do]
        press = secondary(words, do)
    blocks = [
        row(label(each.what), badge(ABOUT[each.about], "plain")),
        body(each.why),
        body(each.words),
        row(press),
        *([ErrorCard(problem)] if problem is not None else []),
    ]
    return card(ft.Column(blocks, spacing=S2, tight=True))
