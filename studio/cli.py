"""`peft-studio`: the command line. Reading commands look into the Home's folders; doing commands ask whoever holds it.

Every command has --json (one object on standard output, last) and --home. Exit codes: 0 done, 1 refused with a card,
2 wrong usage, and for runs the worker's own (engine/spec/exits.py).
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import typer
import typer.main

WHERE = {
    "demo": "training_commands:demo",
    "app": "opening_commands:open_app",
    "serve": "opening_commands:serve",
    "data": "data_commands:data",
    "plan": "training_commands:plan",
    "train": "training_commands:train",
    "watch": "training_commands:watch",
    "pause": "training_commands:pause",
    "resume": "training_commands:resume",
    "stop": "training_commands:stop",
    "adjust": "run_commands:adjust",
    "runs": "run_commands:runs",
    "show": "run_commands:show",
    "queue": "run_commands:queue",
    "sweep": "sweep_commands:sweep",
    "versions": "version_commands:versions",
    "eval": "evaluating:evaluate",
    "evaluations": "evaluations:evaluations",
    "benchmark": "benchmarking:benchmark",
    "compare": "comparing:compare",
    "chat": "chat_command:chat",
    "conversations": "conversation_commands:conversations",
    "export": "exporting:export",
    "exports": "exporting:exports",
    "capsule": "capsule_commands:capsule",
    "profile": "profile_commands:profile",
    "account": "account_commands:account",
    "keeper": "opening_commands:keeper",
    "doctor": "opening_commands:doctor",
}
"""Every command in the order of the help, and where in `studio.terminal` it is: importing all of them takes longer than
most of them do."""


class Commands(Mapping[str, Any]):
    """The commands by name; each is imported and made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module, _, found = WHERE[name].partition(":")
            self._made[name] = _made(name, getattr(importlib.import_module(f"studio.terminal.{module}"), found))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(WHERE)

    def __len__(self) -> int:
        return len(WHERE)


def _typer() -> typer.Typer:
    found = typer.Typer(
        name="peft-studio",
        help="Fine-tune a language model on your own data, on your own machine, and prove that it got better.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    found.callback()(lambda: None)
    return found


def _made(name: str, found: Any) -> Any:
    """A function or a group of commands, as typer makes it."""
    around = _typer()
    around.add_typer(found, name=name) if isinstance(found, typer.Typer) else around.command(name)(found)
    return _group(around).commands[name]


def _group(around: typer.Typer) -> Any:
    return typer.main.get_command(around)


app = _group(_typer())
app.commands = Commands()


def main() -> None:
    """The console script. Output is UTF-8 also where the console's own encoding is not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    app()


if __name__ == "__main__":
    main()
