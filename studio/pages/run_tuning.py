"""What of a running run can be changed from its next step on, and where a waiting one stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft

from engine.runs.views import RunView
from engine.spec.records import RunState
from engine.spec.runspec import TrainJob
from studio.hooks import use_engine, use_topic
from studio.kit import Busy, NumberField, card, component, label, muted, notice, row, section, short, toast
from studio.theme import S2, S3

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

LEAST_RATE, MOST_RATE = 1e-9, 0.999


@component
def Tuning(live: LiveRun) -> Any:
    """The learning rate of a run at work; nothing for another."""
    engine = use_engine()
    run = use_topic(live.view, every=1.0)
    control = live.folder.control()
    job = live.spec.job
    peak = job.training.learning_rate if isinstance(job, TrainJob) else 0.0
    if control is not None and control.learning_rate is not None and control.attempt == run.attempt:
        peak = control.learning_rate
    wanted, want = ft.use_state(peak)
    before = ft.use_ref(peak)
    lost, lose = ft.use_state("")

    def follow() -> None:
        """Somebody else applied another one meanwhile: that is told, and it is the one to go on from."""
        mine = wanted not in (before.current, peak)
        lose(f"{peak:g} was applied in another window meanwhile; your {wanted:g} was not." if mine else "")
        before.current = peak
        want(peak)

    ft.use_effect(follow, [peak])
    if run.state is not RunState.RUNNING or not isinstance(job, TrainJob):
        return ft.Container(height=0, visible=False)

    async def apply() -> None:
        engine.runs.set_learning_rate(run.id, wanted)
        toast(f"From the next step on, the learning rate peaks at {wanted:g}.")

    now = live.series["learning_rate"].last
    words = f"It peaks at {peak:g}" + (f" and is {short(now)} at this step." if now is not None else ".")
    field = NumberField(peak, want, label="Peak learning rate", minimum=LEAST_RATE, maximum=MOST_RATE, width=200)
    fields = row(field, Busy("Apply", "Applying", apply, main=False, disabled=wanted == peak))
    told = [notice("warn", lost)] if lost else []
    return section(
        "Change while it runs",
        card(ft.Column([label("Learning rate"), muted(words), fields, *told], spacing=S2, tight=True)),
    )


def standing_words(run: RunView) -> str:
    """Where a waiting run stands in the queue."""
    if run.queue_position is None:
        return ""
    why = f" It waits: {run.waits_for.rstrip('.')}." if run.waits_for else ""
    return f"Place {run.queue_position} in the queue.{why}"


@component
def Standing(run_id: str) -> Any:
    """The same as a band; nothing where there is nothing to say."""
    runs = use_topic(use_engine().runs.list, every=1.0)
    words = next((standing_words(run) for run in runs if run.id == run_id), "")
    return notice("info", "This run waits its turn.", words) if words else ft.Container(height=0, visible=False)


@component
def Siblings(run_id: str, sweep: str) -> Any:
    """The other runs of its sweep."""
    from studio.pages.parts import run_row

    engine = use_engine()
    runs = use_topic(engine.runs.list, every=1.0)
    others = [each for each in runs if each.sweep == sweep and each.id != run_id]
    if not others:
        return ft.Container(height=0, visible=False)
    rows = [run_row(each, True) for each in others[:12]]
    return section(
        f"The other {len(others)} of its sweep",
        ft.Column(rows, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
    )
