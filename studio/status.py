"""The line at the foot of the window: the machine, the queue, work in the background, what is wrong, what goes out.

Each part opens the page that says more. On a phone it is one short line, there only while something runs or is wrong.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import flet as ft
import msgspec

from engine.library import Import
from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.attention import wrong
from studio.hooks import go, use_engine, use_surroundings, use_topic
from studio.kit import component, gigabytes, muted, percent, plural
from studio.kit.pressed import passed_over
from studio.kit.terms import explained_on, in_one_line
from studio.theme import S1, S3, S4, Ink

STATUS = 28
NAME = 24
"""Letters of a name that are shown."""
DOING = {
    "evaluate": ("Evaluating", "evaluations", "/versions"),
    "export": ("Exporting", "exports", "/exports"),
    "benchmark": ("Benchmarking", "benchmarks", "/versions"),
}
"""What kinds of runs do in the background, what several are called, and where they are looked at."""
OFFLINE, NOTHING_WAITS = "Works offline", "Works offline; nothing waits to be sent"


class Part(msgspec.Struct, frozen=True):
    """A piece of the line: its words, the page it opens, and what kind of news it is."""

    words: str
    route: str
    kind: str = "plain"


def queue_part(runs: Sequence[RunView]) -> Part:
    """Training runs at work and waiting."""
    busy = [run for run in runs if run.kind == "train" and run.state.active]
    waiting = sum(run.kind == "train" and run.state is RunState.CREATED for run in runs)
    if not busy and not waiting:
        return Part("No run active", "/runs")
    route = f"/runs/{busy[0].id}" if len(busy) == 1 and not waiting else "/runs"
    return Part(f"{len(busy)} running, {waiting} waiting", route, "busy")


def background_parts(runs: Sequence[RunView], imports: Sequence[Import]) -> list[Part]:
    """Imports, evaluations and exports: one by its name and share, several by their number."""
    found: list[Part] = []
    if imports:
        words = f"Importing {_cut(imports[0].name)}, {percent(imports[0].share)}"
        found.append(Part(words if len(imports) == 1 else f"{len(imports)} imports", "/data", "busy"))
    active = [run for run in runs if run.state.active]
    for kind, (verb, several, route) in DOING.items():
        mine = [run for run in active if run.kind == kind]
        if len(mine) == 1:
            name = mine[0].name.removeprefix(f"{kind} ")
            found.append(Part(f"{verb} {_cut(name)}, {percent(mine[0].progress)}", f"/runs/{mine[0].id}", "busy"))
        elif mine:
            found.append(Part(f"{len(mine)} {several}", route, "busy"))
    return found


def problem_part(runs: Sequence[RunView], now: float) -> Part:
    """How many runs failed lately, are lost, or ask."""
    found = [run for run in runs if wrong(run, now)]
    if not found:
        return Part("No problems", "/")
    route = f"/runs/{found[0].id}" if len(found) == 1 else "/"
    return Part(plural(len(found), "problem"), route, "bad")


def _use_news(runs: Sequence[RunView], imports: Sequence[Import]) -> list[Part]:
    """What runs, what goes on beside it, what is wrong; counted anew only when something changed or a minute passed."""
    now = time.time()
    return ft.use_memo(
        lambda: [queue_part(runs), *background_parts(runs, imports), problem_part(runs, now)],
        [runs, imports, now // 60],
    )


def _cut(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


@component
def StatusStrip() -> Any:
    """The line of a window with room for it; a leaf of its own, for it changes all the time."""
    engine, surroundings = use_engine(), use_surroundings()
    hardware = use_topic(engine.planning.hardware, every=1.0)
    runs = use_topic(engine.runs.list, every=0.5)
    imports = use_topic(engine.library.importing, every=0.5)
    wide = surroundings.columns == 3
    left = _use_news(runs, imports)
    if (known := use_topic(explained_on(ft.context.page), every=0.0)) is not None:
        return _strip([in_one_line(known)])
    machine: list[ft.Control] = [_plain(_device(hardware))] if wide else []
    machine.append(Memory())
    here = "Everything runs on the server" if surroundings.confined else NOTHING_WAITS if wide else OFFLINE
    if surroundings.saving:
        machine.append(_button(Part("Saving power", "/settings")))
    return _strip(
        [
            ft.Row([*machine, *(_button(each) for each in left)], spacing=S3, expand=True, scroll=ft.ScrollMode.HIDDEN),
            _button(Part(here, "/settings")),
            *([_plain(_version())] if wide else []),
        ]
    )


@component
def Memory() -> Any:
    """How much memory is used; of the graphics card, where there is one."""
    meters = use_topic(use_engine().meters, every=1.0)
    if meters.gpu_memory_used is not None and meters.gpu_memory_total:
        words = f"GPU memory {gigabytes(meters.gpu_memory_used)} of {gigabytes(meters.gpu_memory_total)}"
    else:
        words = f"Memory {gigabytes(meters.memory_used)} of {gigabytes(meters.memory_total)}"
    return _button(Part(words, "/"))


@component
def PhoneStatus() -> Any:
    """What runs and what is wrong, in one line; nothing while there is neither."""
    engine = use_engine()
    runs = use_topic(engine.runs.list, every=0.5)
    imports = use_topic(engine.library.importing, every=0.5)
    parts = [each for each in _use_news(runs, imports) if each.kind != "plain"]
    if not parts:
        return ft.Container(visible=False)
    return _strip([ft.Row([_button(each) for each in parts], spacing=S3, expand=True, scroll=ft.ScrollMode.HIDDEN)])


def _strip(content: list[ft.Control]) -> ft.Control:
    return ft.Container(
        ft.Row(content, spacing=S4, vertical_alignment=ft.CrossAxisAlignment.CENTER),
        height=STATUS,
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(top=ft.BorderSide(1, Ink.BORDER)),
        padding=ft.Padding.symmetric(horizontal=S3),
    )


def _plain(words: str) -> ft.Control:
    return muted(words, no_wrap=True)


def _button(part: Part) -> ft.Control:
    """A part that is pressed; what is wrong and what works has an icon before its words."""
    marks = {"busy": (ft.Icons.AUTORENEW, Ink.PRIMARY), "bad": (ft.Icons.ERROR_OUTLINE, Ink.RED)}
    icon, color = marks.get(part.kind, (None, Ink.MUTED))
    words = muted(part.words, no_wrap=True, color=Ink.TEXT if icon else Ink.MUTED)
    face = ft.Row([*([ft.Icon(icon, size=14, color=color)] if icon else []), words], spacing=S1, tight=True)
    box = ft.Container(face, height=STATUS, padding=ft.Padding.symmetric(horizontal=S1), alignment=ft.Alignment.CENTER)
    return passed_over(box, lambda: go(part.route), name=part.words)


def _device(hardware: Any) -> str:
    if hardware is None:
        return "Looking at the hardware…"
    if hardware.gpus:
        return hardware.gpus[0].name
    return f"Processor, {plural(hardware.cores, 'core')}"


def _version() -> str:
    try:
        return f"v{version('peft-studio')}"
    except ImportError:  # run from a checkout that is not installed
        return f"Python {sys.version_info.major}.{sys.version_info.minor}"
