"""Buttons: one main action per view, secondary ones, quiet ones, and icon buttons that always have a name."""

from __future__ import annotations

from typing import Any

import flet as ft

from studio.kit.guard import Handler, act, component
from studio.kit.pressed import AROUND, RING
from studio.theme import BODY, RADIUS_FIELD, SANS, Ink

HEIGHT = 36


def _style(
    color: str, ground: str | None, line: str | None, hover: str, inset: int = 14, above: int = 0
) -> ft.ButtonStyle:
    State = ft.ControlState
    return ft.ButtonStyle(
        color={State.DISABLED: Ink.MUTED, State.DEFAULT: color},
        bgcolor={State.DISABLED: Ink.TRACK, State.DEFAULT: ground} if ground else None,
        icon_color={State.DISABLED: Ink.MUTED, State.DEFAULT: color},
        overlay_color={State.HOVERED: hover, State.FOCUSED: hover, State.PRESSED: hover},
        side={State.FOCUSED: RING, State.DEFAULT: ft.BorderSide(1, line)}
        if line
        else {State.FOCUSED: AROUND if ground else RING},
        shape=ft.RoundedRectangleBorder(radius=RADIUS_FIELD),
        padding=ft.Padding.symmetric(horizontal=inset, vertical=above),
        text_style=ft.TextStyle(size=BODY, font_family=SANS),
        icon_size=18,
        elevation=0,
        animation_duration=0,
    )


PRIMARY = _style(Ink.ON_ACTION, Ink.ACTION, None, ft.Colors.with_opacity(0.12, "#000000"))
SECONDARY = _style(Ink.TEXT, None, Ink.FIELD, ft.Colors.with_opacity(0.08, Ink.TEXT))
SENTENCE = _style(Ink.TEXT, None, Ink.FIELD, ft.Colors.with_opacity(0.08, Ink.TEXT), above=8)
QUIET = _style(Ink.PRIMARY, None, None, ft.Colors.with_opacity(0.10, Ink.PRIMARY), inset=6)
ICON = ft.ButtonStyle(animation_duration=0, side={ft.ControlState.FOCUSED: RING})
DANGER = _style(Ink.RED, None, Ink.RED, ft.Colors.with_opacity(0.10, Ink.RED))


def primary(
    words: str, on_click: Handler, *, icon: Any = None, disabled: bool = False, tooltip: str = ""
) -> ft.Control:
    """The one thing to do next."""
    return ft.FilledButton(
        words,
        icon=icon,
        on_click=act(on_click),
        disabled=disabled,
        style=PRIMARY,
        height=HEIGHT,
        tooltip=tooltip or None,
    )


def secondary(words: str, on_click: Handler, *, icon: Any = None, disabled: bool = False) -> ft.Control:
    """Another thing one may do."""
    return ft.OutlinedButton(
        words, icon=icon, on_click=act(on_click), disabled=disabled, style=SECONDARY, height=HEIGHT
    )


def sentence(words: str, on_click: Handler) -> ft.Control:
    """Something one may do that takes a sentence to say; it breaks into lines where there is no room."""
    return ft.OutlinedButton(words, on_click=act(on_click), style=SENTENCE)


def danger(words: str, on_click: Handler, *, icon: Any = None, disabled: bool = False) -> ft.Control:
    """Something that ends or removes."""
    return ft.OutlinedButton(words, icon=icon, on_click=act(on_click), disabled=disabled, style=DANGER, height=HEIGHT)


def quiet(words: str, on_click: Handler, *, icon: Any = None, disabled: bool = False) -> ft.Control:
    """A small thing beside the content."""
    return ft.TextButton(words, icon=icon, on_click=act(on_click), disabled=disabled, style=QUIET, height=HEIGHT)


def link(words: str, route: str) -> ft.Control:
    """Goes to another page."""
    return quiet(words, lambda: ft.context.page.navigate(route))


def icon_button(
    icon: Any, name: str, on_click: Handler, *, disabled: bool = False, color: str = Ink.MUTED
) -> ft.Control:
    """A picture to press; `name` is its tooltip and what screen readers say."""
    button = ft.IconButton(
        icon,
        icon_color=Ink.FIELD if disabled else color,
        icon_size=20,
        tooltip=name,
        on_click=act(on_click),
        disabled=disabled,
        style=ICON,
    )
    return ft.MergeSemantics(content=button)  # one node: the name stands beside the button otherwise


@component
def Busy(words: str, doing: str, on_click: Handler, icon: Any = None, main: bool = True, disabled: bool = False) -> Any:
    """A button whose action takes a moment: it says so and cannot be pressed twice. `on_click` is async."""
    busy, set_busy = ft.use_state(False)
    mounted = ft.use_ref(True)
    ft.use_effect(lambda: None, [], cleanup=lambda: setattr(mounted, "current", False))

    async def run() -> None:
        set_busy(True)
        try:
            await on_click()
        finally:
            if mounted.current:
                set_busy(False)

    make = primary if main else secondary
    if busy:
        return make(f"{doing}…", lambda: None, icon=ft.Icons.HOURGLASS_EMPTY, disabled=True)
    return make(words, run, icon=icon, disabled=disabled)
