"""Home: the way in on a first visit; later what needs attention, what runs, what is free, recent work, what is next."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import flet as ft

from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.attention import LATELY_SECONDS, UNSEEN
from studio.frame import frame
from studio.hooks import go, use_engine, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    body,
    card,
    columns,
    component,
    dot,
    gigabytes,
    label,
    link,
    muted,
    notice,
    plural,
    primary,
    quiet,
    secondary,
    section,
    title,
)
from studio.pages.parts import ResourceMeters, RunCard, by_state, run_row
from studio.pages.wizard_draft import DraftOffer
from studio.pages.wizard_state import try_sample
from studio.theme import DISPLAY, S2, S3, S4, S6, Ink

if TYPE_CHECKING:
    from engine.engine import Engine

STEPS = (
    ("1", "Choose your data", "A table or a text file with examples of what to ask and what to answer."),
    ("2", "Watch it learn", "The model trains here, on this computer. Pause whenever you like."),
    ("3", "See the proof", "The model before and after answers the same questions, side by side."),
)
ATTENTION = (RunState.FAILED, RunState.LOST, RunState.RUNNING, RunState.PAUSED)
"""States in which a run may need somebody, the worst first; one that is running may ask something."""
ATTENTION_LIMIT, ACTIVE_LIMIT, RECENT_LIMIT = 3, 6, 6
LOW_DISK = 5_000_000_000


@component
def Home() -> Any:
    """The first page."""
    runs = tuple(run for run in use_topic(use_engine().runs.list, every=0.5) if run.kind not in UNSEEN)
    return Overview(runs) if runs else Welcome()


@component
def Welcome() -> Any:
    """One sentence, two buttons, three steps; who has never been here needs no data for the first."""
    surroundings = use_surroundings()
    narrow = surroundings.columns == 1
    own = secondary("Fine-tune a model", lambda: go("/new"), icon=ft.Icons.AUTO_FIX_HIGH)
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
            ft.Row([SampleButton(), own], spacing=S3, run_spacing=S3, wrap=True),
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
        surroundings,
        ft.Container(height=0 if narrow else S6),
        LowDisk(),
        hero,
        DraftOffer(),
        columns(steps, 1 if narrow else 3),
        widest=960,
    )


@component
def SampleButton() -> Any:
    """Sample data, starter model, sensible settings: straight to the last step."""
    engine, session = use_engine(), use_session()
    return Busy("Try it with sample data, about a minute", "Getting it ready", lambda: try_sample(engine, session))


@component
def Overview(runs: tuple[RunView, ...]) -> Any:
    """What needs somebody, what runs now, what this computer has left, what was done, and what one may do next."""
    surroundings = use_surroundings()
    narrow = surroundings.columns == 1
    active = by_state(runs, RunState.RUNNING, RunState.INITIALIZING, RunState.CREATED)
    attention = _in_need(runs, use_engine())
    shown = {run.id for run in (*active, *(run for run, _ in attention))}
    recent = islice((run for run in runs if run.id not in shown and run.kind == "train"), RECENT_LIMIT + 1)
    computer = section("This computer", ResourceMeters())
    quick = section("Quick actions", QuickActions(runs))
    side = surroundings.columns == 3
    blocks = [
        LowDisk(),
        *_listed(
            "Needs your attention", [_attention(*each) for each in attention[: ATTENTION_LIMIT + 1]], ATTENTION_LIMIT
        ),
        *_cards(active, narrow),
        DraftOffer(),
        *([] if side else [card(computer)]),
        *_listed("Recent work", [run_row(run, narrow) for run in recent], RECENT_LIMIT),
        *([] if side else [quick]),
    ]
    panel = ft.Column([computer, quick], spacing=S6, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return frame(
        surroundings,
        title("Home"),
        *blocks,
        actions=(primary("Fine-tune a model", lambda: go("/new"), icon=ft.Icons.AUTO_FIX_HIGH),),
        panel=panel if side else None,
    )


def _in_need(runs: tuple[RunView, ...], engine: Engine) -> list[tuple[RunView, str]]:
    """The runs that need somebody, each with why: what failed lately, what was lost, what asks, what is paused."""
    now = time.time()
    found = [(run, why) for run in runs if run.state in ATTENTION and (why := _need(run, engine, now))]
    return sorted(found, key=lambda each: ATTENTION.index(each[0].state))


def _need(run: RunView, engine: Engine, now: float) -> str:
    match run.state:
        case RunState.FAILED if now - run.updated < LATELY_SECONDS:
            return run.error.what if run.error else "It could not go on."
        case RunState.LOST:
            return "It stopped answering. It can go on from its last checkpoint."
        case RunState.PAUSED:
            return run.error.what if run.error else "It is paused, and goes on when you resume it."
        case RunState.RUNNING if run.kind == "train":
            proposal = engine.runs.live(run.id).proposal()
            return proposal.card.what if proposal else ""
        case _:
            return ""


def _attention(run: RunView, why: str) -> ft.Control:
    words = ft.Column(
        [label(run.name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), body(why, max_lines=2)],
        spacing=0,
        tight=True,
        expand=True,
    )
    line = ft.Row([words, dot(run.state)], spacing=S3)
    return card(line, on_click=lambda: go(f"/runs/{run.id}"), padding=12, name=f"Run {run.name}: {why}")


def _cards(active: list[RunView], narrow: bool) -> list[ft.Control]:
    """What is at work, each with its curve."""
    if not active:
        return []
    cards: list[ft.Control] = [RunCard(run.id, key=run.id) for run in active[:ACTIVE_LIMIT]]  # type: ignore[call-arg]
    rest = len(active) - len(cards)
    more = link(f"{plural(rest, 'more run')}", "/runs") if rest > 0 else None
    return [section("Running now", columns(cards, 1 if narrow else 2), action=more)]


def _listed(name: str, rows: list[ft.Control], limit: int) -> list[ft.Control]:
    """A section with the first of these; all of them are among the runs."""
    if not rows:
        return []
    more = link("All runs", "/runs") if len(rows) > limit else None
    return [section(name, *rows[:limit], action=more)]


@component
def LowDisk() -> Any:
    """Says when the disk is nearly full; a leaf of its own, for the meters move all the time."""
    free = use_topic(use_engine().meters, every=1.0).disk_free
    if free >= LOW_DISK:
        return ft.Container(height=0, visible=False)
    return notice(
        "bad",
        f"The disk is nearly full: {gigabytes(free)} left.",
        "A run that cannot save its checkpoints pauses. Delete runs that you no longer need, or archive versions.",
        link("Look at the runs", "/runs"),
        link("Look at the versions", "/versions"),
    )


@component
def QuickActions(runs: tuple[RunView, ...]) -> Any:
    """What one often does next."""
    engine, session = use_engine(), use_session()
    versions = use_topic(engine.outcomes.versions, every=1.0)

    async def sample() -> None:
        await try_sample(engine, session)

    buttons = [quiet("Import data", lambda: go("/data"), icon=ft.Icons.UPLOAD_FILE)]
    if versions:
        route = f"/playground/{versions[0].id}"
        buttons.append(quiet(f"Talk to {versions[0].title}", lambda: go(route), icon=ft.Icons.CHAT_BUBBLE_OUTLINE))
    if len(by_state(runs, RunState.COMPLETED, RunState.STOPPED)) > 1:
        buttons.append(quiet("Compare runs", lambda: go("/compare"), icon=ft.Icons.COMPARE_ARROWS))
    buttons.append(quiet("Try the sample data", sample, icon=ft.Icons.SCIENCE_OUTLINED))
    return ft.Column(buttons, spacing=S2, tight=True)
