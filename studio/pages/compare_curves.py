"""The loss curves of what is compared, one over the other, with the crosshair and zoom of a run's own curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft

from engine.results.subjects import Subject
from studio.charts import Curve
from studio.hooks import use_engine, use_task, use_topic
from studio.kit import chip, color_key, component, muted, named, row, section, short
from studio.pace import pace_of
from studio.plot import Plot
from studio.theme import S3

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

HEIGHT, EVERY = 280, 0.5
METRICS = {"validation_loss": "Held-out loss", "loss": "Training loss"}


def _use_growth(lives: Sequence[LiveRun]) -> None:
    """Draw again as these runs go on, or as their files are read."""
    _, grow = ft.use_state(0)
    pace = pace_of(ft.context.page)

    async def follow(live: LiveRun) -> None:
        async for _ in live.changed.watch():
            grow(lambda now: now + 1)
            await pace.rest(EVERY)

    async def follow_all() -> None:
        async with anyio.create_task_group() as group:
            for live in lives:
                group.start_soon(follow, live)

    use_task(follow_all, [id(live) for live in lives])


@component
def Curves(subjects: Sequence[Subject], colors: Sequence[str]) -> Any:
    """One picture with everyone's curve in everyone's colour."""
    engine = use_engine()
    metric, choose = ft.use_state("loss")
    known = {run.id for run in use_topic(engine.runs.list, every=1.0)}
    there = [(place, each) for place, each in enumerate(subjects) if each.run in known]
    lives = [engine.runs.live(each.run) for _, each in there]
    _use_growth(lives)
    curves = []
    for (place, each), live in zip(there, lives, strict=True):
        series = live.series[metric]
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
