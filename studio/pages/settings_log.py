"""The app's own log as it is written, for those who look inside; secrets are taken out before it gets here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import anyio
import flet as ft

from engine.core.logs import LogLine, line_of
from engine.core.topics import Feed
from studio.hooks import use_feed, use_task
from studio.kit import TextField, chip, code, component, muted, plural, row
from studio.theme import S3, Ink

SHOWN, KEPT = 200, 2000
LEVELS = {"All": 0, "Warnings and errors": logging.WARNING, "Errors": logging.ERROR}


class _Tap(logging.Handler):
    """Hands every record on to the loop's thread, from whichever thread wrote it."""

    def __init__(self, hand_over: Callable[[LogLine], object]) -> None:
        super().__init__()
        self._hand_over = hand_over

    def emit(self, record: logging.LogRecord) -> None:
        self._hand_over(line_of(record))


@component
def LiveLog() -> Any:
    """What the app writes while this is shown."""
    feed: Feed[LogLine] = ft.use_memo(lambda: Feed(KEPT), [])
    level, set_level = ft.use_state("All")
    words, set_words = ft.use_state("")

    async def listen() -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        tap = _Tap(lambda line: loop.call_soon_threadsafe(feed.extend, [line]))
        root = logging.getLogger()
        root.addHandler(tap)
        try:
            await anyio.sleep_forever()
        finally:
            root.removeHandler(tap)

    use_task(listen, [])
    found = [line for line in use_feed(feed, limit=KEPT) if fits(line, words, LEVELS[level])]
    lines: list[ft.Control] = [_line(each) for each in found[-SHOWN:]]
    chips = [chip(each, lambda each=each: set_level(each), selected=each == level) for each in LEVELS]
    search = ft.Container(TextField(words, set_words, hint="Search the app's log"), width=240)
    box = ft.ListView(
        lines or [muted("Nothing was written since this page was opened.", size=14)],
        spacing=2,
        height=min(320, 22 * max(1, len(lines)) + 16),
        auto_scroll=True,
        auto_scroll_animation=0,
    )
    return ft.Column([row(search, *chips), box, muted(plural(len(found), "line"))], spacing=S3)


def fits(line: LogLine, words: str, level: int) -> bool:
    """Whether a line is of this level or above, and has the words."""
    number = logging.getLevelNamesMapping().get(line.level.upper(), 0)
    return number >= level and words.casefold() in f"{line.logger} {line.message} {line.stack}".casefold()


def _line(line: LogLine) -> ft.Control:
    color = {"warning": Ink.AMBER, "error": Ink.RED, "critical": Ink.RED}.get(line.level, Ink.TEXT)
    when = time.strftime("%H:%M:%S", time.localtime(line.time))
    words = f"{when} {line.level} {line.logger}: {line.message}"
    return code(f"{words}\n{line.stack}" if line.stack else words, size=12, color=color)
