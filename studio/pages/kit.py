"""A living page with every piece of the design system, shown in debug mode."""

from __future__ import annotations

import math
from typing import Any

import flet as ft

from engine.spec.records import Action, Card, RunState
from studio.charts import Curve, in_words, zones
from studio.frame import frame
from studio.guides import term_of
from studio.hooks import use_surroundings
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    Explained,
    NumberField,
    Switch,
    TextField,
    badge,
    bar,
    body,
    card,
    chip,
    code,
    component,
    danger,
    dot,
    empty,
    fact,
    heading,
    icon_button,
    label,
    link,
    loading,
    meter,
    muted,
    notice,
    primary,
    quiet,
    ring,
    row,
    secondary,
    section,
    title,
    toast,
)
from studio.kit.blocks import CodeBlock, Diff, Split, offline
from studio.kit.slider import Slider
from studio.kit.table import Rows
from studio.plot import Plot
from studio.theme import S3

FAILED = Card(what="The disk is full.", why="3 GB were needed.", actions=(Action(label="Free some space."),))
STEPS = list(range(1, 201))
LOSSES = [0.6 + 1.9 * math.exp(-step / 60) + 0.1 * math.sin(step * 1.7) for step in STEPS]


@component
def KitPage() -> Any:
    """Every piece, by its group."""
    surroundings = use_surroundings()
    return frame(
        surroundings,
        title("Design system"),
        section("Words", heading("Heading"), label("Label"), body("Body"), muted("Muted"), code("code")),
        section("Buttons", _buttons()),
        section("Fields", Fields()),
        section("States of a run", row(*(dot(state) for state in RunState), spacing=S3)),
        section("Badges", row(*(badge(tone, tone) for tone in ("info", "good", "warn", "bad", "tuned", "plain")))),
        section("Measures", row(fact("Loss now", "1.07", "good"), ring(0.45), spacing=S3)),
        section("Bars", bar(0.4, name="A bar"), meter("Memory", 0.9, "9 of 10 GB")),
        section("Nothing, not yet, not possible", *_states()),
        section("Code", CodeBlock("peft-studio doctor", "Command")),
        section("Difference", card(Diff("rank 8\nalpha 16", "rank 16\nalpha 16"))),
        section("Two panes", Split(card(body("Left")), card(body("Right")), int(surroundings.room))),
        section("A long list", card(Rows(10_000, _line, 32, 200))),
        section("Curve", card(_curve(surroundings.palette.fill))),
    )


def _buttons() -> ft.Control:
    def pressed() -> None:
        toast("Pressed.")

    async def work() -> None:
        toast("Worked.")

    return row(
        primary("Primary", pressed),
        secondary("Secondary", pressed),
        quiet("Quiet", pressed),
        danger("Danger", pressed),
        primary("Disabled", pressed, disabled=True),
        Busy("Busy", "Working", work),
        link("Link", "/kit"),
        chip("Chip", pressed),
        chip("Chosen", pressed, selected=True),
        icon_button(ft.Icons.FAVORITE_BORDER, "Icon button", pressed),
    )


@component
def Fields() -> Any:
    """Fields keep what is entered here."""
    words, set_words = ft.use_state("")
    number, set_number = ft.use_state(0.5)
    choice, choose = ft.use_state("one")
    on, turn = ft.use_state(True)
    return row(
        ft.Container(TextField(words, set_words, label="Text field"), width=220),
        NumberField(number, set_number, label="Number field", minimum=0, maximum=1),
        Choice(choice, [("one", "One"), ("two", "Two")], choose, label="Choice"),
        Switch(on, turn, "Switch"),
        Slider("Slider", number, set_number),
        Explained("A term", term_of("rank"), "A setting's help."),
    )


def _states() -> list[ft.Control]:
    return [
        loading("Loading"),
        empty(ft.Icons.INBOX_OUTLINED, "Nothing here yet.", "What would be here, and one thing to do."),
        *(notice(tone, f"A {tone} notice.", "Why it is shown.") for tone in ("info", "good", "warn", "bad")),
        ErrorCard(FAILED),
        offline("Sending to a hub", 3),
    ]


def _line(place: int) -> ft.Control:
    return body(f"Row {place + 1}")


def _curve(color: str) -> ft.Control:
    curve = Curve("training", STEPS, LOSSES, color, smooth=True)
    return Plot([curve], len(STEPS), in_words(curve, None, len(STEPS)), zones(LOSSES[:5]))
