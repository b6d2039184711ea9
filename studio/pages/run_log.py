"""A run's log: searched, by level, followed or held still, and taken along as a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import flet as ft

from studio.hooks import use_feed
from studio.kit import Switch, TextField, chip, code, component, muted, plural, quiet, row, toast
from studio.theme import S3, Ink

if TYPE_CHECKING:
    from engine.runs.follow import LiveRun

LINES = 300
"""Lines drawn at once."""
KEPT = 10_000
LEVELS: dict[str, tuple[str, ...]] = {
    "All": (),
    "Warnings and errors": ("WARNING", "ERROR", "CRITICAL"),
    "Errors": ("ERROR", "CRITICAL"),
}
_LEVEL = re.compile(r"^\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) ")


def level_of(line: str, before: str) -> str:
    """The level a line says; one that says none belongs to the line before (a stack, a table)."""
    found = _LEVEL.match(line)
    return found[1] if found else before


def found(lines: Sequence[str], words: str, level: str) -> list[str]:
    """The lines of a level that have the words."""
    wanted, inside, current = words.casefold(), LEVELS[level], "INFO"
    result: list[str] = []
    for line in lines:
        current = level_of(line, current)
        if (not inside or current in inside) and wanted in line.casefold():
            result.append(line)
    return result


@component
def Log(live: LiveRun) -> Any:
    """The worker's own words."""
    lines = use_feed(live.log, limit=KEPT)
    words, set_words = ft.use_state("")
    level, set_level = ft.use_state("All")
    held, hold = ft.use_state(-1)
    picker = ft.use_memo(ft.FilePicker, [])
    all_ = lines if held < 0 else lines[: max(0, len(lines) - (live.log.end - held))]
    matching = found(all_, words, level)
    shown: list[ft.Control] = [_line(line) for line in matching[-LINES:]]

    async def download() -> None:
        text = "\n".join(matching) + "\n"
        place = await picker.save_file(
            dialog_title="Save the log", file_name=f"{live.spec.id}.log", src_bytes=text.encode()
        )
        if place:
            toast(f"Saved as {place}.")

    chips = [chip(each, lambda each=each: set_level(each), selected=each == level) for each in LEVELS]
    tools = row(
        ft.Container(TextField(words, set_words, hint="Search the log"), width=240),
        *chips,
        Switch(held < 0, lambda on: hold(-1 if on else live.log.end), "Follow"),
        quiet("Download", download, icon=ft.Icons.DOWNLOAD),
        spacing=S3,
    )
    listed = ft.ListView(
        shown or [muted("No line to show.", size=14)],
        spacing=2,
        height=min(360, 22 * max(1, len(shown)) + 16),
        auto_scroll=held < 0,
        auto_scroll_animation=0,
        build_controls_on_demand=False,
    )
    cut = f", the last {LINES} shown" if len(matching) > LINES else ""
    return ft.Column([tools, listed, muted(f"{plural(len(matching), 'line')}{cut}")], spacing=S3)


def _line(line: str) -> ft.Control:
    level = level_of(line, "INFO")
    color = Ink.RED if level in LEVELS["Errors"] else Ink.AMBER if level == "WARNING" else Ink.TEXT
    return code(line, size=12, color=color)
