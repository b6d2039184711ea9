"""The curve of a run, and the tabs below it: events, log, settings, checkpoints."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import flet as ft

from engine.spec.fields import settings_of
from engine.spec.runspec import TrainJob
from studio.charts import Curve, Mark, in_words, loss_chart, zones
from studio.hooks import use_feed, use_surroundings, use_topic
from studio.kit import (
    TextField,
    ago,
    badge,
    body,
    card,
    chip,
    code,
    component,
    divider,
    empty,
    gigabytes,
    muted,
    row,
    short,
)
from studio.kit.guard import act
from studio.theme import S2, S3, S4, Ink

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

HEIGHT = 300
LINES = 300
"""Log lines drawn at once."""
TABS = ("Events", "Log", "Settings", "Checkpoints")


@component
def LossCurve(live: LiveRun) -> Any:
    """Train and validation loss, redrawn at most four times a second at exactly the size it has."""
    surroundings = use_surroundings()
    width, set_width = ft.use_state(0)
    use_topic(live.changed, every=0.25)
    run = use_topic(live.view, every=1.0)
    palette = surroundings.palette
    loss, held_out = live.series["loss"], live.series["validation_loss"]
    train = Curve("training", loss.steps, loss.values, palette.fill, smooth=True)
    validation = Curve("held-out rows", held_out.steps, held_out.values, palette.purple)
    marks = [Mark(each.step, palette.green if each.best else palette.base) for each in live.checkpoints()]
    described = in_words(train, validation if len(held_out) else None, run.total_steps)
    if not len(loss):
        picture: ft.Control = ft.Container(
            muted("The curve begins with the first step.", size=14), height=HEIGHT, alignment=ft.Alignment.CENTER
        )
    elif width:
        svg = loss_chart(
            [train, validation],
            width=width,
            height=HEIGHT,
            total_steps=run.total_steps,
            palette=palette,
            bands=zones(loss.values[:5]),
            marks=marks,
        )
        picture = ft.Image(src=svg, width=width, height=HEIGHT, gapless_playback=True, exclude_from_semantics=True)
    else:
        picture = ft.Container(height=HEIGHT)
    legend = row(
        _key(Ink.FILL, "training"),
        _key(Ink.PURPLE, "held-out rows"),
        muted("triangles: checkpoints, green the best"),
        spacing=S4,
    )
    return ft.Column(
        [
            legend,
            ft.Container(
                ft.Semantics(content=picture, label=described, image=True, container=True),
                height=HEIGHT,
                on_size_change=act(lambda event: set_width(int(event.width))),
            ),
        ],
        spacing=S2,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _key(color: str, words: str) -> ft.Control:
    line = ft.Container(width=16, height=3, bgcolor=color, border_radius=2)
    return ft.Row([line, muted(words)], spacing=S2, tight=True)


@component
def Tabs(live: LiveRun) -> Any:
    """One of four views of what the run wrote."""
    name, set_name = ft.use_state(TABS[0])
    chips = [chip(each, lambda each=each: set_name(each), selected=each == name) for each in TABS]
    view = {"Events": Events, "Log": Log, "Settings": Settings, "Checkpoints": Checkpoints}[name]
    return ft.Column([row(*chips), card(view(live))], spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Events(live: LiveRun) -> Any:
    """What happened, newest first."""
    events = use_feed(live.events, limit=100)
    if not events:
        return empty(ft.Icons.HISTORY, "Nothing happened yet.", "Checkpoints, pauses and problems appear here.")
    lines: list[ft.Control] = [
        ft.Row(
            [
                ft.Container(muted(time.strftime("%H:%M:%S", time.localtime(event.time))), width=64),
                ft.Container(ft.Row([badge(event.kind, _tone(event.kind))]), width=104),
                body(event.message or event.kind, expand=True),
                muted(f"step {event.step}" if event.step else ""),
            ],
            spacing=S3,
        )
        for event in reversed(events)
    ]
    return _scrolled(lines)


def _tone(kind: str) -> str:
    return {"error": "bad", "anomaly": "warn", "recovery": "warn", "checkpoint": "good", "finished": "good"}.get(
        kind, "plain"
    )


@component
def Log(live: LiveRun) -> Any:
    """The worker's own words, searched."""
    lines = use_feed(live.log, limit=5000)
    words, set_words = ft.use_state("")
    found = [line for line in lines if words.casefold() in line.casefold()][-LINES:]
    shown: list[ft.Control] = [code(line, size=12) for line in found] or [muted("No line to show.", size=14)]
    return ft.Column(
        [ft.Container(TextField(words, set_words, hint="Search the log"), width=280), _scrolled(shown)], spacing=S3
    )


@component
def Settings(live: LiveRun) -> Any:
    """Every value this run was started with."""
    job = live.spec.job
    if not isinstance(job, TrainJob):
        return muted("This run has no training settings.", size=14)
    lines: list[ft.Control] = []
    for struct in (job.method, job.training):
        for name, setting in settings_of(type(struct)).items():
            value = getattr(struct, name)
            lines.append(
                ft.Row(
                    [
                        ft.Container(body(setting.title), width=200, tooltip=setting.help),
                        code(", ".join(value) if isinstance(value, tuple) else str(value)),
                        muted(setting.unit),
                    ],
                    spacing=S3,
                )
            )
    lines.append(divider())
    lines.append(row(muted("Run"), code(live.spec.id), muted("threads"), code(str(live.spec.threads))))
    return _scrolled(lines)


@component
def Checkpoints(live: LiveRun) -> Any:
    """Saved states to go on from."""
    use_topic(live.view, every=1.0)
    saved = live.checkpoints()
    if not saved:
        return empty(ft.Icons.SAVE_OUTLINED, "No checkpoint yet.", "One is saved every few steps, and when you pause.")
    lines: list[ft.Control] = [
        ft.Row(
            [
                ft.Container(body(f"Step {each.step}"), width=100),
                ft.Container(muted(ago(each.time), size=14), width=140),
                ft.Container(muted(gigabytes(each.bytes), size=14), width=90),
                muted(f"held-out loss {short(each.loss)}" if each.loss is not None else "", size=14),
                *([badge("best", "good")] if each.best else []),
            ],
            spacing=S3,
        )
        for each in saved
    ]
    return _scrolled(lines)


def _scrolled(lines: list[ft.Control]) -> ft.Control:
    return ft.ListView(lines, spacing=S2, height=min(320, 34 * len(lines) + 8), build_controls_on_demand=False)
