"""What of a running run can be changed from its next step on, and where a waiting one stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.runs.control import values_now
from engine.runs.views import RunView
from engine.spec.records import Live, RunState
from engine.spec.runspec import TrainJob
from studio.hooks import use_engine, use_topic
from studio.kit import Busy, NumberField, card, component, muted, notice, row, section, short, toast
from studio.theme import S2, S3

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

LEAST_RATE, MOST_RATE = 1e-9, 0.999
TITLES = {
    "learning_rate": "Peak learning rate",
    "validate_every": "Measure held-out rows every",
    "checkpoint_every": "Save a checkpoint every",
}
"""What can be changed while a run is at work, as its field calls it."""


@component
def Tuning(live: LiveRun) -> Any:
    """The values of a run at work that can be changed; nothing for another."""
    engine = use_engine()
    run = use_topic(live.view, every=1.0)
    job = live.spec.job
    now = values_now(live.folder, job.training) if isinstance(job, TrainJob) else Live()
    wanted, want = ft.use_state(now)
    before = ft.use_ref(now)
    lost, lose = ft.use_state("")

    def follow() -> None:
        """Somebody else applied others meanwhile: that is told, and those are the ones to go on from."""
        was = before.current or now
        lose(" ".join(_overtaken(name, was, now, wanted) for name in TITLES).strip())
        before.current = now
        kept = {name: getattr(wanted if getattr(was, name) == getattr(now, name) else now, name) for name in TITLES}
        want(msgspec.convert(kept, Live))

    ft.use_effect(follow, [now])
    if run.state is not RunState.RUNNING or not isinstance(job, TrainJob):
        return ft.Container(height=0, visible=False)

    async def apply() -> None:
        changes = {name: value for name, value in wanted.changes().items() if value != getattr(now, name)}
        changed = msgspec.convert(changes, Live)
        engine.runs.change(run.id, changed)
        toast(f"From the next step on: {_words(changed)}.")

    def field(name: str) -> ft.Control:
        def enter(value: float) -> None:
            want(lambda held: msgspec.structs.replace(held, **{name: value}))

        if name == "learning_rate":
            limits: dict[str, Any] = {"minimum": LEAST_RATE, "maximum": MOST_RATE}
        else:
            limits = {"whole": True, "minimum": 1, "unit": "steps"}
        return NumberField(getattr(now, name), enter, label=TITLES[name], width=200, **limits)

    at = live.series["learning_rate"].last
    words = f"The learning rate peaks at {now.learning_rate:g}" + (f" and is {short(at)} at this step." if at else ".")
    fields = row(
        *(field(name) for name in TITLES), Busy("Apply", "Applying", apply, main=False, disabled=wanted == now)
    )
    told = [notice("warn", lost)] if lost else []
    return section("Change while it runs", card(ft.Column([muted(words), fields, *told], spacing=S2, tight=True)))


def _overtaken(name: str, before: Live, now: Live, wanted: Live) -> str:
    """What to tell of a value that was entered here, and changed in another window before it was applied."""
    was, is_now, mine = (getattr(each, name) for each in (before, now, wanted))
    if is_now == was or mine in (was, is_now):
        return ""
    return f"{TITLES[name]}: {is_now:g} was applied in another window meanwhile; your {mine:g} was not."


def _words(changed: Live) -> str:
    return ", ".join(f"{TITLES[name].lower()} {value:g}" for name, value in changed.changes().items())


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
