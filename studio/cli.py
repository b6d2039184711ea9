"""`peft-studio`: the command line. Reading commands look into the Home's folders; doing commands ask whoever holds it.

Every command has --json (one object on standard output, last) and --home. Exit codes: 0 done, 1 refused with a card,
2 wrong usage, and for runs the worker's own (engine/spec/exits.py).
"""

from __future__ import annotations

import functools
import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import anyio
import click
import msgspec
import typer

from engine import orders
from engine.core import logs
from engine.core.errors import StudioError, unexpected
from engine.core.home import Home
from engine.data.nouns import Dataset
from engine.results.versions import Versions
from engine.runs.summary import read_view
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from studio.terminal.show import (
    print_card,
    print_json,
    quiet,
    say,
    seconds_words,
    state_words,
    table,
)

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    name="peft-studio",
    help="Fine-tune a language model on your own data, on your own machine, and prove that it got better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data = typer.Typer(help="Look at data files, import them, and see what is there.", no_args_is_help=True)
app.add_typer(data, name="data")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="PEFT_STUDIO_HOME", help="The data folder to work in.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, last.")]
RunArgument = Annotated[str, typer.Argument(help="A run's id, the start of it, its name, or `last`.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting as name=value, for example --set epochs=4. Can be repeated."),
]


def command(function: Callable[P, R]) -> Callable[P, R]:
    """What every command shares: --json sets the tone, errors become cards and exit code 1, defects are logged."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        quiet.on = bool(kwargs.get("json", False))
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, click.ClickException):
            raise
        except Exception as error:  # noqa: BLE001 - every error ends as a card; defects are logged with their stack
            _refuse(alone(error), kwargs.get("home"))
        raise typer.Exit(1)

    return guarded


def alone(error: BaseException) -> BaseException:
    """The one error inside the groups that task groups put around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _refuse(error: BaseException, home: object) -> None:
    card = unexpected(error)
    if card.code == "defect":
        logs.to_folder(Home.open(home if isinstance(home, Path) else None).logs, "cli")
        log.error("a command failed", exc_info=error)
    if quiet.on:
        print_json({"error": card})
    else:
        print_card(card)


def ask(home: Home, what: orders.Command, answer: type[R]) -> R:
    """Have the Home's holder do something, and wait for its answer."""
    return anyio.run(orders.ask, home, what, answer)


# -- data ------------------------------------------------------------------------------------------------------------


@data.command("inspect")
@command
def data_inspect(file: Path, home: HomeOption = None, json: JsonOption = False) -> None:
    """Say what a data file holds, without importing it."""
    from engine.data.inspect import inspect_file
    from studio.terminal.datasets import print_inspection

    found = inspect_file(file.expanduser())
    print_json(found) if json else print_inspection(found)


