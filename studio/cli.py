"""`peft-studio`: the command line. Reading commands look into the Home's folders; doing commands ask whoever holds it.

Every command has --json (one object on standard output, last) and --home. Exit codes: 0 done, 1 refused with a card,
2 wrong usage, and for runs the worker's own (engine/spec/exits.py).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine import orders
from engine.core import logs
from engine.core.home import Home
from engine.results.versions import Versions
from engine.runs.summary import read_view
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from studio.terminal.account_commands import account
from studio.terminal.benchmarking import benchmark
from studio.terminal.capsule_commands import capsule
from studio.terminal.chat_command import chat
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.comparing import compare
from studio.terminal.conversation_commands import conversations
from studio.terminal.data_commands import data
from studio.terminal.evaluating import evaluate
from studio.terminal.evaluations import evaluations
from studio.terminal.exporting import export, exports
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
from studio.terminal.profile_commands import profile
from studio.terminal.run_commands import adjust, queue, runs, show
from studio.terminal.show import print_card, print_json, say
from studio.terminal.sweep_commands import sweep
from studio.terminal.version_commands import versions

app = typer.Typer(
    name="peft-studio",
    help="Fine-tune a language model on your own data, on your own machine, and prove that it got better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data, name="data")
app.add_typer(sweep, name="sweep")
app.add_typer(queue, name="queue")
app.command()(runs)
app.command()(show)
app.command()(adjust)
app.command()(chat)
app.command("eval")(evaluate)
app.command()(evaluations)
app.command()(benchmark)
app.command()(compare)
app.add_typer(versions, name="versions")
app.add_typer(capsule, name="capsule")
app.add_typer(conversations, name="conversations")
app.command()(export)
app.command()(exports)
app.add_typer(profile, name="profile")
app.add_typer(account, name="account")

AcceptOption = Annotated[
    bool,
    typer.Option("--accept", help="Do what the run proposed when it paused by itself, for example go back a while."),
]


@app.command()
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


@app.command()
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
    from studio.terminal.watching import exit_code, watch

    folder = RunFolder(home.runs / run)
    view = watch(folder)
    version = _version_words(home, view) if view.kind == "train" else ""
    report = report_of(folder, view)
    if json:
        print_json({"run": run, "version": version, **msgspec.structs.asdict(report)})
    elif view.error:
        print_card(view.error)
    elif version:
        if report.reading:
            print_reading(report.reading)
            print_estimate(report)
        say(f"It is now {version}. Ask it something: peft-studio chat {run}   Measure it: peft-studio eval {run}")
    raise typer.Exit(exit_code(view, folder))


def _version_words(home: Home, view: RunView) -> str:
    """The version's name, once the holder has made it; waits a moment for that."""
    from studio.terminal.waiting import version_of

    version = version_of(Versions(home.versions), view)
    return f"{version.name} {version.number}" if version else ""


@app.command()
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


@app.command()
@command
def pause(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Save a run's state and free its memory; resume goes on exactly there."""
    _tell(run, "pause", "is saving its state and pauses", home, json)


@app.command()
@command
def resume(
    run: RunArgument = "last", accept: AcceptOption = False, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Go on with a paused, stopped, failed or lost run from its last checkpoint."""
    _tell(run, "accept" if accept else "resume", "goes on", home, json)


@app.command()
@command
def stop(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """End a run early and keep what it has learned."""
    _tell(run, "stop", "is ending; what it has learned is kept", home, json)


@app.command()
@command
def demo(home: HomeOption = None, json: JsonOption = False) -> None:
    """Fine-tune the starter model on sample data, measure it, and show what changed. About a minute, no network."""
    from studio.terminal.demo import run_demo

    result = run_demo(Home.open(home))
    if json:
        print_json(result)


@app.command("app")
@command
def open_app(home: HomeOption = None, json: JsonOption = False) -> None:
    """Open the app in a window; as a page in the browser where no window can be had."""
    from studio.desktop import open_window

    place = Home.open(home)
    logs.to_folder(place.logs, "app")
    open_window(place.path)


@app.command()
@command
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every one of this machine.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    name: Annotated[list[str] | None, typer.Option(help="A further name it is reached by; repeatable.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="For https: a certificate (PEM) with its chain.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The certificate's key (PEM), if it is not in the same file.")
    ] = None,
    login: Annotated[bool, typer.Option("--login", help="Ask for an account on this machine, too.")] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve the app as a page: behind a one-time link on this machine, behind a login on any other address."""
    from studio.web import HOST, Where, serve_home

    place = Home.open(home)
    logs.to_folder(place.logs, "app")
    where = Where(host=host or HOST, port=port, names=tuple(name or ()), certificate=certificate, key=key, login=login)
    serve_home(place.path, where, browser=browser and not where.guarded, json=json)


@app.command()
@command
def keeper(home: HomeOption = None, json: JsonOption = False) -> None:
    """Hold the Home while runs wait and no app is open; leaves by itself. Commands start it when needed."""
    from engine.keeper import main as keep

    raise typer.Exit(keep(str(Home.open(home).path)))


@app.command()
@command
def doctor(home: HomeOption = None, json: JsonOption = False) -> None:
    """Check what this machine can do and where things are."""
    from studio.terminal.doctor import examine, print_report

    report = examine(Home.open(home))
    print_json(report) if json else print_report(report)
    raise typer.Exit(0 if report.ready else 1)


def main() -> None:
    """The console script. Output is UTF-8 also where the console's own encoding is not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    app()


if __name__ == "__main__":
    main()
