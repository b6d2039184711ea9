"""All runs: a list, filtered by state and by words."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.hooks import go, use_engine, use_surroundings, use_topic
from studio.kit import TextField, chip, component, empty, muted, plural, primary, row, title
from studio.pages.parts import run_row
from studio.shell import frame

FILTERS: dict[str, tuple[RunState, ...]] = {
    "All": tuple(RunState),
    "At work": (RunState.RUNNING, RunState.INITIALIZING, RunState.CREATED),
    "Paused": (RunState.PAUSED,),
    "Completed": (RunState.COMPLETED,),
    "Failed": (RunState.FAILED, RunState.LOST),
    "Stopped": (RunState.STOPPED,),
}
WINDOW = 100
"""Rows drawn at once; the rest comes with “Show more”."""


def chosen(runs: tuple[RunView, ...], states: tuple[RunState, ...], words: str) -> list[RunView]:
    """The runs in these states that have every word in their name, model, data or method."""
    wanted = words.casefold().split()
    return [
        run
        for run in runs
        if run.state in states
        and all(word in f"{run.name} {run.model} {run.dataset} {run.method} {run.id}".casefold() for word in wanted)
    ]


@component
def RunList() -> Any:
    """The list."""
    engine = use_engine()
    surroundings = use_surroundings()
    runs = tuple(run for run in use_topic(engine.runs.list, every=0.5) if run.kind == "train")
    name, set_name = ft.use_state("All")
    words, set_words = ft.use_state("")
    window, set_window = ft.use_state(WINDOW)
    found = chosen(runs, FILTERS[name], words)
    chips = [
        chip(each, lambda each=each: set_name(each), selected=each == name)
        for each in FILTERS
        if each in ("All", name) or any(run.state in FILTERS[each] for run in runs)
    ]
    narrow = surroundings.columns == 1
    rows: list[ft.Control] = [run_row(run, narrow) for run in found[:window]]
    if len(found) > window:
        rows.append(primary(f"Show {len(found) - window} more", lambda: set_window(lambda now: now + WINDOW)))
    if not runs:
        rows = [
            empty(
                ft.Icons.TIMELINE,
                "No runs yet.",
                "Every fine-tuning you start appears here and can be paused, resumed and compared.",
                primary("Fine-tune a model", lambda: go("/new")),
            )
        ]
    elif not found:
        rows = [empty(ft.Icons.SEARCH_OFF, "No run fits.", "Try fewer words or another state.")]
    return frame(
        surroundings.width,
        surroundings.columns,
        title("Runs"),
        row(*chips, ft.Container(TextField(words, set_words, hint="Search name, model, data"), width=280)),
        muted(plural(len(found), "run")),
        ft.Column(rows, spacing=8, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
    )
