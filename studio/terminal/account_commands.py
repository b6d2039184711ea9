"""`peft-studio account ...`: who may sign in to the page when it is served to other machines."""

from __future__ import annotations

import sys
import time
from getpass import getpass
from typing import Annotated

import typer
from rich.markup import escape

from engine.core.errors import StudioError
from engine.core.home import Home
from studio.accounts import Account, Accounts
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.show import print_json, say, table

account = typer.Typer(help="Who may sign in when the page is served to other machines.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="The name to sign in with.", show_default=False)]


@account.command("set")
@command
def set_(name: NameArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Make an account, or change its password, which ends where it is signed in. Asks the password twice."""
    accounts = Accounts(Home.open(home).path)
    known = accounts.find(name) is not None
    made = accounts.set(name, _password())
    if json:
        return print_json({"account": _plain(made), "changed": known})
    say(f"The password of {escape(name)} is changed." if known else f"{escape(name)} can sign in now.")
    return None


@account.command("list")
@command
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the accounts and when their passwords were set."""
    found = Accounts(Home.open(home).path).all()
    if json:
        return print_json([_plain(each) for each in found])
    if not found:
        say("There are no accounts. Make one with: peft-studio account set NAME")
        return None
    rows = [(escape(each.name), time.strftime("%d %b %Y, %H:%M", time.localtime(each.changed))) for each in found]
    table(("name", "password set"), rows)
    return None


@account.command()
@command
def remove(name: NameArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Remove an account; where it is signed in, that ends."""
    removed = Accounts(Home.open(home).path).remove(name)
    print_json({"removed": removed.name}) if json else say(f"{escape(removed.name)} can no longer sign in.")


def _plain(each: Account) -> dict[str, object]:
    return {"name": each.name, "changed": each.changed}


def _password() -> str:
    """Asked twice without showing it; from a pipe it is one line. Raises StudioError when the two differ."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass("Password: ")
    if getpass("The same again: ") != first:
        raise StudioError("The two passwords differ.", "Nothing was changed.", "Try again.")
    return first
