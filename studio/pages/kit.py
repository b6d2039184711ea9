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
    Below,
    Busy,
    Choice,
    CodeBlock,
    Diff,
    ErrorCard,
    Explained,
    NumberField,
    Search,
    Switch,
    TextField,
    answer,
    badge,
    bar,
    beside,
    body,
    captioned,
    card,
    card_with_tools,
    chip,
    code,
    color_key,
    columns,
    component,
    danger,
    divider,
    dot,
    empty,
    fact,
    figures,
    glossed,
    heading,
    icon_button,
    label,
    link,
    loading,
    meter,
    muted,
    name_title,
    notice,
    number,
    one_line,
    panel_title,
    primary,
    quiet,
    ring,
    row,
    said,
    secondary,
    section,
    termed,
    title,
    toast,
    verbatim,
)
from studio.kit.slider import Slider
from studio.kit.table import Rows
from studio.plot import Plot
from studio.theme import S3, Ink, Palette

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
        section("Words", *_words()),
        section("Buttons", _buttons()),
        section("Fields", Fields()),
        section("States of a run", row(*(dot(state) for state in RunState), spacing=S3)),
        section("Badges", row(*(badge(tone, tone) for tone in ("info", "good", "warn", "bad", "tuned", "plain")))),
        section("Boxes", *_boxes(surroundings.columns == 1)),
        section("Measures", row(fact("Loss now", "1.07", "good"), number("42"), ring(0.45), spacing=S3)),
        section("Figures", figures(("", "base", "tuned"), [("Exact match", "40 %", "61 %")], (140, 80, 80))),
        section("Bars", bar(0.4, name="A bar"), meter("Memory", 0.9, "9 of 10 GB")),
        section("Nothing, not yet, not possible", *_states()),
        section("Text to take along", CodeBlock("peft-studio doctor", "the command")),
        section("Difference", card(Diff("rank 8\nalpha 16", "rank 16\nalpha 16"))),
        section("Answers", card(beside(_answers(surroundings.palette), surroundings.columns == 1))),
        Below([section("Below what is first seen", body("Made a moment later."))]),
        section("A long list", card(Rows(10_000, _line, 32, 200))),
        section("Curve", card(_curve(surroundings.palette.fill))),
    )


def _pressed() -> None:
    toast("Pressed.")


def _words() -> list[ft.Control]:
    name = "What somebody called it, which may be long"
    words: list[ft.Control] = [heading("Heading"), label("Label"), body("Body"), muted("Muted"), code("code")]
    words += [name_title(name), ft.Row([one_line(name)]), captioned("Caption", "What it tells.")]
    return [*words, verbatim("مرحبا, as it was written"), termed("Learning rate"), row(*glossed("A loss of a token."))]


def _boxes(narrow: bool) -> list[ft.Control]:
    plain = card(ft.Column([panel_title("Panel title"), body("A box."), divider(), muted("Its end.")], tight=True))
    press = card(body("A box to press."), on_click=_pressed, name="A box")
    chosen = card(body("A chosen box."), on_click=_pressed, name="A chosen box", selected=True)
    tools = card_with_tools(body("A box with tools."), quiet("Tool", _pressed), on_click=_pressed, name="Tools")
    keys = row(color_key(Ink.FILL, "one"), color_key(Ink.PURPLE, "another"), spacing=S3)
    return [columns([plain, press, chosen, tools], 1 if narrow else 2), keys]


def _answers(palette: Palette) -> list[ft.Control]:
    first, second = "It costs two francs.", "It costs three francs."
    other = ft.Column([said(second, first), muted("Without a name.")], expand=1)
    return [answer("Base", first, second, color=palette.base), other]


def _buttons() -> ft.Control:

    async def work() -> None:
        toast("Worked.")

    return row(
        primary("Primary", _pressed),
        secondary("Secondary", _pressed),
        quiet("Quiet", _pressed),
        danger("Danger", _pressed),
        primary("Disabled", _pressed, disabled=True),
        Busy("Busy", "Working", work),
        link("Link", "/kit"),
        chip("Chip", _pressed),
        chip("Chosen", _pressed, selected=True),
        icon_button(ft.Icons.FAVORITE_BORDER, "Icon button", _pressed),
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
        ft.Container(Search(words, set_words), width=220),
        Slider("Slider", number, set_number),
        Explained("A term", term_of("rank"), "A setting's help."),
    )


def _states() -> list[ft.Control]:
    return [
        loading("Loading"),
        empty(ft.Icons.INBOX_OUTLINED, "Nothing here yet.", "What would be here, and one thing to do."),
        *(notice(tone, f"A {tone} notice.", "Why it is shown.") for tone in ("info", "good", "warn", "bad")),
        ErrorCard(FAILED),
    ]


def _line(place: int) -> ft.Control:
    return body(f"Row {place + 1}")


def _curve(color: str) -> ft.Control:
    curve = Curve("training", STEPS, LOSSES, color, smooth=True)
    return Plot([curve], len(STEPS), in_words(curve, None, len(STEPS)), zones(LOSSES[:5]))
