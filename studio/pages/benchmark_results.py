"""What benchmarks found: base beside tuned in each task, with standard errors, and what of it is more than chance."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.benchmarking import Benchmarking
from engine.results.benchmarks import RESTS_ON, Benchmarked
from engine.results.tasks import title_of
from engine.results.verdict import chance
from engine.spec.runspec import BenchmarkJob
from studio.hooks import use_engine, use_latest
from studio.kit import (
    Choice,
    ErrorCard,
    ago,
    badge,
    body,
    component,
    figures,
    loading,
    muted,
    plural,
    quiet,
    row,
    section,
)
from studio.theme import S3, Ink

SHOWN = 12
"""Lines shown at first: MMLU alone has one for each of its subjects."""
HEADS = ("task", "measure", "base", "tuned", "difference, 95 %", "")
WIDTHS = (120, 80, 115, 115, 135, 200)
TONES = {1: "good", -1: "bad", 0: "plain"}


def asked_words(job: BenchmarkJob) -> str:
    """Which tasks, and how many examples of each."""
    tasks = ", ".join(title_of(task) for task in job.tasks)
    return f"{tasks}: {plural(job.rows, 'example')} of each" if job.rows else f"{tasks}: every example"


@component
def Results(version_id: str, done: tuple[Benchmarking, ...]) -> Any:
    """The newest benchmark's figures; those before it on demand."""
    chosen, choose = ft.use_state("")
    shown = next((one for one in done if one.run.id == chosen), done[0])
    blocks: list[ft.Control] = []
    if len(done) > 1:
        options = [(one.run.id, f"{asked_words(one.job)}, {ago(one.run.created)}") for one in done]
        blocks.append(row(Choice(shown.run.id, options, choose, label="Benchmark", width=420)))
    else:
        blocks.append(muted(f"{asked_words(shown.job)}, {ago(shown.run.created)}", size=14))
    blocks.append(Figures(version_id, shown.run.id, key=shown.run.id))  # type: ignore[call-arg]
    return section("What it found", *blocks)


@component
def Figures(version_id: str, run_id: str) -> Any:
    """A line for each metric of each task."""
    engine = use_engine()
    whole, set_whole = ft.use_state(False)
    found, problem, again = use_latest(lambda: engine.benchmarks.results(run_id, version_id), [run_id, version_id])
    if problem is not None:
        return ErrorCard(problem, again=again)
    if found is None:
        return loading("Comparing both models")
    if not found:
        return muted("There is no task that both models have a figure of.", size=14)
    rows = [_line(each) for each in (found if whole else found[:SHOWN])]
    blocks: list[ft.Control] = [figures(HEADS, rows, WIDTHS), muted(RESTS_ON)]
    if len(found) > SHOWN and not whole:
        blocks.insert(1, row(quiet(f"Show all {len(found)}", lambda: set_whole(True))))
    return ft.Column(blocks, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _line(each: Benchmarked) -> list[str | ft.Control]:
    words = f"{each.verdict}, {chance(each.paired.corrected)}" if each.paired else each.verdict
    return [
        title_of(each.task),
        each.metric_words,
        body(each.base_words, color=Ink.MUTED),
        body(each.tuned_words, color=Ink.PURPLE),
        each.interval_words,
        badge(words, TONES[each.better]),
    ]
