"""Answers that are labels, in the terminal: accuracy and macro F1 of base and tuned, and which label was answered for
which."""

from __future__ import annotations

from rich.markup import escape

from engine.results.metrics.labels import OTHER, Confusion
from studio.terminal.show import console, table

SHOWN = 12
"""Labels that fit beside each other; `--json` has all that are kept."""


def print_labels(base: Confusion, tuned: Confusion) -> None:
    """Both models' accuracy and macro F1, then a table of each: rows are expected, columns answered."""
    rows = [
        ["label accuracy", *(f"{100 * each.accuracy:.1f}" for each in (base, tuned))],
        ["macro F1", *(f"{100 * each.macro_f1:.1f}" for each in (base, tuned))],
    ]
    table(("labels", ">base", ">tuned"), rows)
    console.print("[dim]macro F1 is the mean of the labels' F1: rare labels count as much as frequent ones[/]\n")
    for name, each in (("tuned", tuned), ("base", base)):
        print_confusion(name, each.first(SHOWN))
        console.print(f"{escape(each.in_words)}\n")


def print_confusion(name: str, found: Confusion) -> None:
    """How often each label was answered for each one expected; columns have the numbers of their rows."""
    numbers = [str(place) for place in range(1, len(found.labels) + 1)]
    rows = [
        [f"{number} {escape(wanted)}", *(str(count) if count else "·" for count in counts)]
        for number, wanted, counts in zip(numbers, found.labels, found.counts, strict=True)
    ]
    table((f"{name}: expected", *(f">{number}" for number in numbers), ">else"), rows)
    said = f"rows: expected; columns: answered, by the rows' numbers; else: {OTHER.strip('()')}"
    console.print(f"[dim]{said}[/]")
    if found.left_out:
        console.print(f"{found.left_out} Answers with any other label stand under “else”.")
