"""What need not be there at once: the content below what is first seen, and the sign that something takes a moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import flet as ft

from studio.hooks import use_surroundings, use_task
from studio.kit import text
from studio.kit.guard import component
from studio.kit.motion import Turning
from studio.theme import PAGE_GAP, PHONE_GAP, RADIUS_FIELD, S2, S3, Ink

BELOW_SECONDS = 0.2
"""By then the page that was opened has been painted."""
SKELETON_SECONDS = 0.15
"""What is there within this needs no sign that it is coming: it would only flicker."""
LINE = 24
BARS = (0.9, 0.7, 0.8)
"""Widths of a skeleton's lines, as shares of the room there is."""


def use_later(seconds: float) -> bool:
    """False where the component is first drawn, true after these seconds."""
    come, arrive = ft.use_state(False)

    async def wait() -> None:
        await anyio.sleep(seconds)
        arrive(True)

    use_task(wait, [])
    return come


@component
def Below(blocks: Sequence[ft.Control], gap: float | None = None) -> Any:
    """Blocks of a page that lie below what is first seen: they are made once the page stands, so that it stands sooner.
    From then on they are drawn with it. `gap` between them in pixels, where it is not a page's own."""
    page_gap = PAGE_GAP if use_surroundings().columns > 1 else PHONE_GAP
    here = use_later(BELOW_SECONDS)
    return ft.Column(
        list(blocks) if here else [],
        spacing=page_gap if gap is None else gap,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
        visible=bool(blocks),
    )


@component
def Loading(what: str) -> Any:
    """Something is on its way: after a moment its words, and grey lines where it will stand."""
    if not use_later(SKELETON_SECONDS):
        return ft.Container(height=LINE)
    bars = [ft.Row([_bar(share), ft.Container(expand=round(100 - 100 * share))], spacing=0) for share in BARS]
    words = ft.Row([Turning(), text.muted(f"{what}…", size=14)], spacing=S3)
    return ft.Semantics(content=ft.Column([words, *bars], spacing=S2, tight=True), live_region=True, container=True)


def _bar(share: float) -> ft.Control:
    return ft.Container(height=12, bgcolor=Ink.TRACK, border_radius=RADIUS_FIELD, expand=round(100 * share))


def loading(what: str = "Loading") -> ft.Control:
    """Something is on its way."""
    return Loading(what)  # type: ignore[return-value]
