"""How much of something: thin bars and the ring of a run. Every one says its number in words too."""

from __future__ import annotations

import flet as ft

from studio.kit import text
from studio.kit.motion import Running
from studio.kit.words import percent
from studio.theme import S1, Ink


def bar(share: float | None, *, color: str = Ink.FILL, name: str = "", height: int = 6) -> ft.Control:
    """A thin bar, 0 to 1; None means unknown (it moves)."""
    if share is None:
        return Running(color, height, name)
    return ft.ProgressBar(
        value=max(0.0, min(1.0, share)),
        color=color,
        bgcolor=Ink.TRACK,
        bar_height=height,
        border_radius=ft.BorderRadius.all(height / 2),
        semantics_label=name or None,
        semantics_value=round(share * 100),
    )


def meter(name: str, share: float, words: str, *, alarm: bool = True) -> ft.Control:
    """A named thin bar with its value; with `alarm` (what may run out) amber above 85 %, red above 95 %."""
    color = Ink.FILL if not alarm or share <= 0.85 else Ink.AMBER if share <= 0.95 else Ink.RED
    return ft.Column(
        [
            ft.Row([text.muted(name), text.muted(words)], alignment=ft.MainAxisAlignment.SPACE_BETWEEN),
            bar(share, color=color, name=name),
        ],
        spacing=S1,
        tight=True,
    )


def ring(share: float, *, size: int = 88, color: str = Ink.FILL, words: str = "", name: str = "Progress") -> ft.Control:
    """A ring with the percentage inside, or other words for it."""
    layers: list[ft.Control] = [
        ft.ProgressRing(
            value=max(0.0, min(1.0, share)),
            width=size,
            height=size,
            stroke_width=8,
            color=color,
            bgcolor=Ink.TRACK,
            stroke_cap=ft.StrokeCap.ROUND,
            semantics_label=name,
            semantics_value=round(share * 100),
        ),
        ft.Container(
            text.number(words or percent(share), size=16), width=size, height=size, alignment=ft.Alignment.CENTER
        ),
    ]
    return ft.Stack(layers, width=size, height=size)
