"""Home: the way in on a first visit; later what runs, what needs attention, recent work, and what is free."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.hooks import go, use_engine, use_session, use_surroundings, use_topic
from studio.kit import Busy, body, card, columns, component, heading, label, muted, primary, section, title
from studio.pages.parts import ResourceMeters, RunCard, by_state, run_row
from studio.shell import frame
from studio.theme import DISPLAY, S2, S3, S4, S6, Ink

STEPS = (
    ("1", "Choose your data", "A CSV, JSON or Parquet file with examples of what to say."),
    ("2", "Watch it learn", "The model trains here, on this computer. Pause whenever you like."),
    ("3", "See the proof", "Base and tuned model answer the same questions, side by side."),
)
ATTENTION = (RunState.FAILED, RunState.LOST, RunState.PAUSED)
ATTENTION_LIMIT, RECENT_LIMIT = 3, 6


@component
def Home() -> Any:
    """The first page."""
    engine = use_engine()
    runs = tuple(run for run in use_topic(engine.runs.list, every=0.5) if run.kind == "train")
    return Overview(runs) if runs else Welcome()


@component
def Welcome() -> Any:
    """One sentence, two buttons, three steps."""
    surroundings = use_surroundings()
    narrow = surroundings.columns == 1
    start = primary("Fine-tune a model", lambda: go("/new"), icon=ft.Icons.AUTO_FIX_HIGH)
    hero = ft.Column(
        [
            ft.Semantics(
                content=ft.Text(
                    "Teach a language model your own examples, on this computer.",
                    size=20 if narrow else DISPLAY,
                    font_family="Inter Semibold",
                    color=Ink.TEXT,
                ),
                header=True,
                heading_level=1,
                container=True,
            ),
            body("Nothing you load leaves this machine. No account, no internet needed.", color=Ink.MUTED),
            ft.Row([start, SampleButton()], spacing=S3, run_spacing=S3, wrap=True),
        ],
        spacing=S4,
    )
    steps = [
        card(
            ft.Column(
                [
                    ft.Container(
                        label(number, color=Ink.ON_PRIMARY_TINT),
                        bgcolor=Ink.PRIMARY_TINT,
                        width=32,
                        height=32,
                        border_radius=16,
                        alignment=ft.Alignment.CENTER,
                    ),
                    label(name),
                    muted(words, size=14),
                ],
                spacing=S2,
            )
        )
        for number, name, words in STEPS
    ]
    return frame(
        surroundings.width,
        surroundings.columns,
        ft.Container(height=0 if narrow else S6),
        hero,
        columns(steps, 1 if narrow else 3),
        widest=960,
    )


@component
def SampleButton() -> Any:
    """Sample data, starter model, sensible settings: straight to the last step."""
    engine, session = use_engine(), use_session()

    async def try_it() -> None:
        from studio.pages.wizard_state import sample_draft

        session.start_over(**await sample_draft(engine))
        go("/new")

    return Busy("Try it with sample data, about a minute", "Getting it ready", try_it, main=False)


@component
def Overview(runs: tuple[RunView, ...]) -> Any:
    """What runs now, what needs somebody, what was done."""
    surroundings = use_surroundings()
    narrow = surroundings.columns == 1
    active = by_state(runs, RunState.RUNNING, RunState.INITIALIZING, RunState.CREATED)
    attention = by_state(runs, *ATTENTION)[:ATTENTION_LIMIT]
    shown = {run.id for run in (*active, *attention)}
    recent = [run for run in runs if run.id not in shown][:RECENT_LIMIT]
    blocks: list[ft.Control] = []
    if active:
        cards: list[ft.Control] = [RunCard(run.id, key=run.id) for run in active[:6]]  # type: ignore[call-arg]
        blocks.append(section("Running now", columns(cards, 1 if narrow else 2)))
    if attention:
        blocks.append(section("Needs your attention", *[run_row(run, narrow) for run in attention]))
    if recent:
        blocks.append(
            section(
                "Recent work",
                *[run_row(run, narrow) for run in recent],
            )
        )
    panel = ft.Column(
        [heading("This computer"), ResourceMeters()],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
    return frame(
        surroundings.width,
        surroundings.columns,
        title("Home"),
        *blocks,
        actions=(primary("Fine-tune a model", lambda: go("/new"), icon=ft.Icons.AUTO_FIX_HIGH),),
        panel=panel,
    )
