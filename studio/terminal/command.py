"""What every command shares: --home and --json, errors as cards, and how the Home's holder is asked."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import anyio
import typer

from engine.core import logs
from engine.core.errors import unexpected
from engine.core.home import Home
from studio.terminal.show import console, far_bar, print_card, print_json, quiet

if TYPE_CHECKING:
    from engine import orders

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="PEFT_STUDIO_HOME", help="The data folder to work in.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, last.")]


def command(function: Callable[P, R]) -> Callable[P, R]:
    """What every command shares: --json sets the tone, errors become cards and exit code 1, defects are logged."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        quiet.on = bool(kwargs.get("json", False))
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort):
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


def ask(home: Home, what: orders.Command, answer: type[R], *, bar: str = "") -> R:
    """Have the Home's holder do something, and wait for its answer; with `bar`, how far it is is shown as its words.

    Ctrl-C withdraws it.
    """
    from engine import orders  # and with them half of the engine, which commands that only look do not need

    if not bar or quiet.on or not console.is_terminal:
        return anyio.run(orders.ask, home, what, answer)
    with far_bar(bar) as told:
        return anyio.run(functools.partial(orders.ask, told=told), home, what, answer)
