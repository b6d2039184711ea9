"""`peft-studio runs`, `show`, `adjust` and `queue ...`: what ran, what is at work, and what waits for its turn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine import orders
from engine.core.errors import RunError
from engine.core.home import Home
from engine.spec.folder import RunFolder
from engine.spec.records import Live, RunState
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.finding import RunArgument, find_run, views
from studio.terminal.show import bytes_words, print_json, say, seconds_words, state_words, table

queue = typer.Typer(help="What waits for its turn, in order; and changing that order.")


@command
def runs(
    all: Annotated[bool, typer.Option("--all", help="Evaluations and model hosts too.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs, newest first."""
    found = [view for view in views(Home.open(home)) if all or view.kind == "train"]
    if json:
        return print_json(found)
    rows = [
        [
            state_words(view.state),
            view.name,
            f"{100 * view.progress:.0f} %",
            f"{view.loss:.3f}" if view.loss is not None else "",
            f"{view.quality:.0f}" if view.quality is not None else "",
            view.method or view.kind,
            seconds_words(view.seconds),
            view.id,
        ]
        for view in found
    ]
    table(("state", "name", ">done", ">loss", ">quality", "method", ">time", "id"), rows)
    return None


@command
def show(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Show a run: how it went in plain words, its quality score, what to try next, and how good its estimate was."""
    from engine.runs.index import view_of
    from studio.terminal.readings import print_report, report_of

    place = Home.open(home)
    folder = RunFolder(place.runs / find_run(place, run))
    report = report_of(folder, view_of(folder))
    print_json(report) if json else print_report(report)


@command
def adjust(
    run: RunArgument = "last",
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="The peak of the planned course, such as 0.0001.")
    ] = None,
    validate_every: Annotated[
        int | None, typer.Option("--validate-every", help="Steps between measurements on held-out rows.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option("--checkpoint-every", help="Steps between saved states.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give a run at work other values from its next step on: its learning rate, how often it measures and saves."""
    place = Home.open(home)
    live = Live(learning_rate=learning_rate, validate_every=validate_every, checkpoint_every=checkpoint_every)
    if not live.changes():
        raise RunError("Nothing was changed.", "No new value was given.", "Pass one, such as `--learning-rate 0.0001`.")
    run_id = find_run(place, run)
    ask(place, orders.Adjust(run=run_id, live=live), orders.Started)
    words = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in live.changes().items())
    print_json({"run": run_id, **live.changes()}) if json else say(f"From the next step on: {words}.")


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A waiting run as `queue` lists it; `why` is empty for one that starts next. Memory in bytes."""

    place: int
    run: str
    name: str
    priority: int
    memory: int | None
    why: str


def waiting(home: Home) -> tuple[Waiting, ...]:
    """What waits, in the order in which the Home's holder will start it."""
    from engine.core.settings import load
    from engine.runs.meters import room
    from engine.runs.queue import turns

    found = views(home)
    lined_up = turns(
        [view for view in found if view.state is RunState.CREATED],
        [view for view in found if view.state.active],
        load(home.settings).concurrent_runs,
        room(),
    )
    return tuple(
        Waiting(
            place=place,
            run=turn.run.id,
            name=turn.run.name,
            priority=turn.run.priority,
            memory=turn.run.expected_memory,
            why=turn.why,
        )
        for place, turn in enumerate(lined_up, start=1)
    )


@queue.callback(invoke_without_command=True)
@command
def queue_list(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List what waits for its turn, in order."""
    if context.invoked_subcommand:
        return None
    found = waiting(Home.open(home))
    if json:
        return print_json(found)
    if not found:
        return say("Nothing waits.")
    rows = [
        [
            f"{each.place}",
            each.name,
            f"{each.priority}",
            bytes_words(each.memory) if each.memory else "",
            each.why or "starts next",
            each.run,
        ]
        for each in found
    ]
    return table((">", "name", ">priority", ">memory", "because", "id"), rows)


def _move(run: str, priority: int | None, home: Path | None, json: bool) -> None:
    place = Home.open(home)
    moved = ask(place, orders.Move(run=find_run(place, run), priority=priority), orders.Moved)
    print_json(moved) if json else say(f"{moved.run} now has priority {moved.priority}.")


@queue.command("move")
@command
def queue_move(
    run: RunArgument,
    priority: Annotated[int, typer.Option(help="Higher ones start first; 0 is usual, and below 0 comes last.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give a waiting run another priority."""
    _move(run, priority, home, json)


@queue.command("first")
@command
def queue_first(run: RunArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Let a waiting run start before all others that wait."""
    _move(run, None, home, json)
