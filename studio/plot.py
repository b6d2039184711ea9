"""A chart on the screen: the picture, and what one does with it: read values, zoom, smooth, change the scale.

The picture is drawn again only when its numbers or the view change; the crosshair is a leaf of its own over it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flet as ft
import msgspec

from studio.charts import BOTTOM, LEFT, TOP, Across, Curve, Mark, View, Zones, across, loss_chart, reading
from studio.hooks import use_surroundings
from studio.kit import chip, component, icon_button, muted, row
from studio.kit.guard import act
from studio.kit.slider import Slider
from studio.kit.words import amount, short
from studio.theme import RADIUS_FIELD, S1, S2, S3, Ink

SIGN = 18
DRAGGED = 12
"""Pixels below which a drag is a click."""
MOST_SMOOTHING = 0.5
LEAST_STEPS = 4.0
"""Steps that are shown at the closest."""


class Sign(msgspec.Struct, frozen=True):
    """An icon over a step of the chart, in the first or the second row, with what happened there."""

    step: int
    icon: Any
    color: str
    words: str
    row: int = 0


@component
def Plot(
    curves: Sequence[Curve],
    total_steps: int,
    said: str,
    bands: Zones | None = None,
    marks: Sequence[Mark] = (),
    signs: Sequence[Sign] = (),
    height: int = 300,
) -> Any:
    """Curves over steps at exactly the size the place has; `said` is what the chart shows, in words."""
    width, set_width = ft.use_state(0)
    view, set_view = ft.use_state(View())
    palette = use_surroundings().palette
    horizontal = across(max(width, 200), curves, total_steps, view)

    def change(**changes: Any) -> None:
        set_view(lambda now: msgspec.structs.replace(now, **changes))

    def zoom(first: float, last: float) -> None:
        whole = across(width, curves, total_steps, View())
        first, last = max(whole.first, first), min(whole.last, last)
        if (first, last) == (whole.first, whole.last):
            change(first=0.0, last=0.0)
        elif last - first >= LEAST_STEPS:
            change(first=first, last=last)

    def nearer(factor: float) -> None:
        middle, half = (horizontal.first + horizontal.last) / 2, (horizontal.last - horizontal.first) / 2 * factor
        zoom(middle - half, middle + half)

    picture: ft.Control = ft.Container(height=height)
    if width:
        svg = loss_chart(
            curves,
            width=width,
            height=height,
            total_steps=total_steps,
            palette=palette,
            bands=bands,
            marks=marks,
            view=view,
        )
        image = ft.Image(src=svg, width=width, height=height, gapless_playback=True, exclude_from_semantics=True)
        seen = [each for each in signs if horizontal.first <= each.step <= horizontal.last]
        over = Crosshair(curves, horizontal, height, zoom)
        picture = ft.Stack([image, over, *(_placed(each, horizontal) for each in seen)], width=width, height=height)
    described = ft.Semantics(content=picture, label=said, image=True, container=True)
    return ft.Column(
        [
            ft.Container(described, height=height, on_size_change=act(lambda event: set_width(int(event.width)))),
            Reader(curves, horizontal),
            _tools(view, change, nearer),
        ],
        spacing=S2,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _placed(sign: Sign, horizontal: Across) -> ft.Control:
    icon = ft.Icon(sign.icon, size=SIGN - 2, color=sign.color, tooltip=sign.words)
    return ft.Container(icon, left=horizontal.x(sign.step) - SIGN / 2, top=sign.row * SIGN, width=SIGN, height=SIGN)


def _tools(view: View, change: Callable[..., None], nearer: Callable[[float], None]) -> ft.Control:
    smoothing = f"{view.smoothing * 100:.0f} % of the points" if view.smoothing else "off"
    return row(
        muted("Smoothing"),
        Slider("Smoothing", view.smoothing, lambda value: change(smoothing=value), 0.0, MOST_SMOOTHING, 0.02),
        ft.Container(muted(smoothing), width=104),
        chip("Logarithmic", lambda: change(log=not view.log), selected=view.log),
        icon_button(ft.Icons.ZOOM_IN, "Zoom in", lambda: nearer(0.5)),
        icon_button(ft.Icons.ZOOM_OUT, "Zoom out", lambda: nearer(2.0), disabled=not view.zoomed),
        icon_button(
            ft.Icons.FIT_SCREEN, "Show all steps", lambda: change(first=0.0, last=0.0), disabled=not view.zoomed
        ),
        muted("Drag over the curve to zoom."),
    )


def values_at(curves: Sequence[Curve], step: float) -> tuple[int, list[tuple[Curve, float]]] | None:
    """The nearest step of the first curve that has one, and each curve's value nearest to it."""
    first = next((found for curve in curves if (found := reading(curve, step)) is not None), None)
    if first is None:
        return None
    found = [(curve, reading(curve, first[0])) for curve in curves]
    return first[0], [(curve, each[1]) for curve, each in found if each is not None]


