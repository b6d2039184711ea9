"""`peft-studio versions ...`: what runs have become, which of them is in use, and making room."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer
from rich.markup import escape

from engine import orders
from engine.core.home import Home
from engine.results import care, listing
from engine.results.listing import Listed
from engine.results.versions import Version, Versions
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.evaluating import VersionArgument
from studio.terminal.show import bytes_words, console, print_card, print_json, say, table

versions = typer.Typer(help="The versions that runs have become: look, label, use, roll back, archive, delete.")
Verb = Literal["use", "back", "archive", "restore", "delete"]
NOT_NEEDED: dict[Verb, str] = {"archive": "was archived already", "restore": "is not archived, so it is ready to use"}
DONE: dict[Verb, str] = {
    "use": "is in use now",
    "back": "is in use again",
    "archive": "is archived",
    "restore": "is restored",
    "delete": "is deleted",
}


@versions.callback(invoke_without_command=True)
def listed(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the versions, newest first: where each came from, how good it is, and which is in use."""
    if context.invoked_subcommand is None:
        _list(home=home, json=json)


@command
def _list(home: HomeOption = None, json: JsonOption = False) -> None:
    place = Versions(Home.open(home).versions)
    found = list(listing.every(place))
    if json:
        return print_json(found)
    heads = (
        "",
        "version",
        "from",
        "model",
        "dataset",
        "method",
        ">held-out loss",
        "against the base",
        ">score",
        ">size",
    )
    table(heads, [_row(each, found) for each in found])
    for each in found:
        _print_problems(each)
    _print_space(place, ask_for_room=True)
    return None


def _row(each: Listed, every: list[Listed]) -> list[str]:
    version = each.version
    parent = next((other.version.number for other in every if other.version.id == version.parent), version.parent)
    tags = " ".join(f"#{tag}" for tag in version.tags)
    return [
        _mark(each),
        escape(f"{version.title} {tags}".strip()),
        escape(parent or "the base"),
        escape(version.model),
        escape(version.dataset),
        version.method,
        f"{version.metrics.get('validation_loss', float('nan')):.3f}",
        each.outcome,
        "" if each.score is None else f"{each.score:.0f}",
        bytes_words(each.size.bytes),
    ]


def _mark(each: Listed) -> str:
    """In use, archived, and whether something is wrong with it; the cards below the table say what."""
    mark = "●" if each.active else "▫" if each.archived else ""
    return f"{mark}!" if each.base_problem or each.files_problem else mark


@versions.command()
@command
def show(version: VersionArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Show everything about a version."""
    place = Versions(Home.open(home).versions)
    each = listing.listed(place, place.find(version))
    if json:
        return print_json(each)
    known = each.version
    state = "in use" if each.active else "archived" if each.archived else "kept"
    table(
        ("", ""),
        [
            ["version", escape(known.title)],
            ["id", known.id],
            ["made", time.strftime("%Y-%m-%d %H:%M", time.localtime(known.made))],
            ["from", escape(known.parent or f"the base, {known.model}")],
            ["dataset", escape(f"{known.dataset} ({known.dataset_hash[:12]})")],
            ["method", f"{known.method}, {known.steps} steps"],
            ["tags", escape(", ".join(known.tags))],
            ["notes", escape(known.notes)],
            ["size", f"{bytes_words(each.size.bytes)}; deleting it frees {bytes_words(each.size.reclaimable)}"],
            ["state", state],
        ],
    )
    if evaluation := place.evaluation(known):
        console.print(escape(evaluation.verdict))
    _print_problems(each)
    return None


def _print_problems(each: Listed) -> None:
    for problem in (each.base_problem, each.files_problem):
        if problem:
            print_card(problem)


@versions.command()
@command
def label(
    version: VersionArgument = "last",
    notes: Annotated[str | None, typer.Option(help="Notes in place of those it has.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tags in place of those it has; repeatable.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give a version notes or tags."""
    wish = orders.Label(version=version, notes=notes, tags=tuple(tag) if tag else None)
    changed = ask(Home.open(home), wish, Version)
    print_json(changed) if json else say(f"{escape(changed.title)} is labelled.")


def _care(version: str, verb: Verb, home: Home, json: bool) -> None:
    done = ask(home, orders.CareFor(version=version, verb=verb), orders.Cared)
    freed = f"; {bytes_words(done.freed)} are free again" if done.freed > 0 else ""
    print_json(done) if json else say(f"{escape(done.title)} {(DONE if done.changed else NOT_NEEDED)[verb]}{freed}.")


@versions.command()
@command
def use(version: VersionArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Use this version under its name from now on."""
    _care(version, "use", Home.open(home), json)


@versions.command()
@command
def back(
    name: Annotated[str, typer.Argument(help="The name of the versions.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Roll back: use the version that was in use before."""
    _care(name, "back", Home.open(home), json)


@versions.command()
@command
def archive(version: VersionArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Pack a version's weights away; restore brings them back."""
    _care(version, "archive", Home.open(home), json)


@versions.command()
@command
def restore(version: VersionArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Unpack an archived version, and check that it is what it was."""
    _care(version, "restore", Home.open(home), json)


@versions.command()
@command
def delete(
    version: VersionArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a version for good; says first what that frees."""
    place = Home.open(home)
    found = Versions(place.versions)
    chosen = found.find(version)
    frees = bytes_words(care.size_of(found, chosen).reclaimable)
    if not yes:
        typer.confirm(f"Delete {chosen.title} for good? That frees {frees}.", abort=True)
    _care(chosen.id, "delete", place, json)


@versions.command()
@command
def space(home: HomeOption = None, json: JsonOption = False) -> None:
    """Show how full the disk is and what could go, the largest first."""
    place = Versions(Home.open(home).versions)
    if json:
        return print_json(care.space(place))
    _print_space(place, ask_for_room=False)
    return None


def _print_space(place: Versions, *, ask_for_room: bool) -> None:
    """The disk, and what could go; with `ask_for_room` only when it is nearly full."""
    found = care.space(place)
    if ask_for_room and not found.low:
        return
    state = "is nearly full" if found.low else "has room"
    console.print(f"The disk {state}: {bytes_words(found.free)} of {bytes_words(found.total)} are free.")
    rows = [
        [escape(each.title), bytes_words(each.size.bytes), bytes_words(each.size.reclaimable), "in use" * each.active]
        for each in found.versions
    ]
    table(("version", ">size", ">deleting it frees", ""), rows)
