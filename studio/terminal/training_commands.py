"""`peft-studio plan`, `train`, `watch`, `pause`, `resume`, `stop` and `demo`: a run from its plan to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine import orders
from engine.core.home import Home
from engine.runs.summary import read_view
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.finding import RunArgument, find_run
from studio.terminal.ordering import (
    DatasetArgument,
    MethodOption,
    ModelOption,
    NameOption,
    ParentOption,
    ProfileOption,
    SetOption,
    dataset_for,
    edit,
    order_of,
)
from studio.terminal.plan_options import (
    DeviceOption,
    LossOption,
    MemoryOption,
    ObjectiveOption,
    ProbeOption,
    SomeDataset,
)
from studio.terminal.show import print_card, print_json, say

AcceptOption = Annotated[
    bool,
    typer.Option("--accept", help="Do what the run proposed when it paused by itself, for example go back a while."),
]


@command
def plan(
    dataset: SomeDataset = None,
    model: ModelOption = "starter",
    profile: ProfileOption = "",
    method: MethodOption = "",
    objective: ObjectiveOption = "",
    name: NameOption = "",
    set: SetOption = None,
    memory: MemoryOption = "",
    device: DeviceOption = "",
    loss: LossOption = "labelled",
    probe: ProbeOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a run would do: every value with its reason, memory, time, and what was noticed."""
    from engine.plan.planner import Plan
    from studio.terminal.plans import hardware_named, plan_without_data, print_plan, refuse_elsewhere

    if dataset is None:
        edits = {"loss": loss, **dict(edit(each) for each in set or [])}
        hardware = hardware_named(device, memory)
        planned = plan_without_data(home, model, profile, method, objective, name, edits, hardware)
    else:
        refuse_elsewhere(memory, device, "" if loss == "labelled" else loss)
        place = Home.open(home)
        order = order_of(dataset_for(place, dataset), model, profile, method, objective, name, set)
        planned = ask(place, (orders.Probe if probe else orders.MakePlan)(order=order), Plan)
    print_json(planned) if json else print_plan(planned)


@command
def train(
    dataset: DatasetArgument,
    model: ModelOption = "starter",
    profile: ProfileOption = "",
    method: MethodOption = "",
    objective: ObjectiveOption = "",
    name: NameOption = "",
    set: SetOption = None,
    parent: ParentOption = "",
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the run goes on by itself.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fine-tune a model on a dataset and watch it."""
    place = Home.open(home)
    order = order_of(dataset_for(place, dataset), model, profile, method, objective, name, set, parent)
    run = ask(place, orders.Train(order=order), orders.Started).run
    if detach:
        print_json({"run": run}) if json else say(f"Started {run}. Watch it with: peft-studio watch {run}")
        return
    _watch(place, run, json)


def _watch(home: Home, run: str, json: bool) -> None:
    from studio.terminal.readings import print_estimate, print_reading, report_of
    from studio.terminal.waiting import NO_VERSION, version_of
    from studio.terminal.watching import exit_code, watch

    folder = RunFolder(home.runs / run)
    view = watch(folder)
    version = version_of(home, view) if view.kind == "train" else None
    report = report_of(folder, view)
    if json:
        print_json({"run": run, "version": version.title if version else "", **msgspec.structs.asdict(report)})
    elif view.error:
        print_card(view.error)
    elif version:
        if report.reading:
            print_reading(report.reading)
            print_estimate(report)
        say(f"It is now {version.title}. Ask it something: peft-studio chat {run}   Measure it: peft-studio eval {run}")
    elif view.kind == "train" and view.state is RunState.COMPLETED:
        say(f"{NO_VERSION} It was deleted, or nothing was saved after training.")
    raise typer.Exit(exit_code(view, folder))


@command
def watch(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Watch a run until it ends; Ctrl-C stops watching, not the run."""
    place = Home.open(home)
    _watch(place, find_run(place, run), json)


def _tell(run: str, verb: str, done: str, home: Path | None, json: bool) -> None:
    place = Home.open(home)
    run_id = find_run(place, run)
    tell = msgspec.convert({"run": run_id, "verb": verb}, orders.Tell)
    ask(place, tell, orders.Started)
    view = read_view(RunFolder(place.runs / run_id))
    print_json(view) if json else say(f"{view.name} {done}.")


@command
def pause(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Save a run's state and free its memory; resume goes on exactly there."""
    _tell(run, "pause", "is saving its state and pauses", home, json)


@command
def resume(
    run: RunArgument = "last", accept: AcceptOption = False, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Go on with a paused, stopped, failed or lost run from its last checkpoint."""
    _tell(run, "accept" if accept else "resume", "goes on", home, json)


@command
def stop(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """End a run early and keep what it has learned."""
    _tell(run, "stop", "is ending; what it has learned is kept", home, json)


@command
def demo(home: HomeOption = None, json: JsonOption = False) -> None:
    """Fine-tune the starter model on sample data, measure it, and show what changed. About a minute, no network."""
    from studio.terminal.demo import run_demo

    result = run_demo(Home.open(home))
    if json:
        print_json(result)
