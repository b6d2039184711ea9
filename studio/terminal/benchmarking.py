"""`peft-studio benchmark`: a version and its base through tasks of lm-evaluation-harness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
import typer

from engine import orders
from engine.core.home import Home
from engine.results.benchmarks import RESTS_ON, Benchmarked, read_benchmarks
from engine.results.tasks import tasks_in
from engine.results.versions import Versions
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.evaluating import VersionArgument
from studio.terminal.show import print_card, print_json, say, table
from studio.terminal.watching import exit_code, watch

USUAL_TASK = "hellaswag"


@command
def benchmark(
    version: VersionArgument = "last",
    task: Annotated[
        list[str] | None,
        typer.Option(help="A task, such as hellaswag, mmlu or truthfulqa_mc2; repeatable, else all of the folder."),
    ] = None,
    tasks_folder: Annotated[Path | None, typer.Option(help="A folder with tasks of your own (lm-eval YAML).")] = None,
    install: Annotated[bool, typer.Option("--install", help="Only install the harness, and ask nothing.")] = False,
    rows: Annotated[int, typer.Option(min=0, help="Examples of each task; 0 takes all.")] = 0,
    few_shot: Annotated[int, typer.Option(min=-1, help="Examples shown before each; -1 leaves it to the task.")] = -1,
    chat: Annotated[bool, typer.Option("--chat", help="Ask in the model's chat template.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Let tasks fetch their data.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Put a version and its base through public benchmarks; the harness is installed once, on demand."""
    place = Home.open(home)
    wish = orders.Benchmark(
        version=version,
        tasks=() if install else tasks_of(task or [], tasks_folder),
        tasks_folder=str(tasks_folder.absolute()) if tasks_folder else "",
        rows=rows or None,
        few_shot=None if few_shot < 0 else few_shot,
        chat=chat,
        online=online,
    )
    run = ask(place, wish, orders.Started).run
    folder = RunFolder(place.runs / run)
    view = watch(folder)
    found: tuple[Benchmarked, ...] = ()
    if view.state is RunState.COMPLETED:
        tuned = Versions(place.versions).find(version).id
        found = anyio.run(read_benchmarks, folder.results_file, tuned)
    if json:
        print_json({"run": run, "results": found})
    elif view.error:
        print_card(view.error)
    elif install:
        say("lm-evaluation-harness is installed." if view.state is RunState.COMPLETED else "It is not installed yet.")
    else:
        print_benchmarks(found)
    raise typer.Exit(exit_code(view, folder))


def tasks_of(named: Sequence[str], folder: Path | None) -> tuple[str, ...]:
    """The tasks that are meant: those named, else all of the folder, else the usual one. Raises DataError."""
    return tuple(named) or (tasks_in(folder) if folder else (USUAL_TASK,))


def print_benchmarks(found: Sequence[Benchmarked]) -> None:
    """A table of tasks, and what it rests on."""
    heads = ("task", "measure", ">base", ">tuned", "95 % interval", ">p (Holm)", "verdict")
    table(heads, [_row(each) for each in found])
    say(RESTS_ON)


def _row(each: Benchmarked) -> list[str]:
    proof = f"{each.paired.corrected:.3f}" if each.paired else ""
    return [
        each.task,
        each.metric_words,
        each.base_words,
        each.tuned_words,
        each.interval_words,
        proof,
        each.verdict,
    ]
