"""How a run looked after itself: what it noticed and what it did about it, with the numbers, and what it asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.runs.views import RunView
from engine.spec.records import Action, Card, Event, Fact, RunState
from studio.hooks import use_engine, use_feed, use_session, use_topic
from studio.kit import ErrorCard, badge, body, card, component, label, muted, plural, quiet, row, section, short
from studio.kit.words import gigabytes
from studio.pages.verbs import LOG, carry_out, possible, worded
from studio.theme import S3, Ink

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runs.follow import LiveRun

ANOMALY, RECOVERY, PROPOSAL = "anomaly", "recovery", "proposal"
SHOWN = 6
SPOKEN = ("name", "level", "why", "remedy")
"""Facts of an event that are words; the others are the numbers it rests on."""


class Look(msgspec.Struct, frozen=True):
    """How a kind of event is shown."""

    icon: ft.IconData
    word: str
    tone: str
    legend: str = ""


LOOKS = {
    ANOMALY: Look(ft.Icons.WARNING_AMBER_ROUNDED, "noticed", "warn", "something was noticed"),
    RECOVERY: Look(ft.Icons.HEALING, "done about it", "info", "the run helped itself"),
    PROPOSAL: Look(ft.Icons.LIVE_HELP_OUTLINED, "proposed", "warn"),
}


def tone_of(kind: str) -> str:
    """The colour of a kind's icon; its shape differs, too."""
    return Ink.PRIMARY if kind == RECOVERY else Ink.AMBER


def asked(live: LiveRun, run: RunView) -> Card | None:
    """What the run asks now: the error it stopped with, or, while it goes on, what it proposed in this attempt."""
    if run.error is not None or run.state is not RunState.RUNNING:
        return run.error
    proposal = live.proposal()
    return proposal.card if proposal else None


@component
def Asked(live: LiveRun, show_log: Callable[[], None]) -> Any:
    """The card of an error or a proposal with what can be done about it; a proposal can be put aside."""
    engine, session = use_engine(), use_session()
    run = use_topic(live.view, every=0.5)
    events = use_feed(live.events, limit=2000)
    proposals = sum(each.kind == PROPOSAL for each in events)
    aside, put_aside = ft.use_state(-1)
    found = asked(live, run)
    optional = run.state is RunState.RUNNING
    if found is None or (optional and aside == proposals):
        return ft.Container(height=0, visible=False)

    def act_on(action: Action) -> None:
        if action.do == LOG:
            show_log()
        else:
            carry_out(engine, session, live, action)

    actions = tuple(worded(each) for each in found.actions)
    return ErrorCard(
        msgspec.structs.replace(found, actions=actions),
        act_on,
        lambda action: possible(action, run),
        tone="bad" if run.state in (RunState.FAILED, RunState.LOST) else "warn",
        also=quiet("Leave it as it is", lambda: put_aside(proposals)) if optional else None,
    )


@component
def Healing(live: LiveRun) -> Any:
    """Anomalies, recoveries and proposals, the newest first; nothing at all when the run was healthy."""
    every, show_every = ft.use_state(False)
    events = [each for each in use_feed(live.events, limit=2000) if each.kind in LOOKS]
    if not events:
        return ft.Container(height=0, visible=False)
    newest = list(reversed(events))
    lines: list[ft.Control] = [_line(each) for each in (newest if every else newest[:SHOWN])]
    more = None
    if len(newest) > SHOWN:
        words = "Show the newest" if every else f"Show all {len(newest)}"
        more = quiet(words, lambda: show_every(lambda now: not now))
    noticed = sum(each.kind == ANOMALY for each in events)
    done = sum(each.kind == RECOVERY for each in events)
    head = f"{plural(noticed, 'thing')} noticed, {plural(done, 'remedy', 'remedies')} applied"
    return section(
        "How it looked after itself",
        card(ft.Column([muted(head, size=14), *lines], spacing=S3, tight=True)),
        action=more,
    )


def _line(event: Event) -> ft.Control:
    look = LOOKS[event.kind]
    when = time.strftime("%H:%M:%S", time.localtime(event.time))
    level = str(event.facts.get("level", ""))
    head = row(
        badge(look.word, "bad" if level == "serious" else look.tone),
        muted(f"step {event.step}, {when}"),
        *([muted(_named(event.facts))] if _named(event.facts) else []),
    )
    words: list[ft.Control] = [head, label(event.message or look.word)]
    if why := str(event.facts.get("why", "")):
        words.append(body(why, color=Ink.MUTED))
    if numbers := [f"{name} {_number(name, each)}" for name, each in evidence(event.facts)]:
        words.append(muted(" · ".join(numbers)))
    return ft.Row(
        [
            ft.Icon(look.icon, size=20, color=tone_of(event.kind)),
            ft.Column(words, spacing=2, tight=True, expand=True),
        ],
        spacing=S3,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )


def evidence(facts: dict[str, Fact]) -> list[tuple[str, float]]:
    """The numbers among an event's facts, by their names with units."""
    return [
        (name.replace("_", " "), float(value))
        for name, value in facts.items()
        if name not in SPOKEN and isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _number(name: str, value: float) -> str:
    return gigabytes(value) if name.endswith("(bytes)") else short(value)


def _named(facts: dict[str, Fact]) -> str:
    """The pattern or remedy by its name."""
    return str(facts.get("name") or facts.get("remedy") or "").replace("-", " ")
