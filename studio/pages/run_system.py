"""How a run uses the machine: verdicts in words, and a small curve of everything that is measured beside the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.runs.efficiency import verdicts
from engine.runs.views import Series
from studio.charts import sparkline
from studio.hooks import use_surroundings, use_topic
from studio.kit import body, columns, component, empty, fact, gigabytes, muted, short, termed
from studio.theme import S2, S3, S4, Ink

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

WIDTH, HEIGHT, POINTS = 220, 36, 1000


class Shown(msgspec.Struct, frozen=True):
    """A measured number: its name here, how a value is written, and what it is."""

    title: str
    write: Callable[[float], str]
    note: str


def _share(value: float) -> str:
    return f"{value * 100:.0f} %"


SHOWN: dict[str, Shown] = {
    "learning_rate": Shown("Learning rate", lambda value: f"{value:.3g}", "of the newest step"),
    "gradient_norm": Shown("Gradient norm", short, "before clipping"),
    "tokens_per_second": Shown("Speed", lambda value: f"{value:,.0f}", "tokens/s"),
    "rows_per_second": Shown("Rows", short, "rows/s"),
    "step_seconds": Shown("A step takes", lambda value: f"{short(value)} s", "from one to the next"),
    "worker_memory": Shown("Worker memory", gigabytes, "used by it"),
    "worker_cpu": Shown("Worker processor", short, "cores"),
    "gpu_memory": Shown("GPU memory", gigabytes, "used by it"),
    "gpu_utilization": Shown("GPU use", _share, "of the time"),
    "gpu_temperature": Shown("GPU temperature", lambda value: f"{value:.0f} °C", "of the card"),
    "gpu_power": Shown("GPU power", lambda value: f"{value:.0f} W", "of the card"),
    "padding_share": Shown("Padding", _share, "of the tokens computed"),
    "data_wait_share": Shown("Waiting for data", _share, "of each step"),
    "adapter_norm": Shown("Size of the adapter", short, "norm of its weights"),
}


@component
def System(live: LiveRun) -> Any:
    """Verdicts first, then the numbers that there are."""
    use_topic(live.changed, every=1.0)
    content = use_surroundings().content
    color = use_surroundings().palette.fill
    tiles = [*_perplexity(live), *(_tile(SHOWN[name], live.series[name], color) for name in _measured(live))]
    if not tiles:
        return empty(ft.Icons.SPEED, "Nothing measured yet.", "Speed, memory and more appear with the first step.")
    lines = [_verdict(each.good, each.what, each.why) for each in verdicts(live.series)]
    return ft.Column(
        [*lines, columns(tiles, 3 if content >= 760 else 2 if content >= 480 else 1)],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _measured(live: LiveRun) -> list[str]:
    return [name for name in SHOWN if len(live.series[name])]


def _verdict(good: bool, what: str, why: str) -> ft.Control:
    icon, color, word = (
        (ft.Icons.CHECK_CIRCLE_OUTLINE, Ink.GREEN, "good")
        if good
        else (ft.Icons.WARNING_AMBER_ROUNDED, Ink.AMBER, "could be better")
    )
    words: list[ft.Control] = [body(what), *([muted(why)] if why else [])]
    return ft.Row(
        [
            ft.Icon(icon, size=18, color=color, semantics_label=word),
            ft.Column(words, spacing=0, tight=True, expand=True),
        ],
        spacing=S3,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )


def _perplexity(live: LiveRun) -> list[ft.Control]:
    """e to the newest losses: how many tokens the model hesitates between."""
    found = [("Perplexity", live.series["loss"].last), ("Held-out perplexity", live.series["validation_loss"].last)]
    return [fact(termed(name), short(math.exp(min(loss, 50.0)))) for name, loss in found if loss is not None]


def _tile(shown: Shown, series: Series, color: str) -> ft.Control:
    every = series.values[:: max(1, len(series) // POINTS)]
    values = [value for value in every if math.isfinite(value)] or [0.0]
    last, lowest, highest = series.values[-1], min(values), max(values)
    said = f"{shown.title}: {shown.write(last)} {shown.note}, between {shown.write(lowest)} and {shown.write(highest)}"
    picture = ft.Image(
        src=sparkline(values, width=WIDTH, height=HEIGHT, color=color),
        height=HEIGHT,
        gapless_playback=True,
        semantics_label=said,
    )
    return ft.Column([fact(termed(shown.title), shown.write(last), shown.note), picture], spacing=S2, tight=True)
