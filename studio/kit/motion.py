"""The two things that move by themselves while work goes on; they stand still where nothing may move."""

from __future__ import annotations

from typing import Any

import flet as ft

from studio.hooks import use_surroundings
from studio.theme import Ink


@ft.component
def Turning() -> Any:
    """Something is on its way."""
    if use_surroundings().still:
        return ft.Icon(ft.Icons.HOURGLASS_EMPTY, size=16, color=Ink.PRIMARY)
    return ft.ProgressRing(width=16, height=16, stroke_width=2, color=Ink.FILL)


@ft.component
def Running(color: str, height: int, name: str) -> Any:
    """A bar of work whose end is not known; empty where nothing may move."""
    return ft.ProgressBar(
        value=0.0 if use_surroundings().still else None,
        color=color,
        bgcolor=Ink.TRACK,
        bar_height=height,
        border_radius=ft.BorderRadius.all(height / 2),
        semantics_label=name or None,
    )