def in_one_line(curves: Sequence[Curve], step: float) -> str:
    """The values at a step as a sentence."""
    found = values_at(curves, step)
    if found is None:
        return "No values yet."
    values = ", ".join(f"{curve.name} {short(value)}" for curve, value in found[1])
    return f"Step {amount(found[0])}: {values}"


@component
def Reader(curves: Sequence[Curve], horizontal: Across) -> Any:
    """Values by keyboard: arrow keys move along the steps, and what is there is said."""
    step, set_step = ft.use_state(-1.0)
    if not any(len(curve.steps) for curve in curves):
        return ft.Container(height=0, visible=False)
    last = min(horizontal.last, float(max(curve.steps[-1] for curve in curves if len(curve.steps))))
    last = max(last, horizontal.first + 1)
    at = step if step >= 0 else last
    words = ft.Semantics(content=muted(in_one_line(curves, at), size=13), live_region=step >= 0, container=True)
    stride = max(1.0, round((last - horizontal.first) / 50))
    return row(muted("Read at"), Slider("Step to read", at, set_step, horizontal.first, last, stride), words)


@component
def Crosshair(curves: Sequence[Curve], horizontal: Across, height: int, zoom: Callable[[float, float], None]) -> Any:
    """What follows the mouse: a line with the values there, and the part that a drag chooses."""
    at, set_at = ft.use_state(-1.0)
    begun, set_begun = ft.use_state(-1.0)
    newest: Any = ft.use_ref(-1.0)

    def move(event: Any) -> None:
        newest.current = float(event.local_position.x)
        set_at(newest.current)

    def begin(event: Any) -> None:
        newest.current = float(event.local_position.x)
        set_begun(newest.current)

    def leave() -> None:
        set_at(-1.0)

    def end() -> None:
        first, last = sorted((begun, newest.current))
        set_begun(-1.0)
        if begun >= 0 and last - first >= DRAGGED:
            zoom(horizontal.step(first), horizontal.step(last))

    layers: list[ft.Control] = [ft.Container(width=horizontal.width, height=height)]
    inside = LEFT <= at <= horizontal.right
    if begun >= 0 and at >= 0:
        layers.append(_chosen(begun, at, horizontal, height))
    elif inside and (found := values_at(curves, horizontal.step(at))) is not None:
        layers += _line_and_values(found, horizontal, height)
    return ft.GestureDetector(
        ft.Stack(layers, width=horizontal.width, height=height),
        hover_interval=40,
        drag_interval=40,
        mouse_cursor=ft.MouseCursor.PRECISE,
        on_hover=act(move),
        on_exit=act(leave),
        on_tap_down=act(move),
        on_horizontal_drag_start=act(begin),
        on_horizontal_drag_update=act(move),
        on_horizontal_drag_end=act(end),
        exclude_from_semantics=True,
    )


def _chosen(begun: float, at: float, horizontal: Across, height: int) -> ft.Control:
    left, right = (min(horizontal.right, max(LEFT, each)) for each in sorted((begun, at)))
    tint = ft.Colors.with_opacity(0.2, Ink.FILL)
    return ft.Container(left=left, top=TOP, width=right - left, height=height - TOP - BOTTOM, bgcolor=tint)


BOX = 190


def _line_and_values(found: tuple[int, list[tuple[Curve, float]]], horizontal: Across, height: int) -> list[ft.Control]:
    x = horizontal.x(found[0])
    lines: list[ft.Control] = [muted(f"Step {amount(found[0])}")]
    for curve, value in found[1]:
        key = ft.Container(width=10, height=3, bgcolor=curve.color, border_radius=2)
        name = muted(curve.name, expand=True, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)
        lines.append(ft.Row([key, name, muted(short(value), color=Ink.TEXT)], spacing=S2))
    box = ft.Container(
        ft.Column(lines, spacing=S1, tight=True),
        left=x + 12 if x + 12 + BOX < horizontal.width else x - 12 - BOX,
        top=TOP + 4,
        width=BOX,
        bgcolor=Ink.RAISED,
        border=ft.Border.all(1, Ink.FIELD),
        border_radius=RADIUS_FIELD,
        padding=S3,
    )
    line = ft.Container(left=x, top=TOP, width=1, height=height - TOP - BOTTOM, bgcolor=Ink.FIELD)
    return [line, box]
