"""Things to press that are no plain buttons: a card, a chip, a line of a list. Each is one thing for keys and for
screen readers, with one name; what it shows besides is its description.

And where the keyboard is: a line of 2 px in the colour of fills, with a gap around what is of that colour itself. A
test holds its contrast on every ground it is drawn on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flet as ft

from studio.kit.guard import Handler, act
from studio.theme import RADIUS_FIELD, Ink

RING = ft.BorderSide(2, Ink.FILL)
"""Where the keyboard is, on what has another edge or none."""
AROUND = ft.BorderSide(2, Ink.FILL, stroke_align=3)
"""The same with a gap of 2 px outside of the edge, for what is blue itself."""
NO_RING = ft.BorderSide(2, ft.Colors.TRANSPARENT)


@ft.control("Semantics")
class Spoken(ft.Semantics):
    """What screen readers say, with two properties under the names by which Flet's client knows them (1.0.5)."""

    hint: str | None = None
    """A description, said after the name."""
    focused: bool | None = None
    """Whether the keyboard is here, for what is hidden from screen readers inside."""


@ft.value
class Face(ft.ButtonStyle):
    """How a button looks, with a least size: Material's own is 64 by 40."""

    minimum_size: ft.Size | None = None


def hover_tip(words: str) -> ft.Tooltip | None:
    """Words on hover that screen readers get as a description: in a name they would be said each time."""
    return ft.Tooltip(message=words, exclude_from_semantics=True) if words else None


def pressable(
    content: ft.Control,
    on_click: Handler,
    *,
    name: str,
    selected: bool = False,
    ground: str | None = None,
    line: str | None = None,
    radius: int = RADIUS_FIELD,
    padding: ft.PaddingValue = 0,
    height: int | None = None,
    tip: str = "",
    alignment: ft.Alignment = ft.Alignment.CENTER_LEFT,
    expand: bool | int | None = None,
) -> ft.Control:
    """Something with this content to press; `line` is the colour of its edge, `tip` its words on hover."""
    focused = AROUND if selected and line else RING
    button = ft.TextButton(
        ft.Semantics(content=content, exclude_semantics=True),
        on_click=act(on_click),
        tooltip=hover_tip(tip),
        height=height,
        style=Face(
            animation_duration=0,
            color=Ink.TEXT,
            bgcolor=ground,
            overlay_color=ft.Colors.with_opacity(0.06, Ink.TEXT),
            side={ft.ControlState.FOCUSED: focused, ft.ControlState.DEFAULT: ft.BorderSide(1, line)}
            if line
            else {ft.ControlState.FOCUSED: focused},
            shape=ft.RoundedRectangleBorder(radius=radius),
            padding=padding,
            alignment=alignment,
            minimum_size=ft.Size(0, 0),
        ),
    )
    said = Spoken(
        content=button, label=name, hint=unsaid(content, name) or None, selected=selected or None, button=True
    )
    return ft.MergeSemantics(content=said, expand=expand)


def passed_over(content: ft.Control, on_click: Handler, *, name: str) -> ft.Control:
    """A thing to press that Tab passes over, for what stands below everything that scrolls: Tab goes by place, and
    would come by after each line of a long page. Whatever it does has a key of its own, too."""
    box = ft.Container(ft.Semantics(content=content, exclude_semantics=True), on_click=act(on_click))
    return ft.MergeSemantics(content=Spoken(content=box, button=True, label=name))


def unsaid(content: ft.Control, name: str) -> str:
    """The words of a content that its name does not say."""
    known = name.casefold()
    words = (" ".join(each.split()) for each in _words(content))
    return ", ".join(dict.fromkeys(each for each in words if each and each.casefold() not in known))


def _words(control: object) -> Iterator[str]:
    """Every text of a control, in its order; those of components inside are not known yet."""
    match control:
        case ft.Text():
            yield control.value or "".join(each.text or "" for each in control.spans or ())
        case ft.Column() | ft.Row() | ft.Stack():
            for each in control.controls:
                yield from _words(each)
        case ft.Container() | ft.Semantics() | ft.MergeSemantics():
            yield from _words(control.content)
        case ft.Icon() | ft.Image():
            yield control.semantics_label or ""


def ringed(field: ft.Control, focused: bool, width: int | None = None) -> ft.Control:
    """A field that draws no line of its own where the keyboard is."""
    side = RING if focused else NO_RING
    return ft.Container(
        field,
        border=ft.Border(side, side, side, side),
        border_radius=RADIUS_FIELD,
        width=width,
        alignment=ft.Alignment.CENTER_LEFT if width else None,
    )


def use_ring() -> tuple[bool, dict[str, Any]]:
    """Whether the keyboard is on a field, and the handlers by which the field tells."""
    focused, focus = ft.use_state(False)
    return focused, {"on_focus": act(lambda: focus(True)), "on_blur": act(lambda: focus(False))}
