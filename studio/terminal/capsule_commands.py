"""`peft-studio capsule ...`: a version in one file, verified, and run again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from engine import orders
from engine.core.home import Home, given_path
from engine.results import capsule as capsules
from engine.results.capsule import Verified
from engine.results.versions import Versions
from engine.spec.folder import RunFolder
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.evaluating import VersionArgument
from studio.terminal.show import bytes_words, console, print_json, say, table
from studio.terminal.watching import exit_code, watch

capsule = typer.Typer(help="A version in one file: make it, verify it, run its recipe again.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="The capsule.")]


@capsule.command()
@command
def make(
    version: VersionArgument = "last",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write.", show_default=False)] = None,
    rows: Annotated[bool, typer.Option(help="Let the dataset's rows travel along; otherwise only their hash.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Pack a version with its recipe, data, scores, weights and certificate into one file."""
    place = Home.open(home)
    versions = Versions(place.versions)
    found = versions.find(version)
    target = given_path(str(out)) if out else Path.cwd() / f"{found.id}.capsule.zip"
    made = capsules.make(versions, found, place.runs, place.datasets, target, rows=rows)
    if json:
        return print_json({"path": str(target), **_plain(made)})
    say(f"{escape(str(target))}: {len(made.capsule.files)} files, {bytes_words(target.stat().st_size)}.")
    say(f"Digest {made.digest}")
    return None


@capsule.command()
@command
def verify(file: FileArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Check that every part is there, whole, and belongs to the others. Exit code 1 when it is not."""
    found = capsules.verify(given_path(str(file)))
    print_json(_plain(found)) if json else _print(found)
    raise typer.Exit(0 if found.sound else 1)


@capsule.command()
@command
def run(
    file: FileArgument,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the run goes on by itself.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a capsule and train by its recipe again; then say how near the result is."""
    place, path = Home.open(home), given_path(str(file))
    before = capsules.sound(path)
    started = ask(place, orders.RunCapsule(path=str(path)), orders.Started).run
    if detach:
        print_json({"run": started}) if json else say(f"Started {started}.")
        return
    folder = RunFolder(place.runs / started)
    view = watch(folder)
    now = {"loss": view.loss, "validation_loss": view.validation_loss}
    recorded = {name: before.capsule.metrics.get(name) for name in now}
    if json:
        print_json({"run": started, "recorded": recorded, "now": now})
    else:
        table(("", ">in the capsule", ">now"), [[name, _number(recorded[name]), _number(now[name])] for name in now])
    raise typer.Exit(exit_code(view, folder))


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.6f}"


def _plain(found: Verified) -> dict[str, object]:
    return {
        "sound": found.sound,
        "digest": found.digest,
        "bytes": found.bytes,
        "problems": found.problems,
        "capsule": found.capsule,
    }


def _print(found: Verified) -> None:
    inside = found.capsule
    data = inside.dataset
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(inside.made))
    table(
        ("", ""),
        [
            ["version", escape(inside.title)],
            ["made", made],
            ["base model", escape(inside.model)],
            ["data", escape(f"{data.name}, {'with its rows' if data.inside else 'hash only'} ({data.hash[:12]})")],
            ["seed", str(inside.seed)],
            ["environment", escape(", ".join(f"{name} {value}" for name, value in inside.environment.items()))],
            ["files", f"{len(inside.files)}, {bytes_words(found.bytes)}"],
            ["digest", found.digest],
        ],
    )
    if found.sound:
        console.print("[green]Sound:[/] every part is there, whole, and belongs to the others.")
    for problem in found.problems:
        console.print(f"[red]✗[/] {escape(problem)}")
