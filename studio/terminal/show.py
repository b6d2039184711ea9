"""How the terminal shows things: cards, tables, numbers, sparklines. Knows no command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from engine.core.inbox import Far
from engine.spec.records import Card, RunState

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
BARS = "▁▂▃▄▅▆▇█"
STATE_STYLES = {
    RunState.RUNNING: "green",
    RunState.INITIALIZING: "green",
    RunState.COMPLETED: "magenta",
    RunState.PAUSED: "yellow",
    RunState.FAILED: "red",
    RunState.LOST: "red",
}


def say(words: str) -> None:
    """A line for people; with --json it goes to standard error, so that standard output stays one object."""
    (errors if quiet.on else console).print(words)


class _Quiet:
    on = False


quiet = _Quiet()
"""Set by --json for the whole command."""


def print_json(value: object) -> None:
    """The command's one object, on a line of its own, last."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_card(card: Card) -> None:
    """An error as people read it."""
    errors.print(f"[bold red]{escape(card.what)}[/]")
    errors.print(escape(card.why))
    for action in card.actions:
        errors.print(f"  • {escape(action.label)}")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; columns whose heading begins with > are numbers and stand on the right. Ids are never cut."""
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        side: JustifyMethod = "right" if column.startswith(">") else "left"
        drawn.add_column(column.removeprefix(">"), justify=side, no_wrap=column == "id")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)


def state_words(state: RunState) -> str:
    """A state in its colour; the word is always there."""
    style = STATE_STYLES.get(state, "dim")
    return f"[{style}]{state.value}[/]"


def sparkline(values: Sequence[float], width: int = 32) -> str:
    """The course of a series in one line of bars, each the mean of its stretch."""
    finite = [value for value in values if value == value and abs(value) != float("inf")]
    if not finite:
        return ""
    width = min(width, len(finite))
    parts = [finite[i * len(finite) // width : (i + 1) * len(finite) // width] for i in range(width)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((mean - low) * scale)] for mean in means)


def seconds_words(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def bytes_words(size: float) -> str:
    """A size with its unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


@contextmanager
def far_bar(words: str) -> Iterator[Callable[[Far], None]]:
    """A bar that is drawn while work is on, and what moves it."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=console, transient=True,
    ) as drawn:  # fmt: skip
        task = drawn.add_task(words, total=None)
        yield lambda far: drawn.update(task, completed=far.done, total=far.total)
