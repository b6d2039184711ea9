"""`peft-studio profile ...`: what a model can be tuned for, and profiles of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from engine.core.home import Home, given_path
from engine.plan.own_profiles import OwnProfiles
from engine.plan.profiles import profile as profile_named
from engine.plan.profiles import profiles, shipped
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.show import print_json, say, table

profile = typer.Typer(help="What a model can be tuned for, and profiles of your own.", no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(help="The profile's id.", show_default=False)]


@profile.command("list")
@command
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the profiles, yours last."""
    own = _own(home)
    ours = {each.id for each in shipped()}
    if json:
        return print_json([{**msgspec.to_builtins(each), "own": each.id not in ours} for each in profiles()])
    rows = [
        (each.id, escape(each.title), "" if each.id in ours else "yours", escape(each.needs)) for each in profiles()
    ]
    table(("id", "title", "", "needs"), rows)
    for problem in own.problems():
        say(f"[yellow]Left out:[/] {escape(problem)}")
    return None


@profile.command()
@command
def show(id: IdArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show a profile; with --json as a file to begin one of your own with."""
    _own(home)
    found = profile_named(id)
    if json:
        return print_json(msgspec.to_builtins(found))
    say(f"[bold]{escape(found.title)}[/]  {escape(found.description)}")
    table(
        ("setting", "value"), [(name, escape(str(value))) for name, value in msgspec.to_builtins(found.dials).items()]
    )
    return None


@profile.command()
@command
def add(
    file: Annotated[Path, typer.Argument(help="A JSON file like the output of `profile show ID --json`.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Add a profile of your own, or replace it."""
    added = _own(home).add(given_path(str(file)))
    print_json(msgspec.to_builtins(added)) if json else say(f"“{escape(added.title)}” ({added.id}) can be chosen now.")


@profile.command()
@command
def remove(id: IdArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Remove a profile of your own. Runs made with it stay as they are."""
    _own(home).remove(id)
    print_json({"removed": id}) if json else say(f"{escape(id)} is removed.")


def _own(home: Path | None) -> OwnProfiles:
    own = OwnProfiles(Home.open(home).profiles)
    own.refresh()
    return own
