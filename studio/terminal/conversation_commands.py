"""`peft-studio conversations ...`: what was asked and answered: search, read, export, rename, delete, make rows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from engine import orders
from engine.core.errors import from_os
from engine.core.home import Home
from engine.data.nouns import Dataset
from engine.serving.conversations import JOURNAL, chosen, read_kept
from engine.serving.leaving import RowsOf, TextForm, as_text
from engine.serving.nouns import Conversation
from engine.spec.files import write_atomically
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.show import console, print_json, say, table

conversations = typer.Typer(help="Conversations with models: search, read, export, make rows to learn from.")
ConversationArgument = Annotated[
    str, typer.Argument(metavar="CONVERSATION", help="Id, the beginning of an id, title, or `last`.")
]
Some = Annotated[list[str] | None, typer.Argument(metavar="CONVERSATION", help="Which ones; all without.")]


@conversations.callback(invoke_without_command=True)
def listed(
    context: typer.Context,
    search: Annotated[str, typer.Option("--search", "-s", help="Only those with these words.")] = "",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the conversations, the newest first."""
    if context.invoked_subcommand is None:
        _list(search=search, home=home, json=json)


@conversations.command("list")
@command
def _list(
    search: Annotated[str, typer.Option("--search", "-s", help="Only those with these words.")] = "",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the conversations, the newest first."""
    found = read_kept(Home.open(home).path / JOURNAL, search)
    if json:
        return print_json(found)
    if not found:
        return say("No conversation has these words." if search else "No conversation yet: peft-studio chat")
    return table(("id", "title", "model", ">questions", ">rated", "when"), [_row(each) for each in found])


def _row(each: Conversation) -> list[str]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.changed))
    return [each.id, escape(each.title), escape(each.model), str(len(each.turns)), str(each.thumbs), when]


def _find(home: Home, words: str) -> Conversation:
    return chosen(read_kept(home.path / JOURNAL), words)


@conversations.command()
@command
def show(conversation: ConversationArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Show one conversation."""
    found = _find(Home.open(home), conversation)
    print_json(found) if json else console.print(as_text([found], "markdown"), markup=False, end="")


@conversations.command()
@command
def export(
    conversations: Some = None,
    to: Annotated[TextForm, typer.Option("--to", help="The form of the file.")] = "markdown",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; without, it is printed.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write conversations as Markdown or as JSON lines."""
    place = Home.open(home)
    kept = read_kept(place.path / JOURNAL)
    found = [chosen(kept, words) for words in conversations] if conversations else list(kept)
    text = as_text(found, to)
    if out is not None:
        try:
            write_atomically(out, text.encode())
        except OSError as error:
            raise from_os(error, "writing conversations") from error
    if json:
        return print_json({"conversations": len(found), "file": str(out) if out else "", "text": "" if out else text})
    return say(f"{len(found)} written to {escape(str(out))}.") if out else console.print(text, markup=False, end="")


@conversations.command()
@command
def rows(
    conversations: Some = None,
    of: Annotated[RowsOf, typer.Option("--of", help="Liked answers, pairs, single ratings, or whole talks.")] = "chat",
    name: Annotated[str, typer.Option(help="What the dataset is called.")] = "conversations",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a dataset to learn from of conversations and their ratings."""
    wish = orders.MakeRows(conversations=tuple(conversations or ()), rows=of, name=name)
    made = ask(Home.open(home), wish, Dataset)
    print_json(made) if json else say(f"{made.rows} rows: {escape(made.name)} ({made.id}).")


@conversations.command()
@command
def rename(
    conversation: ConversationArgument,
    title: Annotated[str, typer.Argument(help="The new title.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Give a conversation another title."""
    _change(Home.open(home), conversation, "rename", title, "is its title now", json)


@conversations.command()
@command
def delete(conversation: ConversationArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Delete a conversation; restore takes that back for a day."""
    _change(Home.open(home), conversation, "delete", "", "is deleted", json)


@conversations.command()
@command
def restore(
    conversation: Annotated[str, typer.Argument(help="Its whole id.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take back that a conversation was deleted."""
    _change(Home.open(home), conversation, "restore", "", "is there again", json)


def _change(
    home: Home, words: str, verb: Literal["rename", "delete", "restore"], title: str, done: str, json: bool
) -> None:
    answer = ask(home, orders.Change(conversation=words, verb=verb, title=title), orders.Conversed)
    print_json(answer) if json else say(f"“{escape(answer.title)}” {done}.")