@data.command("import")
@command
def data_import(
    file: Path,
    name: Annotated[str, typer.Option(help="What to call it; the file's name otherwise.")] = "",
    map: Annotated[
        list[str] | None,
        typer.Option(help="A column's role, for example --map prompt=frage --map answer=antwort."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Import a data file as a dataset."""
    from studio.terminal.datasets import mapping_from, print_dataset

    what = orders.Import(path=str(file.expanduser().absolute()), name=name, mapping=mapping_from(map or []))
    dataset = ask(Home.open(home), what, Dataset)
    print_json(dataset) if json else print_dataset(dataset)


@data.command("list")
@command
def data_list(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the imported datasets."""
    from engine.data.library import list_datasets

    found = list_datasets(Home.open(home).datasets)
    if json:
        return print_json(found)
    rows = [[each.name, f"{each.rows:,}", f"{each.validation_rows:,}", each.shape, each.id] for each in found]
    table(("name", ">rows", ">held out", "shape", "id"), rows)
    return None


@data.command("show")
@command
def data_show(
    dataset: Annotated[str, typer.Argument(help="A dataset's name, id, or the start of its id.")],
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows to show.")] = 3,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show a dataset and its first rows."""
    from itertools import islice

    from engine.data.library import load_dataset, read_rows
    from studio.terminal.datasets import print_dataset, print_rows

    folder = Home.open(home).datasets
    found = load_dataset(folder, dataset)
    first = list(islice(read_rows(folder, found.id), rows))
    if json:
        return print_json({"dataset": found, "rows": first})
    print_dataset(found)
    return print_rows(first)


# -- plan and train --------------------------------------------------------------------------------------------------


def _order(dataset: str, model: str, profile: str, method: str, name: str, edits: list[str] | None) -> orders.Order:
    return orders.Order(
        dataset=dataset,
        model=str(Path(model).expanduser().absolute()) if Path(model).expanduser().is_dir() else model,
        profile=profile,
        method=method,
        name=name,
        edits=dict(_edit(each) for each in edits or []),
    )


def _edit(words: str) -> tuple[str, str | int | float | bool]:
    """name=value, the value as the number or yes/no that it looks like."""
    name, equals, value = words.partition("=")
    if not equals:
        raise StudioError(f"“{words}” is not a setting.", "A setting has a name and a value.", "Write name=value.")
    try:
        return name.strip(), msgspec.json.decode(value, type=bool | int | float)
    except msgspec.MsgspecError:
        return name.strip(), value.strip()


DatasetArgument = Annotated[str, typer.Argument(help="A dataset's name or id, or a data file to import.")]
ModelOption = Annotated[str, typer.Option(help="A base model: `starter`, a name, or a folder.")]
ProfileOption = Annotated[
    str, typer.Option(help="What for: chatbot, customer-support, ...; chosen from the data when left out.")
]
MethodOption = Annotated[str, typer.Option(help="lora, qlora or full; chosen for you when left out.")]
NameOption = Annotated[str, typer.Option(help="The run's name; the dataset's otherwise.")]


def _dataset_for(home: Home, words: str) -> str:
    """A dataset's id; a file is imported first."""
    path = Path(words).expanduser()
    if not path.is_file():
        return words
    say(f"Importing {path.name} ...")
    return ask(home, orders.Import(path=str(path.absolute())), Dataset).id


@app.command()
@command
def plan(
    dataset: DatasetArgument,
    model: ModelOption = "starter",
    profile: ProfileOption = "",
    method: MethodOption = "",
    name: NameOption = "",
    set: SetOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a run would do: every value with its reason, memory, time, and what was noticed."""
    from engine.plan.planner import Plan
    from studio.terminal.plans import print_plan

    place = Home.open(home)
    order = _order(_dataset_for(place, dataset), model, profile, method, name, set)
    planned = ask(place, orders.MakePlan(order=order), Plan)
    print_json(planned) if json else print_plan(planned)


@app.command()
@command
def train(
    dataset: DatasetArgument,
    model: ModelOption = "starter",
    profile: ProfileOption = "",
    method: MethodOption = "",
    name: NameOption = "",
    set: SetOption = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the run goes on by itself.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Fine-tune a model on a dataset and watch it."""
    place = Home.open(home)
    order = _order(_dataset_for(place, dataset), model, profile, method, name, set)
    run = ask(place, orders.Train(order=order), orders.Started).run
    if detach:
        print_json({"run": run}) if json else say(f"Started {run}. Watch it with: peft-studio watch {run}")
        return
    _watch(place, run, json)


def _watch(home: Home, run: str, json: bool) -> None:
    from studio.terminal.watching import exit_code, watch

    folder = RunFolder(home.runs / run)
    view = watch(folder)
    version = _version_words(home, view) if view.kind == "train" else ""
    if json:
        print_json({"run": run, "version": version, "view": view})
    elif view.error:
        print_card(view.error)
    elif version:
        say(f"It is now {version}. Ask it something: peft-studio chat {run}   Measure it: peft-studio eval {run}")
    raise typer.Exit(exit_code(view, folder))


def _version_words(home: Home, view: RunView) -> str:
    """The version's name, once the holder has made it; waits a moment for that."""
    from studio.terminal.waiting import version_of

    version = version_of(Versions(home.versions), view)
    return f"{version.name} {version.number}" if version else ""


# -- runs ------------------------------------------------------------------------------------------------------------


def _views(home: Home) -> list[RunView]:
    from engine.runs.index import view_of

    folders = [RunFolder(path) for path in home.runs.iterdir() if (path / "spec.json").exists()]
    return sorted((view_of(folder) for folder in folders), key=lambda view: -view.created)


def _find_run(home: Home, words: str) -> str:
    from engine.runs.runs import find_view

    return find_view(_views(home), words).id


@app.command()
@command
def runs(
    all: Annotated[bool, typer.Option("--all", help="Evaluations and model hosts too.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs, newest first."""
    views = [view for view in _views(Home.open(home)) if all or view.kind == "train"]
    if json:
        return print_json(views)
    rows = [
        [
            state_words(view.state),
            view.name,
            f"{100 * view.progress:.0f} %",
            f"{view.loss:.3f}" if view.loss is not None else "",
            view.method or view.kind,
            seconds_words(view.seconds),
            view.id,
        ]
        for view in views
    ]
    table(("state", "name", ">done", ">loss", "method", ">time", "id"), rows)
    return None


@app.command()
@command
def watch(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Watch a run until it ends; Ctrl-C stops watching, not the run."""
    place = Home.open(home)
    _watch(place, _find_run(place, run), json)


def _tell(run: str, verb: str, done: str, home: Path | None, json: bool) -> None:
    place = Home.open(home)
    run_id = _find_run(place, run)
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
def resume(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Go on with a paused, stopped, failed or lost run from its last checkpoint."""
    _tell(run, "resume", "goes on", home, json)


@app.command()
@command
def stop(run: RunArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """End a run early and keep what it has learned."""
    _tell(run, "stop", "is ending; what it has learned is kept", home, json)


# -- results ---------------------------------------------------------------------------------------------------------


@app.command()
@command
def versions(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the versions that runs have become."""
    found = Versions(Home.open(home).versions)
    if json:
        return print_json(found.all())
    rows = []
    for version in found.all():
        evaluation = found.evaluation(version)
        rows.append(
            [
                f"{version.name} {version.number}",
                version.model,
                version.dataset,
                version.method,
                f"{version.metrics.get('validation_loss', float('nan')):.3f}",
                evaluation.outcome if evaluation else "not evaluated",
            ]
        )
    table(("version", "model", "dataset", "method", ">held-out loss", "against the base"), rows)
    return None


VersionArgument = Annotated[str, typer.Argument(help="A version (“name v1.0.0”), its run, or `last`.")]


@app.command("eval")
@command
def evaluate(version: VersionArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Let base and tuned model answer the held-out rows, and say what the difference is worth."""
    from studio.terminal.evaluating import evaluate_version, print_evaluation

    result = evaluate_version(Home.open(home), version)
    print_json(result) if json else print_evaluation(result)


@app.command()
@command
def chat(
    version: VersionArgument = "last",
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="Ask this once instead of a conversation.")] = "",
    base: Annotated[bool, typer.Option("--base", help="Let the base model answer too.")] = False,
    temperature: Annotated[float, typer.Option(min=0, max=5, help="0 takes the likeliest word each time.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(min=1, max=100_000, help="Longest answer, in tokens.")] = 128,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Talk to a tuned model, with the base beside it if you like."""
    from studio.terminal.chatting import Chat

    talk = Chat(Home.open(home), version, with_base=base, temperature=temperature, max_tokens=max_tokens)
    anyio.run(talk.run, prompt, json)


@app.command()
@command
def demo(home: HomeOption = None, json: JsonOption = False) -> None:
    """Fine-tune the starter model on sample data, measure it, and show what changed. About a minute, no network."""
    from studio.terminal.demo import run_demo

    result = run_demo(Home.open(home))
    if json:
        print_json(result)


# -- the app ---------------------------------------------------------------------------------------------------------


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
def web(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the link in the browser.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve the app as a page on this machine only, behind a one-time link."""
    from studio.web import serve_home

    place = Home.open(home)
    logs.to_folder(place.logs, "app")
    serve_home(place.path, port=port, browser=browser, json=json)


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
