"""The large curve of a run: loss of training and held-out rows, its bands, and signs where something happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.spec.records import Event
from studio.charts import Curve, Mark, in_words, zones
from studio.hooks import use_feed, use_surroundings, use_topic
from studio.kit import color_key, component, muted, plural, row, termed
from studio.pages.run_healing import ANOMALY, LOOKS, RECOVERY, tone_of
from studio.plot import SIGN, Plot, Sign
from studio.theme import S2, S4, Ink, Palette

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

HEIGHT = 300
USUAL_WIDTH = 700.0
"""Pixels over which signs are told apart; narrower charts draw them closer."""
SIGNS_SHOWN = 40
NOTHING_YET = "The curve begins with the first step."


class Happened(msgspec.Struct, frozen=True):
    """What happened about one place of the curve; `count` things of a kind are one sign where they stand too close."""

    step: int
    kind: str
    words: str
    count: int = 1


def signs_of(events: Sequence[Event], steps: int, pixels: float) -> list[Happened]:
    """Anomalies and recoveries in the order of their steps; of a kind, those nearer than a sign is wide are one."""
    found: list[Happened] = []
    for kind in (ANOMALY, RECOVERY):
        mine: list[Happened] = []
        for event in sorted((each for each in events if each.kind == kind), key=lambda each: each.step)[-SIGNS_SHOWN:]:
            words = f"Step {event.step}: {event.message}"
            if mine and (event.step - mine[-1].step) / max(1, steps) * pixels < SIGN:
                last = mine[-1]
                mine[-1] = Happened(last.step, kind, f"{last.words}\n{words}", last.count + 1)
            else:
                mine.append(Happened(event.step, kind, words))
        found += mine
    return found


@component
def LossCurve(live: LiveRun) -> Any:
    """Train and validation loss, redrawn at most four times a second."""
    use_topic(live.changed, every=0.25)
    run = use_topic(live.view, every=1.0)
    events = use_feed(live.events, limit=2000)
    palette = use_surroundings().palette
    loss, held_out = live.series["loss"], live.series["validation_loss"]
    if not len(loss):
        return ft.Container(muted(NOTHING_YET, size=14), height=HEIGHT, alignment=ft.Alignment.CENTER)
    curves = [
        Curve("training", loss.steps, loss.values, palette.fill, smooth=True),
        Curve("held-out rows", held_out.steps, held_out.values, palette.purple),
    ]
    last = max([1, run.total_steps, *loss.steps[-1:], *held_out.steps[-1:]])
    signs = signs_of(events, last, USUAL_WIDTH)
    said = in_words(curves[0], curves[1] if len(held_out) else None, run.total_steps)
    plot = Plot(
        curves,
        run.total_steps,
        f"{said}{_said(signs)}",
        zones(loss.values[:5]),
        [*_checkpoints(live, palette), *(_mark(each, palette) for each in signs)],
        [_placed(each) for each in signs],
        HEIGHT,
    )
    return ft.Column([_legend(signs), plot], spacing=S2, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _checkpoints(live: LiveRun, palette: Palette) -> list[Mark]:
    return [Mark(each.step, palette.green if each.best else palette.base) for each in live.checkpoints()]


def _mark(happened: Happened, palette: Palette) -> Mark:
    return Mark(happened.step, palette.amber if happened.kind == ANOMALY else palette.primary)


def _placed(happened: Happened) -> Sign:
    """The icon above its place; remedies stand in a row below what they are for."""
    look = LOOKS[happened.kind]
    return Sign(happened.step, look.icon, tone_of(happened.kind), happened.words, int(happened.kind != ANOMALY))


def _said(signs: list[Happened]) -> str:
    count = sum(each.count for each in signs)
    return f" {plural(count, 'thing')} happened on the way; they are listed below." if count else ""


def _legend(signs: list[Happened]) -> ft.Control:
    kinds = {each.kind for each in signs}
    return row(
        color_key(Ink.FILL, "training"),
        ft.Row([color_key(Ink.PURPLE, ""), termed("held-out rows")], spacing=0, tight=True),
        termed("triangles: checkpoints, green the best"),
        *(_icon_key(kind) for kind in (ANOMALY, RECOVERY) if kind in kinds),
        spacing=S4,
    )


def _icon_key(kind: str) -> ft.Control:
    look = LOOKS[kind]
    return ft.Row([ft.Icon(look.icon, size=14, color=tone_of(kind)), muted(look.legend)], spacing=S2, tight=True)
