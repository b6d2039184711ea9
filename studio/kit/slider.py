"""A value on a line: dragged with the mouse, or moved by the buttons at its ends, which keys reach too.

Not Material's slider: while it is there, its overlay lies over the whole page for screen readers (Flet 1.0.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flet as ft

from studio.kit.buttons import icon_button
from studio.kit.guard import act, component
from studio.theme import Ink


@component
def Slider(
    name: str,
    value: float,
    on_change: Callable[[float], object],
    least: float = 0.0,
    most: float = 1.0,
    step: float = 0.1,
    width: int = 140,
) -> Any:
    """A named slider; its buttons move it by `step`."""
    value = max(least, min(most, value))

    def move(by: float) -> None:
        on_change(max(least, min(most, value + by)))

    handle = ft.CupertinoSlider(
        value=value,
        min=least,
        max=most,
        width=width,
        active_color=Ink.FILL,
        thumb_color=Ink.FILL,
        on_change=act(lambda event: on_change(float(event.data))),
    )
    return ft.Row(
        [
            icon_button(ft.Icons.REMOVE, f"{name}: less", lambda: move(-step), disabled=value <= least),
            ft.MergeSemantics(content=ft.Semantics(content=handle, label=name)),
            icon_button(ft.Icons.ADD, f"{name}: more", lambda: move(step), disabled=value >= most),
        ],
        spacing=0,
        tight=True,
    )
