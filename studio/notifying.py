"""Telling people of their runs: the list behind the bell, toasts, the desktop's own notices, the title of the page.

The engine says what happened (engine/runs/notices.py); here it is decided what of it is loud.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import flet as ft

from engine.core.settings import Settings
from engine.runs.notices import Kind, Notice, notices
from engine.runs.views import RunView
from studio import NAME
from studio.alerts import alert
from studio.hooks import go, use_engine, use_keys, use_session, use_task, use_topic
from studio.kit import ago, body, card, component, empty, icon_button, label, muted, percent, quiet, row, toast
from studio.pace import pace_of
from studio.session import Session
from studio.theme import S2, S3, Ink

EVERY = 0.5
LOOKS: dict[Kind, tuple[Any, str, str]] = {
    Kind.PROGRESS: (ft.Icons.TIMELINE, Ink.PRIMARY, "progress"),
    Kind.FINISHED: (ft.Icons.CHECK_CIRCLE_OUTLINE, Ink.GREEN, "done"),
    Kind.FAILED: (ft.Icons.ERROR_OUTLINE, Ink.RED, "failed"),
    Kind.LOST: (ft.Icons.HELP_OUTLINE, Ink.RED, "lost"),
    Kind.ASKS: (ft.Icons.LIVE_HELP_OUTLINED, Ink.AMBER, "asks"),
}


def loud(notice: Notice, settings: Settings) -> bool:
    """Whether it is said at once, beyond standing in the list."""
    if settings.do_not_disturb:
        return False
    if notice.kind is Kind.PROGRESS:
        return settings.notify_progress
    return settings.notify_finished if notice.kind is Kind.FINISHED else settings.notify_problems


def page_title(runs: Sequence[RunView], unread: int) -> str:
    """The title of the window or browser tab: how many notices wait, what asks, and how far the newest run is."""
    asking = next((run for run in runs if run.asks), None)
    going = next((run for run in runs if run.kind == "train" and run.state.active), None)
    parts = [f"({unread})"] if unread else []
    if asking is not None:
        parts.append(f"{asking.name} asks ·")
    elif going is not None:
        parts.append(f"{percent(going.progress)} {going.name} ·")
    return " ".join((*parts, NAME))


@component
def Watch() -> Any:
    """Follows the runs for this window; nothing is seen of it, and screen readers hear each new notice."""
    engine, session = use_engine(), use_session()
    page = ft.context.page

    async def follow() -> None:
        before = engine.runs.list.value
        async for runs in engine.runs.list.watch():
            told = notices(before, runs)
            before = runs
            if told:
                session.tell(told)
                settings = engine.settings.value
                await _say([each for each in told if loud(each, settings)], page, settings.notify_sound)
            _mark(page, runs, session.unread.value)
            await pace_of(page).rest(EVERY)

    async def retitle() -> None:
        async for unread in session.unread.watch():
            _mark(page, engine.runs.list.value, unread)

    use_task(follow, [])
    use_task(retitle, [])
    newest = use_topic(session.notices, every=0.0)[:1]
    said = f"{newest[0].title}: {newest[0].words}" if newest else ""
    return ft.Semantics(content=ft.Container(height=1), live_region=True, label=said)


def _mark(page: ft.Page, runs: Sequence[RunView], unread: int) -> None:
    """The title, and in a window the bar on its icon in the task bar."""
    title = page_title(runs, unread)
    if page.title != title:
        page.title = title
        page.update()
    if page.web:
        return
    going = next((run for run in runs if run.kind == "train" and run.state.active), None)
    share = round(going.progress, 2) if going else None
    if page.window.progress_bar != share:
        page.window.progress_bar = share
        page.window.update()


async def _say(told: Sequence[Notice], page: ft.Page, sound: bool) -> None:
    for each in told:
        if each.kind is not Kind.PROGRESS:
            toast(
                f"{each.title}: {each.words}",
                bad=each.urgent,
                verb="Open",
                do=lambda each=each: go(f"/runs/{each.run}"),
            )
        if not page.web:
            await alert(each.title, each.words, urgent=each.urgent, sound=sound and each.kind is not Kind.PROGRESS)


@component
def Bell() -> Any:
    """Opens the list of notices; says how many are new."""
    session = use_session()
    unread = use_topic(session.unread, every=0.0)
    name = f"Notifications, {unread} new" if unread else "Notifications"
    icon = ft.Icons.NOTIFICATIONS_ACTIVE if unread else ft.Icons.NOTIFICATIONS_NONE
    button = icon_button(icon, name, lambda: session.overlay.set("notices"), color=Ink.PRIMARY if unread else Ink.MUTED)
    if not unread:
        return button
    return ft.Row([button, muted(str(min(unread, 99)))], spacing=0, tight=True)


@component
def Centre(close: Callable[[], None]) -> Any:
    """All notices of this window, the newest first."""
    engine, session = use_engine(), use_session()
    told = use_topic(session.notices, every=0.0)
    settings = use_topic(engine.settings, every=0.0)
    ft.use_effect(lambda: session.unread.set(0), [len(told)])

    def hear(pressed: str) -> bool:
        if pressed == "Escape":
            close()
        return pressed == "Escape"

    use_keys(hear)
    head = ft.Row(
        [
            label("Notifications", expand=True),
            *([quiet("Clear", lambda: _clear(session))] if told else []),
            icon_button(ft.Icons.CLOSE, "Close", close),
        ],
    )
    lines: list[ft.Control] = [_line(each, close) for each in told]
    if not told:
        words = "Progress of runs, and what needs you, is listed here."
        lines = [empty(ft.Icons.NOTIFICATIONS_NONE, "No notices.", words)]
    quiet_now = muted("Do not disturb is on: notices wait here.") if settings.do_not_disturb else None
    listed = ft.ListView(lines, spacing=S2, height=min(440, max(140, 76 * len(lines))))
    return ft.Column([head, *([quiet_now] if quiet_now else []), listed], spacing=S3, tight=True)


def _clear(session: Session) -> None:
    session.notices.set(())
    session.unread.set(0)


def _line(notice: Notice, close: Callable[[], None]) -> ft.Control:
    icon, color, word = LOOKS[notice.kind]

    def open_run() -> None:
        close()
        go(f"/runs/{notice.run}")

    inside = ft.Row(
        [
            ft.Icon(icon, color=color, size=20),
            ft.Column(
                [
                    row(body(notice.title, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), wrap=False),
                    muted(f"{notice.words} {ago(notice.time, time.time())}", max_lines=2),
                ],
                spacing=0,
                tight=True,
                expand=True,
            ),
        ],
        spacing=S3,
    )
    return card(inside, on_click=open_run, padding=12, name=f"{notice.title}, {word}: {notice.words}")
