"""The loss curves of what is compared, one over the other, with the crosshair and zoom of a run's own curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flet as ft

from engine.results.subjects import Subject
from studio.charts import Curve
from studio.hooks import use_engine, use_topic
from studio.kit import chip, color_key, component, muted, named, row, section, short
from studio.plot import Plot
from studio.theme import S3

HEIGHT = 280
METRICS = {"validation_loss": "Held-out loss", "loss": "Training loss"}


@component
def Curves(subjects: Sequence[Subject], colors: Sequence[str]) -> Any:
    """One picture with everyone's curve in everyone's colour."""
    engine = use_engine()
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
    said = f"{METRICS[metric]}, at the end: " + "; ".join(f"{each.name} {short(each.values[-1])}" for each in drawn)
    keys = [color_key(each.color, each.name) for each in drawn]
    return section("Curves", row(*chips, *keys, spacing=S3), Plot(drawn, last, said, height=HEIGHT))
