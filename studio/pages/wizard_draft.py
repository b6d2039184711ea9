"""A draft that was begun and not started yet, offered to go on with or to discard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flet as ft

from engine.runs.drafts import KeptDraft
from studio.drafting import go_on
from studio.hooks import go, use_engine, use_session, use_surroundings, use_topic
from studio.kit import Busy, ago, card, component, label, muted, quiet, row, toast
from studio.pages.wizard_state import profile_title
from studio.session import STEPS
from studio.theme import S3, Ink
from studio.undo import delete_later


def draft_words(kept: KeptDraft, use_case: str) -> tuple[str, str]:
    """What a draft is called, and where it stands."""
    name = kept.name or kept.dataset_name or Path(kept.path).name or use_case
    step = STEPS[min(kept.step, len(STEPS) - 1)]
    return f"Go on with your draft “{name}”", f"Step {step}, edited {ago(kept.changed)}"


@component
def DraftOffer() -> Any:
    """This window's draft, or the newest that no window has open; nothing where there is none."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    own = use_topic(session.wizard, every=0.0)
    leaving = use_topic(session.leaving, every=0.0)
    use_topic(engine.drafts.held, every=0.0)
    known = [each for each in use_topic(engine.drafts.all, every=0.0) if each.id not in leaving]
    free = {each.id for each in engine.drafts.free}
    offered = next((each for each in known if each.id == own.id or (not own.begun and each.id in free)), None)
    if offered is None:
        return ft.Container(height=0, visible=False)

    async def take() -> None:
        if offered.id != own.id and not await go_on(engine, session, offered, confined=surroundings.confined):
            toast("Another window went on with this draft.")
            return
        go("/new")

    async def discard() -> None:
        if offered.id == own.id:
            session.start_over()
        await delete_later(session, [offered.id], "The draft is discarded.", engine.drafts.forget)

    narrow = surroundings.columns == 1
    what, where = draft_words(offered, profile_title(engine, offered.profile))
    words = ft.Row(
        [
            ft.Icon(ft.Icons.EDIT_NOTE, size=24, color=Ink.PRIMARY),
            ft.Column([label(what), muted(where, size=14)], spacing=2, tight=True, expand=True),
        ],
        spacing=S3,
        expand=None if narrow else True,
    )
    verbs = row(Busy("Go on", "Opening", take, main=False), quiet("Discard", discard), wrap=False)
    return card(ft.Column([words, verbs], spacing=S3) if narrow else ft.Row([words, verbs], spacing=S3), padding=12)
