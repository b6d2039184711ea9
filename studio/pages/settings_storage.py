"""What the Home takes on the disk, part by part, and what can be freed because it is made again when needed."""

from __future__ import annotations

from typing import Any

import anyio
import flet as ft

from engine.storage import Part, Taken
from studio.hooks import use_attempt, use_engine, use_latest
from studio.kit import Busy, ErrorCard, component, gigabytes, label, link, loading, muted, number, toast
from studio.theme import BODY, S1, S3, S4

WORDS: dict[Part, tuple[str, str]] = {
    "runs": ("Runs", "Curves, logs and checkpoints; deleting a run frees what is its own."),
    "versions": ("Versions", "What runs became; files shared with a run count as the run's."),
    "datasets": ("Datasets", "Imported rows and their versions."),
    "models": ("Models", "Base models in the Home."),
    "exports": ("Exports", "Versions in other forms."),
    "capsules": ("Capsules", "Versions packed to be taken along."),
    "environments": ("Training libraries", "What training is done with."),
    "logs": ("Logs", "The app's own; the oldest go by themselves."),
    "prepared": ("Prepared data", "Datasets as models read them; what no run or version uses is made again."),
    "answers": ("Kept answers", "Answers from evaluations; without them the next evaluation takes longer."),
    "uploads": ("Uploads", "Copies of files that browsers sent; they go by themselves after a day."),
    "rest": ("Everything else", "The index, conversations and settings."),
}  # fmt: skip
STAYS_SECONDS = 0.4
"""Who is here for so long wants to know."""
PAGES: dict[Part, tuple[str, str]] = {
    "runs": ("Open runs", "/runs"),
    "versions": ("Open versions", "/versions"),
    "datasets": ("Open data", "/data"),
    "exports": ("Open exports", "/exports"),
}


@component
def Storage(confined: bool, narrow: bool) -> Any:
    """The parts of the Home with their sizes; room is made on its own machine alone."""
    engine = use_engine()
    asked, ask = ft.use_state(0)
    problem, trying = use_attempt()

    async def count() -> tuple[Taken, ...]:
        if not asked:  # who only passes by need not wait for it with the next page
            await anyio.sleep(STAYS_SECONDS)
        return await engine.storage.taken()

    parts, failed, again = use_latest(count, [asked])

    async def free(part: Part) -> None:
        freed = await engine.storage.free(part)
        toast(f"{gigabytes(freed)} are free again.")
        ask(lambda times: times + 1)

    if failed is not None:
        return ErrorCard(failed, again=again)
    if parts is None:
        return loading("Counting")
    total = sum(each.bytes for each in parts)
    lines = [
        _line(each, None if confined else trying(lambda part=each.part: free(part)), narrow)
        for each in parts
        if each.bytes
    ]
    card = [ErrorCard(problem)] if problem is not None else []
    return ft.Column([label(f"{gigabytes(total)} in all"), *card, *lines], spacing=S4, tight=True)


def _line(each: Taken, free: Any, narrow: bool) -> ft.Control:
    name, help = WORDS[each.part]
    words = ft.Column([label(name), muted(help)], spacing=0, tight=True)
    tools: list[ft.Control] = []
    if each.freeable and free is not None:
        tools.append(Busy(f"Free {gigabytes(each.freeable)}", "Making room", free, main=False))
    elif each.part in PAGES:
        tools.append(link(*PAGES[each.part]))
    size = ft.Container(number(gigabytes(each.bytes), size=BODY), width=90)
    if narrow:
        return ft.Column([words, ft.Row([size, *tools], spacing=S3)], spacing=S1, tight=True)
    beside = ft.Container(ft.Row([size, *tools], spacing=S3), width=260)
    return ft.Row([ft.Container(words, expand=True), beside], spacing=S4)
