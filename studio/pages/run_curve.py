"""The large curve of a run: loss of training and held-out rows, its bands, and signs where something happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.spec.records import Event
from studio.charts import LEFT, NARROW, ROOM_FOR_WORDS, Curve, Mark, in_words, loss_chart, zones
from studio.hooks import use_feed, use_surroundings, use_topic
from studio.kit import component, muted, plural, row
from studio.kit.guard import act
from studio.pages.run_healing import ANOMALY, LOOKS, RECOVERY, tone_of
from studio.theme import S2, S4, Ink, Palette

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

HEIGHT = 300
SIGN = 18
SIGNS_SHOWN = 40
NOTHING_YET = "The curve begins with the first step."


class Sign(msgspec.Struct, frozen=True):
    """What happened about one place of the curve; `count` things of a kind are one sign where they stand too close."""

    step: int
    kind: str
    words: str
    count: int = 1


def signs_of(events: Sequence[Event], steps: int, pixels: float) -> list[Sign]:
    """Anomalies and recoveries in the order of their steps; of a kind, those nearer than a sign is wide are one."""
    found: list[Sign] = []
    for kind in (ANOMALY, RECOVERY):
        mine: list[Sign] = []
        for event in sorted((each for each in events if each.kind == kind), key=lambda each: each.step)[-SIGNS_SHOWN:]:
            words = f"Step {event.step}: {event.message}"
            if mine and (event.step - mine[-1].step) / max(1, steps) * pixels < SIGN:
                last = mine[-1]
                mine[-1] = Sign(last.step, kind, f"{last.words}\n{words}", last.count + 1)
            else:
                mine.append(Sign(event.step, kind, words))
        found += mine
    return found


@component
def LossCurve(live: LiveRun) -> Any:
    """Train and validation loss, redrawn at most four times a second at exactly the size it has."""
    width, set_width = ft.use_state(0)
    use_topic(live.changed, every=0.25)
    run = use_topic(live.view, every=1.0)
    events = use_feed(live.events, limit=2000)
    palette = use_surroundings().palette
    loss, held_out = live.series["loss"], live.series["validation_loss"]
    curves = [
        Curve("training", loss.steps, loss.values, palette.fill, smooth=True),
        Curve("held-out rows", held_out.steps, held_out.values, palette.purple),
    ]
    last = max([1, run.total_steps, *loss.steps[-1:], *held_out.steps[-1:]])
    across = width - LEFT - (ROOM_FOR_WORDS if width >= NARROW else 12.0)
    signs = signs_of(events, last, across)
    if not len(loss):
        picture: ft.Control = ft.Container(muted(NOTHING_YET, size=14), height=HEIGHT, alignment=ft.Alignment.CENTER)
    elif width:
        svg = loss_chart(
            curves,
            width=width,
            height=HEIGHT,
            total_steps=run.total_steps,
            palette=palette,
            bands=zones(loss.values[:5]),
            marks=[*_checkpoints(live, palette), *(_mark(each, palette) for each in signs)],
        )
        image = ft.Image(src=svg, width=width, height=HEIGHT, gapless_playback=True, exclude_from_semantics=True)
        placed = [_sign(each, LEFT + each.step / last * across) for each in signs]
        picture = ft.Stack([image, *placed], width=width, height=HEIGHT)
    else:
        picture = ft.Container(height=HEIGHT)
    said = in_words(curves[0], curves[1] if len(held_out) else None, run.total_steps)
    return ft.Column(
        [
            _legend(signs),
            ft.Container(
                ft.Semantics(content=picture, label=f"{said}{_said(signs)}", image=True, container=True),
                height=HEIGHT,
                on_size_change=act(lambda event: set_width(int(event.width))),
            ),
        ],
        spacing=S2,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _checkpoints(live: LiveRun, palette: Palette) -> list[Mark]:
    return [Mark(each.step, palette.green if each.best else palette.base) for each in live.checkpoints()]


def _mark(sign: Sign, palette: Palette) -> Mark:
    return Mark(sign.step, palette.amber if sign.kind == ANOMALY else palette.primary)


def _sign(sign: Sign, x: float) -> ft.Control:
    """The icon above its place, with what happened; remedies stand in a row below what they are for."""
    look = LOOKS[sign.kind]
    icon = ft.Icon(look.icon, size=SIGN - 2, color=tone_of(sign.kind), tooltip=sign.words)
    return ft.Container(icon, left=x - SIGN / 2, top=0 if sign.kind == ANOMALY else SIGN, width=SIGN, height=SIGN)


def _said(signs: list[Sign]) -> str:
    count = sum(each.count for each in signs)
    return f" {plural(count, 'thing')} happened on the way; they are listed below." if count else ""


def _legend(signs: list[Sign]) -> ft.Control:
    kinds = {each.kind for each in signs}
    return row(
        _key(Ink.FILL, "training"),
        _key(Ink.PURPLE, "held-out rows"),
        muted("triangles: checkpoints, green the best"),
        *(_icon_key(kind) for kind in (ANOMALY, RECOVERY) if kind in kinds),
        spacing=S4,
    )


def _key(color: str, words: str) -> ft.Control:
    line = ft.Container(width=16, height=3, bgcolor=color, border_radius=2)
    return ft.Row([line, muted(words)], spacing=S2, tight=True)


def _icon_key(kind: str) -> ft.Control:
    look = LOOKS[kind]
    return ft.Row([ft.Icon(look.icon, size=14, color=tone_of(kind)), muted(look.legend)], spacing=S2, tight=True)
