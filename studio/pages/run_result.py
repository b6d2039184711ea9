"""What came out of a completed run: the version, the verdict of its evaluation, and the way to the playground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import flet as ft

from engine.spec.records import RunState
from engine.spec.runspec import BenchmarkJob, EvaluateJob, ExportJob
from studio.attention import UNSEEN
from studio.hooks import go, use_engine, use_session, use_task, use_topic
from studio.kit import (
    Busy,
    badge,
    bar,
    body,
    card,
    color_key,
    component,
    label,
    muted,
    primary,
    row,
    secondary,
    section,
    share_words,
    termed,
)
from studio.model_colors import use_version_color
from studio.pace import pace_of
from studio.theme import BODY, S2, S3, S4, Ink

if TYPE_CHECKING:
    from engine.results.evaluation import Evaluation
    from engine.results.versions import Version
    from engine.runs.follow import LiveRun
    from engine.runs.views import RunView

QUESTION = "Is it better? Let both models answer rows that training never saw."
TONES = {"better": "good", "worse": "bad", "mixed": "warn"}


def use_warm_model(live: LiveRun) -> None:
    """Load the model into memory once this run becomes a version while one looks on, so that it can be talked to at
    once; not while other runs need the memory."""
    engine = use_engine()
    versions = use_topic(engine.outcomes.versions, every=0.5)
    version = next((each for each in versions if each.run == live.spec.id), None)
    seen_without = ft.use_ref(version is None and live.view.value.state.active)

    async def warm() -> None:
        others = (run for run in engine.runs.list.value if run.kind not in UNSEEN and run.id != live.spec.id)
        busy = any(run.state.active or run.state is RunState.CREATED for run in others)
        if version is not None and seen_without.current and not busy:
            seen_without.current = False
            await engine.playground.session(Path(version.model_path))

    use_task(warm, [version.id if version else ""])


@component
def Result(run_id: str) -> Any:
    """The version this run became."""
    engine = use_engine()
    versions = use_topic(engine.outcomes.versions, every=0.5)
    version = next((each for each in versions if each.run == run_id), None)
    if version is None:
        return muted("The version is being made.", size=14)
    head = row(label(f"{version.name} {version.number}"), Key(version.id, "tuned model"))
    talk = primary("Talk to it", lambda: go(f"/playground/{version.id}"), icon=ft.Icons.CHAT_BUBBLE_OUTLINE)
    return section("Result", card(ft.Column([head, Verdict(version), row(talk)], spacing=S3)))


@component
def SeenElsewhere(live: LiveRun) -> Any:
    """Where the result of a run that trains nothing is seen: the pages of the versions that it is about."""
    engine, session = use_engine(), use_session()
    versions = use_topic(engine.outcomes.versions, every=0.5)
    match live.spec.job:
        case EvaluateJob(adapters=adapters):
            tab = "evaluation"
        case BenchmarkJob(adapters=adapters):
            tab = "benchmarks"
        case ExportJob(adapter=adapter):
            tab, adapters = "exports", (adapter,)
        case _:
            return ft.Container(height=0, visible=False)

    def open_(version_id: str) -> None:
        session.version_tab.set(tab)
        go(f"/versions/{version_id}")

    named = {each.name for each in adapters}
    found = [each for each in versions if each.id in named]
    if not found:
        return muted("The version that this was about is gone.", size=14)
    presses = [secondary(f"Open {each.title}", lambda each=each: open_(each.id)) for each in found]
    return section("What came of it", muted("It is on the page of the version.", size=14), row(*presses))


@component
def Key(version: str, words: str) -> Any:
    """Words beside a version's colour."""
    return color_key(use_version_color(version), words)


@component
def Verdict(version: Version) -> Any:
    """Base against tuned on held-out rows, or the way to find out."""
    engine = use_engine()
    runs = use_topic(engine.runs.list, every=0.5)
    _, look_again = ft.use_state(0)
    found = engine.outcomes.evaluation(version.id)
    measuring = next((run for run in runs if _measures(run, version)), None) if found is None else None
    counting = measuring is not None and measuring.state is RunState.COMPLETED

    pace = pace_of(ft.context.page)

    async def wait_for_the_count() -> None:
        while counting:
            await pace.rest(0.5)
            look_again(lambda times: times + 1)

    use_task(wait_for_the_count, [counting])
    if found is not None:
        return _verdict(found, version.id)
    if measuring is not None and (measuring.state.active or counting or measuring.state is RunState.CREATED):
        words = "Counting the answers." if counting else "Base and tuned model are answering the held-out rows."
        share = None if counting else measuring.progress or None
        return ft.Column([body(words), bar(share, name="Measuring")], spacing=S2)

    async def measure() -> None:
        await engine.outcomes.evaluate(version.id)

    failed = measuring is not None and measuring.state in (RunState.FAILED, RunState.LOST)
    words = "The measurement did not finish; it can be started again." if failed else QUESTION
    return ft.Column(
        [
            body(words, color=Ink.MUTED),
            row(Busy("Measure it", "Starting", measure, icon=ft.Icons.BALANCE, main=False)),
        ],
        spacing=S2,
    )


def _measures(run: RunView, version: Version) -> bool:
    return run.kind == "evaluate" and run.name == f"evaluate {version.name} {version.number}"


def _verdict(found: Evaluation, version: str) -> ft.Control:
    base, tuned = found.base, found.tuned
    lines = [
        _scores("Exact match", base.exact_match, tuned.exact_match, version, shares=True),
        _scores("Token F1", base.token_f1, tuned.token_f1, version, shares=True),
        _scores("Perplexity, lower is better", base.perplexity, tuned.perplexity, version, shares=False),
    ]
    return ft.Column(
        [row(badge(found.outcome, TONES.get(found.outcome, "plain")), body(found.verdict)), *lines],
        spacing=S2,
    )


def _scores(name: str, base: float, tuned: float, version: str, *, shares: bool) -> ft.Control:
    def words(value: float) -> str:
        if shares:
            return share_words(value)
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    return ft.Row(
        [
            ft.Container(termed(name, size=BODY), width=210),
            ft.Container(body(f"base {words(base)}", color=Ink.MUTED), width=110),
            ft.Container(Key(version, f"tuned {words(tuned)}"), width=140),
        ],
        spacing=S4,
        run_spacing=2,
        wrap=True,
    )
