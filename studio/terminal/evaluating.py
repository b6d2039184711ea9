"""Evaluating versions from the terminal, and showing the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.markup import escape

from engine import orders
from engine.core.errors import DataError, RunError, StudioError
from engine.core.home import Home
from engine.judging import model_meant
from engine.results.evaluation import Evaluation, Example
from engine.results.following import advice_for
from engine.results.judging import CRITERIA, Chosen, checked
from engine.results.measured import Result
from engine.results.verdict import chance
from engine.results.versions import Version, Versions
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.suite import Check, Pattern, Side
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.judging import judged, print_judged
from studio.terminal.labels import print_labels
from studio.terminal.ordering import model_words
from studio.terminal.show import console, print_card, print_json, table
from studio.terminal.waiting import evaluation_of
from studio.terminal.watching import ended, watch

VersionArgument = Annotated[str, typer.Argument(help="A version (“name v1.0.0”), its run, or `last`.")]
USUAL = orders.Measuring()


@command
def evaluate(
    version: VersionArgument = "last",
    on: Annotated[str, typer.Option(help="Another dataset to ask instead of the version's held-out rows.")] = "",
    side: Annotated[
        str | None, typer.Option(help="held-out, test, or all rows; else held-out ones, and all of another dataset.")
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Most rows to ask; 0 takes the usual thousand.")] = 0,
    contains: Annotated[list[str] | None, typer.Option(help="Words that every answer must have; repeatable.")] = None,
    lacks: Annotated[list[str] | None, typer.Option(help="Words that no answer may have; repeatable.")] = None,
    regex: Annotated[list[str] | None, typer.Option(help="An expression every answer must match; repeatable.")] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option(help="A Python file with check(prompt, answer, reference) → true, false or 0 to 1; repeatable."),
    ] = None,
    judge_model: Annotated[
        str, typer.Option(help="Have a model judge the answers: its name at --judge-url, or a local model or version.")
    ] = "",
    judge_url: Annotated[str, typer.Option(help="An OpenAI-compatible endpoint, such as http://host:port/v1.")] = "",
    criterion: Annotated[
        list[str] | None, typer.Option(help=f"What the judge looks at: {', '.join(CRITERIA)}; repeatable, else all.")
    ] = None,
    judge_key: Annotated[
        str, typer.Option(help="The environment variable that holds the endpoint's key.")
    ] = "PEFT_STUDIO_JUDGE_KEY",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let base and tuned model answer rows that training never saw, and say what the difference is worth."""
    measuring = orders.Measuring(
        dataset=on,
        side=side_of(side, on),
        rows=rows,
        patterns=patterns_of(contains or [], lacks or [], regex or []),
        checks=tuple(check_of(path) for path in check or []),
    )
    place = Home.open(home)
    chosen = _judge_of(place, judge_model, judge_url, criterion or [])
    result = evaluate_version(place, version, measuring)
    problem: StudioError | None = None
    if chosen:
        try:
            result = judged(place, result, chosen, judge_key)
        except StudioError as error:  # what was measured is shown all the same
            problem = error
    if not json:
        print_evaluation(result)
        print_advice(place, result.version)
    if problem is not None:
        raise problem
    if json:
        print_json(result)


def _judge_of(home: Home, model: str, url: str, criteria: Sequence[str]) -> Chosen | None:
    """The judge that the options mean, looked at before anything is asked. Raises DataError."""
    if not (model or url or criteria):
        return None
    chosen = checked(Chosen(model=model, url=url, criteria=tuple(dict.fromkeys(criteria)) or tuple(CRITERIA)))
    if not chosen.url:
        model_meant(home, Versions(home.versions), model_words(chosen.model))
    return chosen


def print_advice(home: Home, version_id: str) -> None:
    """What to do next, with the words that do it."""
    versions = Versions(home.versions)
    version = versions.find(version_id)
    found = anyio.run(advice_for, versions, version, home.runs, home.datasets)
    if found:
        console.print("To try next:")
    for each in found:
        changes = "".join(f" --set {name}={value}" for name, value in each.edits.items())
        again = f"  [dim]peft-studio train {version.dataset_id}{changes}[/]" if changes else ""
        console.print(f"  • {escape(each.what)} {escape(each.words)}{again}")


def side_of(words: str | None, dataset: str) -> Side:
    """The side that is asked: every row of another dataset unless said otherwise. Raises DataError."""
    if words is None:
        return "all" if dataset else "held-out"
    for side in ("held-out", "test", "all"):
        if words == side:
            return side
    raise DataError(f"There is no side “{words}”.", "Rows are held-out, test, or all.", "Choose one of these.")


def patterns_of(contains: Sequence[str], lacks: Sequence[str], regex: Sequence[str]) -> tuple[Pattern, ...]:
    """What the options mean, each named by its words."""
    return (
        *(Pattern(name=f"has “{text}”", text=text) for text in contains),
        *(Pattern(name=f"lacks “{text}”", text=text, wanted=False) for text in lacks),
        *(Pattern(name=f"matches {text}", text=text, regex=True) for text in regex),
    )


