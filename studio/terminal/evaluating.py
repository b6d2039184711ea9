"""Evaluating a version from the terminal, and showing the evidence."""

from __future__ import annotations

import anyio
from rich.markup import escape

from engine import orders
from engine.core.errors import RunError, StudioError
from engine.core.home import Home
from engine.results.evaluation import Evaluation, Example, Scores
from engine.results.versions import Versions
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from studio.terminal.show import console, table
from studio.terminal.waiting import evaluation_of
from studio.terminal.watching import watch


def evaluate_version(home: Home, words: str) -> Evaluation:
    """Have base and tuned answer, watch, and return the verdict. Raises StudioError."""
    versions = Versions(home.versions)
    version = versions.find(words)
    run = anyio.run(orders.ask, home, orders.Evaluate(version=version.id), orders.Started).run
    view = watch(RunFolder(home.runs / run))
    if view.state is not RunState.COMPLETED:
        if view.error:
            raise StudioError.from_card(view.error)
        raise RunError(
            "The evaluation is not finished.", f"It is {view.state.value}.", f"Resume it: peft-studio resume {run}"
        )
    result = evaluation_of(versions, version, run)
    if result is None:
        raise RunError(
            "The answers were not scored.",
            "All answers are there, but no verdict was made of them.",
            "Run the evaluation again; its log says more.",
        )
    return result


def print_evaluation(result: Evaluation) -> None:
    """Both models side by side, the verdict, and where they differ."""
    table(("", ">exact match", ">token F1", ">perplexity"), [_row("base", result.base), _row("tuned", result.tuned)])
    console.print(f"\n[bold]{escape(result.verdict)}[/]\n")
    for example in telling(result):
        print_example(example)


def _row(name: str, scores: Scores) -> list[str]:
    return [name, f"{100 * scores.exact_match:.0f} %", f"{scores.token_f1:.2f}", f"{scores.perplexity:.2f}"]


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
