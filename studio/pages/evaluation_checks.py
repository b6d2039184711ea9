"""Checks of a person's own, in Python: written here, or taken again from an earlier evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flet as ft

from engine.results.evaluation import Evaluation
from engine.results.metrics.checks import looked_over
from engine.spec.suite import Check
from studio.hooks import use_attempt
from studio.kit import ErrorCard, NumberField, TextField, body, chip, component, icon_button, label, muted, quiet, row
from studio.theme import S2, S3

LINES = 6
EXAMPLE = "def check(prompt, answer, reference):\n    return len(answer.split()) <= 30\n"
SECONDS, MEGABYTES = 5.0, 512
MOST_SECONDS = 600.0


def checks_of(evaluations: Sequence[Evaluation]) -> tuple[Check, ...]:
    """The checks of earlier evaluations, the newest of each name."""
    found: dict[str, Check] = {}
    for evaluation in evaluations:
        for check in evaluation.suite.checks:
            found.setdefault(check.name, check)
    return tuple(found.values())


@component
def Checks(checks: tuple[Check, ...], before: tuple[Check, ...], change: Callable[[tuple[Check, ...]], object]) -> Any:
    """What is looked at, what was before, and a new one; its text is read over before it is taken."""
    name, set_name = ft.use_state("")
    source, set_source = ft.use_state(EXAMPLE)
    seconds, set_seconds = ft.use_state(SECONDS)
    problem, trying = use_attempt()

    def take(check: Check) -> None:
        change((*(one for one in checks if one.name != check.name), check))

    async def add() -> None:
        take(looked_over(Check(name=name.strip(), source=source, seconds=seconds, megabytes=MEGABYTES)))
        set_name("")

    names = [one.name for one in checks]
    there = [
        *(_taken(one, lambda one=one: change(tuple(each for each in checks if each != one))) for one in checks),
        *_again([one for one in before if one.name not in names], take),
    ]
    # In one box, so that the fields below stay where they are: Flutter fails where one line becomes several in place.
    blocks: list[ft.Control] = [
        label("Check the answers with Python of your own"),
        ft.Column(there, spacing=S2, tight=True),
        TextField(name, set_name, label="Name of the check"),
        TextField(source, set_source, label="Python", lines=LINES, mono=True),
        row(
            NumberField(seconds, set_seconds, label="Time for an answer", minimum=0.1, maximum=MOST_SECONDS, unit="s"),
            quiet("Add the check", trying(add), icon=ft.Icons.ADD, disabled=not name.strip()),
            spacing=S3,
        ),
        muted(
            f"It says true, false, or a share from 0 to 1 of each answer. It runs in a process of its own, with "
            f"{MEGABYTES} MB of memory at most and the time above, and with your rights: take only what you can read. "
            f"A check that fails is left out with the reason; the rest is still measured."
        ),
    ]
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return ft.Column(blocks, spacing=S2, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _taken(check: Check, leave: Callable[[], object]) -> ft.Control:
    words = f"{check.name}: {len(check.source.splitlines())} lines, {check.seconds:g} s for an answer"
    return row(body(words), icon_button(ft.Icons.CLOSE, f"Do not run {check.name}", leave))


def _again(before: Sequence[Check], take: Callable[[Check], object]) -> list[ft.Control]:
    chips = [chip(f"Run {check.name} again", lambda check=check: take(check)) for check in before]
    return [row(*chips)] if chips else []