def check_of(path: Path) -> Check:
    """A check read from its file. Raises DataError."""
    try:
        return Check(name=path.stem, source=path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "It is not UTF-8 text"
        raise DataError(
            f"The check {path} cannot be read.", f"{why}.", "Name a Python file with a function `check`."
        ) from error


def evaluate_version(home: Home, words: str, measuring: orders.Measuring = USUAL) -> Evaluation:
    """Have base and tuned answer, watch, and return the verdict. Raises StudioError."""
    versions = Versions(home.versions)
    return evaluate_versions(home, (versions.find(words),), measuring)[0]


def evaluate_versions(home: Home, chosen: Sequence[Version], measuring: orders.Measuring = USUAL) -> list[Evaluation]:
    """Have the base and these versions of it answer the same rows, watch, and return the verdicts."""
    asked = orders.Evaluate(versions=tuple(version.id for version in chosen), measuring=measuring)
    run = anyio.run(orders.ask, home, asked, orders.Started).run
    view = watch(RunFolder(home.runs / run))
    if view.state is not RunState.COMPLETED:
        if view.error:
            raise StudioError.from_card(view.error)
        raise _not_finished(view)
    return [evaluation_of(home, version, run) for version in chosen]


def _not_finished(view: RunView) -> RunError:
    """Watching ended before the run, or the run ended early."""
    if not ended(view):
        return RunError(
            "The evaluation goes on.",
            f"It is {view.state.value}; only the watching has ended.",
            f"Watch it again: peft-studio watch {view.id}",
            f"See what came of it, once it has ended: peft-studio evaluations {view.id}",
            f"Or end it: peft-studio stop {view.id}",
        )
    seen = [f"See what it had answered: peft-studio evaluations {view.id}"] * (view.state is RunState.STOPPED)
    return RunError(
        "The evaluation is not finished.",
        f"It is {view.state.value}.",
        f"Resume it: peft-studio resume {view.id}",
        *seen,
    )


def print_evaluation(result: Evaluation) -> None:
    """Both models side by side, the verdict, the score, and where they differ."""
    head = [
        [name, f"{100 * each.exact_match:.0f} %", f"{each.token_f1:.2f}", f"{each.perplexity:.2f}"]
        for name, each in (("base", result.base), ("tuned", result.tuned))
    ]
    table(("", ">exact match", ">token F1", ">perplexity"), head)
    console.print(f"\n[bold]{escape(result.verdict)}[/]")
    if result.score:
        console.print(escape(result.score.words))
    console.print()
    heads = ("measure", ">base", ">tuned", ">difference", ">95 % interval", ">p (Holm)", "effect")
    table(heads, [_row(each) for each in result.results])
    console.print()
    if result.confusion:
        print_labels(*result.confusion)
    if result.judged:
        print_judged(result.judged)
    for problem in result.problems:
        print_card(problem)
    for example in telling(result):
        print_example(example)


def _row(result: Result) -> list[str]:
    paired, unit, described = result.difference, result.measure.unit, result.measure.better == "neither"
    return [
        escape(result.measure.title),
        value_words(result.base.value, unit),
        value_words(result.tuned.value, unit),
        value_words(paired.difference, unit, sign=True),
        f"{value_words(paired.low, unit)} to {value_words(paired.high, unit)}" if paired.has_interval else "",
        "" if described else chance(paired.corrected).removeprefix("p ").removeprefix("= "),
        "" if described else paired.size,
    ]


def value_words(value: float, unit: str, *, sign: bool = False) -> str:
    """A value of a measure: shares in percent, others with two digits."""
    plus = "+" if sign else ""
    return f"{100 * value:{plus}.1f}" if unit == "share" else f"{value:{plus}.2f}"


def telling(result: Evaluation, count: int = 2) -> list[Example]:
    """The examples where the tuned model gains most, and one where it is wrong, if there is one."""
    gains = sorted(result.examples, key=lambda each: each.base_f1 - each.tuned_f1)
    wrong = [each for each in result.examples if not each.tuned_match]
    return gains[:count] + [each for each in wrong[:1] if each not in gains[:count]]


def print_example(example: Example) -> None:
    """One question with both answers and the reference."""
    console.print(f"[dim]question [/] {escape(' '.join(example.prompt.split()))}")
    console.print(f"[dim]base     [/] {escape(example.base or '(nothing)')}")
    mark = "[green]✓[/]" if example.tuned_match else "[yellow]≠[/]"
    console.print(f"[magenta]tuned    [/] {escape(example.tuned or '(nothing)')} {mark}")
    if not example.tuned_match:
        console.print(f"[dim]expected [/] {escape(example.reference)}")
    console.print()
