"""`peft-studio evaluations`: those that were made, and one shown again, a stopped one with what it had answered."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from engine.core.errors import RunError
from engine.core.home import Home
from engine.results.evaluation import Evaluation
from engine.results.versions import Version, Versions
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import EvaluateJob
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.evaluating import print_advice, print_evaluation
from studio.terminal.finding import views
from studio.terminal.show import console, print_json, table
from studio.terminal.waiting import evaluation_of

WhichArgument = Annotated[
    str, typer.Argument(help="A version, to see its newest one, or an evaluation's run; without it: all of them.")
]


@command
def evaluations(which: WhichArgument = "", home: HomeOption = None, json: JsonOption = False) -> None:
    """List the evaluations, newest first, or show one again."""
    place = Home.open(home)
    if not which:
        return _list(place, json)
    found = shown(place, which)
    if json:
        return print_json(found)
    for each in found:
        print_evaluation(each)
        print_advice(place, each.version)
    return None


def _list(home: Home, json: bool) -> None:
    versions = Versions(home.versions)
    every = [(each, version) for version in versions.all() for each in versions.evaluations(version)]
    every.sort(key=lambda pair: pair[0].run, reverse=True)
    if json:
        return print_json([each for each, _ in every])
    table(("version", "rows", ">examples", ">score", "against the base", "run"), [_row(*pair) for pair in every])
    if not every:
        console.print("There are none yet. Make one: peft-studio eval")
    return None


def _row(each: Evaluation, version: Version) -> list[str]:
    other = "" if each.dataset_hash in ("", version.dataset_hash) else " of another dataset"
    score = f"{each.score.value:.0f}" if each.score else ""
    return [escape(version.title), f"{each.side}{other}", str(len(each.examples)), score, each.outcome, each.run]


def shown(home: Home, which: str) -> list[Evaluation]:
    """The newest evaluation of a version, or all that an evaluation's run made, by the start of its id.

    One that is not scored yet is waited for. Raises StudioError.
    """
    versions = Versions(home.versions)
    runs = [each for each in views(home) if each.kind == "evaluate" and each.id.startswith(which)]
    if len(runs) == 1:
        return _of_run(home, versions, runs[0])
    return _of_version(versions, versions.find(which))


def _of_version(versions: Versions, version: Version) -> list[Evaluation]:
    newest = versions.evaluations(version)[:1]
    if not newest:
        raise RunError(
            f"{version.title} is not evaluated yet.",
            "Nothing that it answered was measured.",
            f"Measure it: peft-studio eval {version.id}",
        )
    return list(newest)


def _of_run(home: Home, versions: Versions, run: RunView) -> list[Evaluation]:
    job = RunFolder(home.runs / run.id).spec().job
    assert isinstance(job, EvaluateJob)
    if run.state not in (RunState.COMPLETED, RunState.STOPPED):
        raise RunError(
            "This evaluation has no results yet.",
            f"It is {run.state.value}; what was answered is measured when it has ended or is stopped.",
            f"Watch it: peft-studio watch {run.id}" if run.state.active else f"Resume it: peft-studio resume {run.id}",
        )
    there = {version.id: version for version in versions.all()}
    asked = [there[each.name] for each in job.adapters if each.name in there]
    return [versions.evaluation_by(each, run.id) or evaluation_of(home, each, run.id) for each in asked]
