"""One run, live: its state and what can be done, the numbers that matter, the curve, and everything it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft

from engine.core.topics import Topic
from engine.runs.efficiency import in_a_word, trend, verdicts
from engine.runs.views import RunView
from engine.spec.fields import Level, settings_of
from engine.spec.records import RunState
from engine.spec.runspec import TrainJob
from studio.charts import zones
from studio.frame import frame
from studio.hooks import go, use_engine, use_surroundings, use_topic
from studio.kit import (
    card,
    columns,
    component,
    danger,
    divider,
    dot,
    duration,
    duration_range,
    empty,
    fact,
    gigabytes,
    heading,
    link,
    muted,
    name_title,
    notice,
    percent,
    primary,
    ring,
    row,
    secondary,
    section,
    share_words,
    short,
    termed,
    title,
    toast,
)
from studio.pages.parts import ResourceMeters, run_line
from studio.pages.run_curve import LossCurve
from studio.pages.run_healing import Asked, Healing
from studio.pages.run_result import Result, SeenElsewhere, use_warm_model
from studio.pages.run_tabs import TABS, Tabs
from studio.pages.run_tuning import Siblings, Standing, Tuning
from studio.theme import BODY, S2, S4, S6, Ink

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

ONE_LINE, TWO_LINES = 780, 480
"""Widths of a page at which its numbers stand beside the ring, or three in a line below it."""


@component
def RunPage() -> Any:
    """The run of this address."""
    engine, surroundings = use_engine(), use_surroundings()
    run_id = ft.use_route_params().get("run_id", "")
    if not any(run.id == run_id for run in engine.runs.list.value):
        gone = empty(
            ft.Icons.TIMELINE,
            "There is no such run.",
            "It was deleted, or it belongs to another Home.",
            primary("All runs", lambda: go("/runs")),
        )
        return frame(surroundings, title("Run"), gone)
    return RunBody(run_id, key=run_id)  # type: ignore[call-arg]


@component
def RunBody(run_id: str) -> Any:
    """The page of one run; redrawn only when its state changes, the numbers are leaves of their own."""
    engine = use_engine()
    surroundings = use_surroundings()
    live = engine.runs.live(run_id)
    run = use_topic(live.view, every=0.5, of=_drawn)
    tab, _ = ft.use_state(lambda: Topic(TABS[0]))
    use_warm_model(live)
    blocks: list[ft.Control] = [Asked(live, lambda: tab.set("Log"))]
    if run.error is None and run.state is RunState.LOST:
        blocks.append(notice("bad", "This run stopped answering.", "It can go on from its last checkpoint."))
    blocks += [Standing(run_id), Numbers(live)]
    if run.kind != "train":
        blocks.append(SeenElsewhere(live))
    elif run.state is RunState.COMPLETED:
        blocks.append(Result(run_id))
    blocks += [section("Loss", card(LossCurve(live))), Tuning(live), Healing(live), Tabs(live, tab)]
    if run.sweep:
        blocks.append(Siblings(run_id, run.sweep))
    panel = ft.Column(
        [heading("This computer"), ResourceMeters(), *_chosen(live)],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
    return frame(
        surroundings,
        ft.Column(
            [name_title(run.name), row(dot(run.state), muted(run_line(run))), GoesOn(live)], spacing=2, tight=True
        ),
        *blocks,
        actions=_verbs(run, engine.runs),
        panel=panel,
    )


def _drawn(run: RunView) -> tuple[object, ...]:
    """What of a run its page draws itself; a step more is no reason to draw all of it."""
    return run.state, run.error is None, run.name, run_line(run), run.kind, run.sweep


def _chosen(live: LiveRun) -> list[ft.Control]:
    """What mattered most when it was started; all of it is under Settings."""
    job = live.spec.job
    if not isinstance(job, TrainJob):
        return []
    pairs = [("Data", job.data.name), ("Model", job.model.name), ("Method", live.view.value.method)]
    for struct in (job.method, job.training):
        found = (each for each in settings_of(type(struct)).values() if each.level is Level.ESSENTIAL)
        pairs += [(each.title, f"{getattr(struct, each.name)} {each.unit}".strip()) for each in found]
    lines: list[ft.Control] = [
        ft.Row([ft.Container(termed(name), width=112), ft.Container(_value(words), expand=True)], spacing=S2)
        for name, words in pairs
    ]
    return [divider(), heading("Started with"), ft.Column(lines, spacing=S2, tight=True)]


def _value(words: str) -> ft.Control:
    """A value that may be a term, such as a method."""
    return termed(words, size=BODY, color=Ink.TEXT)


@component
def GoesOn(live: LiveRun) -> Any:
    """The version that this run goes on from, by its title; nothing for one that begins with the base."""
    versions = use_topic(use_engine().outcomes.versions, every=1.0)
    parent = live.spec.job.parent if isinstance(live.spec.job, TrainJob) else None
    if parent is None:
        return ft.Container(height=0, visible=False)
    found = next((each for each in versions if each.id == parent.name), None)
    if found is None:
        return muted("Goes on from a version that was deleted.")
    return link(f"Goes on from {found.title}", f"/versions/{found.id}")


def _verbs(run: RunView, runs: Any) -> tuple[ft.Control, ...]:
    """What can be done now."""

    def tell(verb: Any, words: str) -> Any:
        def press() -> None:
            verb(run.id)
            toast(words)

        return press

    if run.state in (RunState.RUNNING, RunState.INITIALIZING):
        return (
            secondary("Save now", tell(runs.checkpoint_now, "Saving after this step."), icon=ft.Icons.SAVE_OUTLINED),
            secondary("Pause", tell(runs.pause, "Pausing: saving the state first."), icon=ft.Icons.PAUSE),
            danger("Stop", tell(runs.stop, "Stopping; what it learned is kept."), icon=ft.Icons.STOP),
        )
    if run.state is RunState.CREATED:
        return (danger("Remove from queue", tell(runs.stop, "Removed from the queue."), icon=ft.Icons.CLOSE),)
    if run.state.resumable:
        return (primary("Resume", tell(runs.resume, "It goes on where it stopped."), icon=ft.Icons.PLAY_ARROW),)
    return ()


@component
def Numbers(live: LiveRun) -> Any:
    """Ring, time left, loss, speed, memory."""
    run = use_topic(live.view, every=0.25)
    use_topic(live.changed, every=0.25)
    content = use_surroundings().content
    color = Ink.GREEN if run.state is RunState.COMPLETED else Ink.RED if run.state is RunState.FAILED else Ink.FILL
    progress = ft.Row(
        [
            ring(run.progress, color=color),
            ft.Column(
                [
                    _value(_epoch(run)),
                    termed(f"step {run.step} of {run.total_steps}" if run.total_steps else "preparing"),
                ],
                spacing=2,
                tight=True,
            ),
        ],
        spacing=S4,
        tight=True,
    )
    facts = [
        _time(run),
        _loss(live),
        _held_out(run),
        fact("Speed", f"{run.tokens_per_second:,.0f}" if run.tokens_per_second else "–", termed(_speed_note(live))),
        fact("Worker memory", gigabytes(run.memory) if run.memory else "–", "used by it"),
    ]
    preferences = _preferences(live)
    first: ft.Control = (
        ft.Row([progress, ft.Container(columns(facts, len(facts)), expand=True)], spacing=S6)
        if content >= ONE_LINE
        else ft.Column([progress, columns(facts, 3 if content >= TWO_LINES else 2)], spacing=S4)
    )
    if not preferences:
        return card(first)
    return card(ft.Column([first, divider(), columns(preferences, 2 if content >= TWO_LINES else 1)], spacing=S4))


def _epoch(run: RunView) -> str:
    return f"Epoch {min(run.epochs, int(run.epoch) + 1)} of {run.epochs}" if run.epochs else percent(run.progress)


def _time(run: RunView) -> ft.Control:
    if run.state is RunState.RUNNING and run.eta is not None:
        return fact("Time left", duration(run.eta.expected), duration_range(run.eta.low, run.eta.high))
    if run.state in (RunState.RUNNING, RunState.INITIALIZING):
        return fact("Time left", "–", "after a few steps")
    return fact(
        "Time taken",
        duration(run.seconds) if run.seconds else "–",
        termed("last attempt" if run.attempt else "one attempt"),
    )


def _loss(live: LiveRun) -> ft.Control:
    """The newest loss and which zone it is in."""
    series = live.series["loss"]
    if series.last is None:
        return fact(termed("Loss now"), "–", "after the first step")
    bands = zones(series.values[:5])
    notes = [bands.name(series.last) if bands else "", trend(series.values)]
    return fact(termed("Loss now"), short(series.last), ", ".join(filter(None, notes)))


def _speed_note(live: LiveRun) -> str:
    """The unit, and whether the machine is well used; why is under System."""
    word = in_a_word(verdicts(live.series))
    return f"tokens/s, {word}" if word else "tokens/s"


def _preferences(live: LiveRun) -> list[ft.Control]:
    """How often the better answer is the likelier one, and by how much; for runs that learn preferences."""
    names = (("Prefers the better answer", ""), ("On held-out rows", "validation_"))
    found: list[ft.Control] = []
    for title_, side in names:
        share = live.series[f"{side}preference_accuracy"].last
        margin = live.series[f"{side}preference_margin"].last
        if share is not None:
            found.append(
                fact(
                    termed(title_),
                    share_words(share),
                    f"by a margin of {short(margin)} nats" if margin is not None else "",
                )
            )
    return found


def _held_out(run: RunView) -> ft.Control:
    """Where the rows stand that training never sees."""
    if run.validation_loss is None:
        return fact(termed("Held-out loss"), "–", "not measured yet")
    best = run.best_validation
    note = "the best so far" if best is None or run.validation_loss <= best else f"best {short(best)}"
    return fact(termed("Held-out loss"), short(run.validation_loss), note)
