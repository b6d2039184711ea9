"""The tabs below a run's curve: events, log, settings, checkpoints."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import flet as ft

from engine.spec.fields import settings_of
from engine.spec.runspec import TrainJob
from studio.guides import term_of
from studio.hooks import use_feed, use_topic
from studio.kit import (
    Explained,
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
    later,
    muted,
    row,
    short,
)
from studio.kit.later import use_later
from studio.pages.run_log import Log
from studio.pages.run_system import System
from studio.theme import S2, S3

if TYPE_CHECKING:
    from engine.core.topics import Topic
    from engine.runs.follow import LiveRun

SEEN = 12
"""Lines that fill the box."""
TABS = ("Events", "Log", "Settings", "Checkpoints", "System")


@component
def Tabs(live: LiveRun, chosen: Topic[str]) -> Any:
    """One of five views of what the run wrote."""
    name = use_topic(chosen, every=0.0)
    chips = [chip(each, lambda each=each: chosen.set(each), selected=each == name) for each in TABS]
    view = {"Events": Events, "Log": Log, "Settings": Settings, "Checkpoints": Checkpoints, "System": System}[name]
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
    return Scrolled(lines)


def _tone(kind: str) -> str:
    return {"error": "bad", "anomaly": "warn", "recovery": "warn", "checkpoint": "good", "finished": "good"}.get(
        kind, "plain"
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
                        ft.Container(Explained(setting.title, term_of(name), setting.help), width=220),
                        code(", ".join(value) if isinstance(value, tuple) else str(value)),
                        muted(setting.unit),
                    ],
                    spacing=S3,
                )
            )
    lines.append(divider())
    lines.append(row(muted("Run"), code(live.spec.id), muted("threads"), code(str(live.spec.threads))))
    return Scrolled(lines)


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
    return Scrolled(lines)


@component
def Scrolled(lines: list[ft.Control]) -> Any:
    """Lines in a box; those that are seen first are made first."""
    shown = lines if use_later(later.BELOW_SECONDS) else lines[:SEEN]
    return ft.ListView(shown, spacing=S2, height=min(320, 34 * len(lines) + 8), build_controls_on_demand=False)
