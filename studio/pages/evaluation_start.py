"""Starting an evaluation: which rows, how many, what else to look for in the answers, whether a model judges them; its
progress, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import flet as ft

from engine import orders
from engine.results.listing import Listed
from engine.runs.views import RunView
from engine.spec.records import RunState
from engine.spec.suite import Check, Pattern, Side
from studio.hooks import use_attempt, use_engine, use_surroundings, use_topic
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    NumberField,
    Switch,
    TextField,
    bar,
    body,
    card,
    component,
    icon_button,
    label,
    muted,
    percent,
    quiet,
    row,
    section,
)
from studio.pages.evaluation_checks import Checks
from studio.pages.evaluation_judge import JudgeDraft, JudgeFields
from studio.theme import S2, S3

if TYPE_CHECKING:
    from engine.data.nouns import Dataset

OWN = "own"
ALL_ROWS = 100_000
SIDES: dict[str, str] = {"held-out": "Held out from training", "test": "The test side", "all": "Every row"}
KINDS: dict[str, str] = {"has": "has the words", "lacks": "lacks the words", "matches": "matches the expression"}


def pattern_of(kind: str, text: str) -> Pattern:
    """A pattern named by what it asks for."""
    name = f"matches {text}" if kind == "matches" else f"{kind} “{text}”"
    return Pattern(name=name, text=text, regex=kind == "matches", wanted=kind != "lacks")


def evaluates(run: RunView, title: str) -> bool:
    """Whether this run evaluates the version so called, alone or among others."""
    return run.kind == "evaluate" and f", {title}, " in f", {run.name.removeprefix('evaluate ')}, "


def at_work(run: RunView) -> bool:
    """Whether a run is queued or going on."""
    return run.state.active or run.state is RunState.CREATED


@component
def Measure(each: Listed, first: bool, before: tuple[Check, ...] = ()) -> Any:
    """The evaluation at work, or the way to start one; `first` when there is none yet, `before` the checks that earlier
    ones had."""
    engine = use_engine()
    runs = use_topic(engine.runs.list, every=0.5)
    open_, set_open = ft.use_state(False)
    run = next((run for run in runs if evaluates(run, each.version.title)), None)
    if run is not None and at_work(run):
        return section("Evaluation", card(AtWork(run.id)))
    if not each.usable:
        return ft.Container()
    blocks: list[ft.Control] = []
    if run is not None and run.state in (RunState.FAILED, RunState.LOST):
        blocks.append(_failed(run))
    if first:
        words = "Is it better? Let the base and this version answer rows that training never saw."
        blocks.append(body(words))
    blocks.append(Wish(each, open_, before))
    more = quiet("Fewer options" if open_ else "More options", lambda: set_open(lambda now: not now))
    return section("Evaluate it" if first else "Evaluate it again", card(ft.Column(blocks, spacing=S3)), action=more)


def _failed(run: RunView) -> ft.Control:
    if run.error is not None:
        return ErrorCard(run.error)
    return muted("The last evaluation did not finish; it can be started again.", size=14)


@component
def AtWork(run_id: str) -> Any:
    """How far the evaluation is; what is answered when it is stopped still counts."""
    engine = use_engine()
    run = use_topic(engine.runs.live(run_id).view, every=0.5)
    words = "Waiting for its turn." if run.state is RunState.CREATED else "Base and tuned model are answering."
    share = run.progress or None if run.state.active else 0.0
    said = f"{words} {percent(run.progress)}." if run.progress else words
    return ft.Column(
        [
            body(said),
            bar(share, name="Evaluation"),
            row(
                quiet("Stop", lambda: engine.runs.stop(run_id), icon=ft.Icons.STOP),
                muted("What was answered until then is still counted."),
            ),
        ],
        spacing=S2,
    )


@component
def Wish(each: Listed, all_options: bool, before: tuple[Check, ...]) -> Any:
    """What to ask, and to look for in the answers, and who judges them."""
    engine = use_engine()
    datasets = use_topic(engine.library.datasets, every=1.0)
    dataset, set_dataset = ft.use_state(OWN)
    side, set_side = ft.use_state("held-out")
    rows, set_rows = ft.use_state(0)
    patterns, set_patterns = ft.use_state(tuple[Pattern, ...]())
    checks, set_checks = ft.use_state(tuple[Check, ...]())
    judging, set_judging = ft.use_state(False)
    judge, set_judge = ft.use_state(JudgeDraft())
    key, set_key = ft.use_state("")
    problem, trying = use_attempt()

    def take(other: str) -> None:
        set_dataset(other)
        set_side("held-out" if other == OWN else "all")

    async def start() -> None:
        wish = orders.Measuring(
            dataset="" if dataset == OWN else dataset,
            side=cast(Side, side),
            rows=rows,
            patterns=patterns,
            checks=checks,
        )
        chosen = engine.judging.looked_over(judge.chosen) if judging else None
        run = await engine.outcomes.evaluate(each.version.id, wish)
        if chosen is not None:
            engine.judging.after(run, chosen, key)

    blocks: list[ft.Control] = []
    if all_options:
        blocks.append(_which(dataset, side, rows, datasets, take, set_side, set_rows))
        blocks.append(Patterns(patterns, lambda now: set_patterns(lambda _: now)))
        blocks.append(Checks(checks, before, lambda now: set_checks(lambda _: now)))
        blocks.append(Switch(judging, set_judging, label="Have a model judge the answers too"))
        if judging:
            blocks.append(JudgeFields(judge, lambda now: set_judge(lambda _: now), key, set_key))
    blocks.append(row(Busy("Evaluate", "Starting", trying(start), icon=ft.Icons.BALANCE)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return ft.Column(blocks, spacing=S3)


def _which(
    dataset: str,
    side: str,
    rows: int,
    datasets: tuple[Dataset, ...],
    take: Any,
    set_side: Any,
    set_rows: Any,
) -> ft.Control:
    options = [(OWN, "The data it was trained on"), *((one.id, f"{one.name}, {one.rows:,} rows") for one in datasets)]
    return row(
        Choice(dataset, options, take, label="Data", width=300),
        Choice(side, list(SIDES.items()), set_side, label="Rows", width=230),
        NumberField(rows, lambda count: set_rows(int(count)), label="At most", whole=True, minimum=0, maximum=ALL_ROWS),
        muted("0 asks the usual number, 1,000."),
        spacing=S3,
    )


@component
def Patterns(patterns: tuple[Pattern, ...], change: Any) -> Any:
    """Words or expressions that every answer must have, or must not."""
    kind, set_kind = ft.use_state("has")
    text, set_text = ft.use_state("")
    width = 300 if use_surroundings().columns > 1 else 240

    def add() -> None:
        made = pattern_of(kind, text.strip())
        change((*(one for one in patterns if one.name != made.name), made))
        set_text("")

    lines: list[ft.Control] = [
        row(
            body(f"Every answer {one.name}"),
            icon_button(
                ft.Icons.CLOSE,
                f"Do not look whether it {one.name}",
                lambda one=one: change(tuple(each for each in patterns if each != one)),
            ),
        )
        for one in patterns
    ]
    return ft.Column(
        [
            label("Look for something of your own"),
            *lines,
            row(
                Choice(kind, list(KINDS.items()), set_kind, label="Every answer", width=220),
                ft.Container(TextField(text, set_text, label="Words or expression"), width=width),
                quiet("Add", add, icon=ft.Icons.ADD, disabled=not text.strip()),
                spacing=S3,
            ),
        ],
        spacing=S2,
        tight=True,
    )
