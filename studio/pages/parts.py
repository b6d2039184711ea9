"""Pieces that several pages share: resource meters, a run as a card and as a row."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.charts import sparkline
from studio.hooks import go, use_engine, use_surroundings, use_topic
from studio.kit import (
    ago,
    bar,
    body,
    card,
    component,
    dot,
    gigabytes,
    label,
    meter,
    muted,
    percent,
    short,
)
from studio.kit.words import eta_words
from studio.theme import S2, S3


@component
def ResourceMeters() -> Any:
    """Processor, memory and disk as thin bars, every two seconds."""
    meters = use_topic(use_engine().meters, every=1.0)
    rows = [
        meter("Processor", meters.cpu, f"{meters.cpu * 100:.0f} %", alarm=False),
        meter(
            "Memory",
            meters.memory_used / meters.memory_total,
            f"{gigabytes(meters.memory_used)} of {gigabytes(meters.memory_total)}",
        ),
    ]
    if meters.gpu_memory_used is not None and meters.gpu_memory_total:
        rows.append(meter("GPU", meters.gpu_utilization or 0.0, percent(meters.gpu_utilization or 0.0), alarm=False))
        rows.append(
            meter(
                "GPU memory",
                meters.gpu_memory_used / meters.gpu_memory_total,
                f"{gigabytes(meters.gpu_memory_used)} of {gigabytes(meters.gpu_memory_total)}",
            )
        )
    rows.append(
        ft.Row([muted("Disk free"), muted(gigabytes(meters.disk_free))], alignment=ft.MainAxisAlignment.SPACE_BETWEEN)
    )
    return ft.Column(rows, spacing=S3, tight=True)


def run_line(run: RunView) -> str:
    """Model, data and method of a run in one line."""
    return " · ".join(each for each in (run.model, run.dataset, run.method) if each)


@component
def RunCard(run_id: str) -> Any:
    """A run at work: name, curve, share done, time left."""
    live = use_engine().runs.live(run_id)
    run = use_topic(live.view, every=0.5)
    use_topic(live.changed, every=0.5)
    palette = use_surroundings().palette
    loss = live.series["loss"]
    picture = ft.Image(
        src=sparkline(loss.values, width=240, height=44, color=palette.fill),
        height=44,
        gapless_playback=True,
        semantics_label=f"Loss so far, now {short(loss.last)}" if loss.last is not None else "No loss yet",
    )
    inside = ft.Column(
        [
            ft.Row([label(run.name, expand=True, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), dot(run.state)]),
            muted(run_line(run), max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
            picture,
            bar(run.progress, name=f"Progress of {run.name}"),
            ft.Row(
                [
                    body(percent(run.progress)),
                    muted(_waiting(run), size=14),
                ],
                alignment=ft.MainAxisAlignment.SPACE_BETWEEN,
            ),
        ],
        spacing=S2,
        tight=True,
    )
    return card(inside, on_click=lambda: go(f"/runs/{run_id}"), name=f"Run {run.name}, {percent(run.progress)}")


def _waiting(run: RunView) -> str:
    if run.state is RunState.RUNNING:
        return eta_words(run.eta)
    return "starts when there is room" if run.state is RunState.CREATED else "loading the model"


def run_row(run: RunView, narrow: bool) -> ft.Control:
    """A run as a line of a list."""
    words: list[ft.Control] = [
        label(run.name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
        muted(run_line(run), max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
    ]
    figures: list[ft.Control] = [ft.Container(dot(run.state), width=112)]
    if not narrow:
        loss = run.best_validation if run.best_validation is not None else run.loss
        figures += [
            ft.Container(muted(f"loss {short(loss)}" if loss is not None else "", size=14), width=110),
            ft.Container(muted(percent(run.progress), size=14), width=56),
            ft.Container(muted(ago(run.created), size=14), width=120),
        ]
    inside = ft.Row([ft.Column(words, spacing=0, tight=True, expand=True), *figures], spacing=S3)
    return card(
        inside,
        on_click=lambda: go(f"/runs/{run.id}"),
        padding=12,
        name=f"Run {run.name}, {run.state.value}",
    )


def by_state(runs: tuple[RunView, ...], *states: RunState) -> list[RunView]:
    """Training runs in any of these states, in their order."""
    return [run for run in runs if run.state in states and run.kind == "train"]
