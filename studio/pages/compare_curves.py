"""The loss curves of what is compared, one over the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flet as ft

from engine.results.subjects import Subject
from studio.charts import Curve, loss_chart
from studio.hooks import use_engine, use_surroundings, use_topic
from studio.kit import act, chip, component, muted, row, section, short
from studio.pages.evaluation_parts import named
from studio.theme import S2, S3

HEIGHT = 280
METRICS = {"validation_loss": "Held-out loss", "loss": "Training loss"}


@component
def Curves(subjects: Sequence[Subject], colors: Sequence[str]) -> Any:
    """One picture with everyone's curve in everyone's colour."""
    engine = use_engine()
    palette = use_surroundings().palette
    width, set_width = ft.use_state(0)
    metric, choose = ft.use_state("loss")
    known = {run.id for run in use_topic(engine.runs.list, every=1.0)}
    there = [(place, each) for place, each in enumerate(subjects) if each.run in known]
    curves = []
    for place, each in there:
        series = engine.runs.live(each.run).series[metric]
        curves.append(Curve(named(each.title), series.steps, series.values, colors[place], smooth=metric == "loss"))
    drawn = [curve for curve in curves if len(curve.steps)]
    chips = [chip(words, lambda key=key: choose(key), selected=key == metric) for key, words in METRICS.items()]
    if not drawn:
        nothing = "Their runs left no curve here." if not there else "There is no such curve of them."
        return section("Curves", row(*chips), muted(nothing, size=14))
    last = max(int(curve.steps[-1]) for curve in drawn)
    picture: ft.Control = ft.Container(height=HEIGHT)
    if width:
        svg = loss_chart(drawn, width=width, height=HEIGHT, total_steps=last, palette=palette)
        picture = ft.Image(src=svg, width=width, height=HEIGHT, gapless_playback=True, exclude_from_semantics=True)
    said = f"{METRICS[metric]}, at the end: " + "; ".join(f"{each.name} {short(each.values[-1])}" for each in drawn)
    return section(
        "Curves",
        row(*chips, *(_key(each) for each in drawn), spacing=S3),
        ft.Container(
            ft.Semantics(content=picture, label=said, image=True, container=True),
            height=HEIGHT,
            on_size_change=act(lambda event: set_width(int(event.width))),
        ),
    )


def _key(curve: Curve) -> ft.Control:
    line = ft.Container(width=16, height=3, bgcolor=curve.color, border_radius=2)
    return ft.Row([line, muted(curve.name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)], spacing=S2, tight=True)
