"""`peft-studio benchmark`: a version and its base through tasks of lm-evaluation-harness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
import typer

from engine import orders
from engine.core.home import Home
from engine.results.benchmarks import Benchmarked, read_benchmarks
from engine.results.versions import Versions
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.evaluating import VersionArgument
from studio.terminal.show import print_card, print_json, say, table
from studio.terminal.watching import exit_code, watch

VERDICTS = {1: "better", -1: "worse", 0: "no difference shown"}


@command
def benchmark(
    version: VersionArgument = "last",
    task: Annotated[
        list[str] | None, typer.Option(help="A task, such as hellaswag, mmlu or truthfulqa_mc2; repeatable.")
    ] = None,
    tasks_folder: Annotated[Path | None, typer.Option(help="A folder with tasks of your own (lm-eval YAML).")] = None,
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
        tasks=tuple(task or ("hellaswag",)),
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
    else:
        print_benchmarks(found)
    raise typer.Exit(exit_code(view, folder))


def print_benchmarks(found: Sequence[Benchmarked]) -> None:
    """A table of tasks, and what it rests on."""
    table(
        ("task", "measure", ">base", ">tuned", "95 % interval", ">p (Holm)", "verdict"), [_row(each) for each in found]
    )
    say("Intervals and p-values are of the paired difference, example by example; without examples there are none.")


def _row(each: Benchmarked) -> list[str]:
    proof = each.paired
    return [
        each.task,
        f"{each.metric}{'' if each.higher_is_better else ' (lower is better)'}",
        _value(each.base, each.base_error),
        _value(each.tuned, each.tuned_error),
        f"{proof.low:+.3f} to {proof.high:+.3f}" if proof else "",
        f"{proof.corrected:.3f}" if proof else "",
        VERDICTS[each.better] if proof else "not paired",
    ]


def _value(value: float, error: float | None) -> str:
    return f"{value:.3f} ± {error:.3f}" if error is not None else f"{value:.3f}"
