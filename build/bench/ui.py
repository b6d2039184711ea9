"""The app at work without a browser: from a click to the patch, with ten thousand runs in the Home; idle; and for long.

A session of Flet is driven as a browser would drive it, over real run folders; what a browser adds is in `screen`.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import flet as ft
import msgpack
import msgspec
import psutil

from bench.report import Measure, p95, report

RUNS, CHANGES, UPDATES = 10_000, 500, 10_000
IDLE_SECONDS = 60.0
ROUNDS, SCROLLS = 12, 200
PAUSE_SECONDS = 3.0
"""As long as a person looks at a new screen: what it reads from disk is there, and the collector has swept."""
FOLDING = ("Datasets, 1, open", "Datasets, 1, folded")
PRESSES: dict[str, tuple[str, ...]] = {
    "/runs": ("Completed", "All", "At work", "All"),
    "/": FOLDING,
    "/runs/run-1": ("Log", "Settings", "Checkpoints", "Events", "System"),
    "/data": ("Import data", "Cancel"),
    "/data/{dataset}": ("Overview", "Rows", "Versions and files"),
    "/settings": FOLDING,
    "/help": FOLDING,
    "/versions": FOLDING,
    "/versions/{version}": ("Benchmarks", "Exports", "About it", "Evaluation"),
    "/new": ("Chatbot", "Customer support", "Summarization"),
    "/compare": ("run Run 00000", "run Run 00001"),
    "/models": FOLDING,
    "/playground": FOLDING,
    "/exports": FOLDING,
    "/capsule": FOLDING,
}
"""What is pressed on each screen."""


def _home(folder: Path) -> tuple[Any, dict[str, tuple[str, ...]]]:
    """A fake engine whose Home has a run with a curve, ten thousand in the list, a dataset and a version with its
    evaluation; and what is pressed, by the address of the screen."""
    from engine.spec.records import RunState
    from tests.ui.fake_engine import FakeEngine
    from tests.ui.results_home import a_version, dataset, evaluated, furnish

    engine = furnish(FakeEngine(folder))
    engine.runs.make("Curve", RunState.RUNNING, steps=400, total=1000)
    one = engine.runs.list.value[0]
    data = dataset(engine)
    version = a_version(engine, "run-of-a-version", data=data)
    evaluated(engine, version, 0.8)
    others = tuple(
        msgspec.structs.replace(
            one, id=f"x{n}", name=f"Run {n:05}", state=RunState.COMPLETED, created=one.created - n - 1
        )
        for n in range(RUNS)
    )
    engine.runs.list.set((one, *others))
    return engine, {route.format(dataset=data.id, version=version.id): presses for route, presses in PRESSES.items()}


class Desk:
    """A window onto the engine."""

    def __init__(self, engine: Any) -> None:
        from studio.app import open_page
        from tests.ui.client import Client

        self.client = Client("/", 1440)
        open_page(self.client.page, engine)

    async def quiet(self) -> None:
        """Until nothing more is sent for two turns of the loop."""
        before = -1
        while before != len(self.client.sent):
            before = len(self.client.sent)
            await self.client.settle(40)

    async def timed(self, do: Callable[[], Awaitable[object]]) -> float:
        """Milliseconds of this process until what was asked for is sent; others on the machine do not count."""
        await self.quiet()
        started = time.process_time()
        await do()
        await self.quiet()
        self.client.sent.clear()
        return 1000 * (time.process_time() - started)


async def clicks(desk: Desk, pressed: dict[str, tuple[str, ...]]) -> dict[str, list[float]]:
    """These presses by screen, and ticks in the list of ten thousand."""
    client, spent = desk.client, dict[str, list[float]]()
    for route, presses in pressed.items():
        await client.go(route)
        await asyncio.sleep(PAUSE_SECONDS)
        await desk.quiet()
        found = spent[route] = []
        for _ in range(ROUNDS):
            for words in presses:
                found.append(await desk.timed(lambda words=words: client.press(words)))
            for place in (1, 2) if route == "/runs" else ():
                box = client.find(ft.Checkbox)[place]
                found.append(await desk.timed(lambda box=box: client.event(box, "change", True)))
    return spent


async def scroll(desk: Desk) -> list[float]:
    """Through the list of ten thousand, a screen at a time, as a wheel that is turned fast."""
    from studio.pages.runs import ROW

    await desk.client.go("/runs")
    await desk.quiet()
    box = next(each for each in desk.client.find(ft.ListView) if each.on_scroll)
    end = RUNS * ROW
    spent = []
    for pixels in range(0, end, end // SCROLLS):
        spent.append(await desk.timed(lambda at=pixels: desk.client.scroll(box, float(at))))
    return spent


async def sorts(desk: Desk) -> list[float]:
    """Sorting all ten thousand."""
    await desk.client.go("/runs")
    await desk.quiet()
    found = []
    for words in ("Sort by name", "Sort by name, rising", "Sort by loss", "Sort by state") * 8:
        there = desk.client.find(ft.Semantics, label=words)
        if there:
            found.append(await desk.timed(lambda words=words: desk.client.press(words)))
    return found


async def routes(desk: Desk, pages: Sequence[str], count: int) -> list[float]:
    """Going from page to page."""
    return [await desk.timed(lambda at=at: desk.client.go(pages[at % len(pages)])) for at in range(count)]


async def updates(desk: Desk, engine: Any, count: int) -> None:
    """A run that goes on: its numbers and the list of runs, again and again."""
    await desk.client.go("/runs/run-1")
    live = engine.runs.live("run-1")
    for number in range(count):
        live.view.set(msgspec.structs.replace(live.view.value, step=number % 1000))
        live.changed.set(live.changed.value + 1)
        if number % 20 == 0:
            await asyncio.sleep(0.005)
            desk.client.sent.clear()
    await desk.quiet()
    desk.client.sent.clear()


def yardstick() -> float:
    """Milliseconds for plain Python of the same sort: 20,000 small things made, and packed as messages are."""
    spent = []
    for _ in range(9):
        started = time.process_time()
        msgpack.packb([{"name": f"thing {n}", "at": [n, n + 1]} for n in range(20_000)])
        spent.append(1000 * (time.process_time() - started))
    return statistics.median(spent)


def memory() -> float:
    """Megabytes of this process, after a collection."""
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


async def measure(seconds: float) -> list[Measure]:
    """All of it, in one session."""
    with tempfile.TemporaryDirectory() as folder:
        engine, pressed = _home(Path(folder) / "home")
        started = time.process_time()
        desk = Desk(engine)
        await desk.quiet()
        first = 1000 * (time.process_time() - started)
        desk.client.sent.clear()
        speeds = [yardstick()]
        clicked = await clicks(desk, pressed)
        scrolled = await scroll(desk)
        sorted_ = await sorts(desk)
        speeds.append(yardstick())
        pages = tuple(pressed)
        await routes(desk, pages, 2 * len(pages))
        before = memory()
        went = await routes(desk, pages, CHANGES)
        after_routes = memory()
        await updates(desk, engine, UPDATES)
        after_updates = memory()
        await desk.client.go("/")
        await desk.quiet()
        me = psutil.Process()
        used, start = sum(me.cpu_times()[:2]), time.monotonic()
        await asyncio.sleep(seconds)
        idle = (sum(me.cpu_times()[:2]) - used) / (time.monotonic() - start)
        speeds.append(yardstick())
        crashed = len(desk.client.crashed())
        desk.client.session.close()
        desk.client.dispose()
    slowest = max(clicked, key=lambda route: p95(clicked[route]))
    return [
        Measure("first screen, 10,000 runs in the list", first, "ms", 1000),
        Measure(f"click to patch, p95 of the slowest screen ({slowest})", p95(clicked[slowest]), "ms", 50),
        Measure("click to patch, p95 of all screens", p95(list(chain(*clicked.values()))), "ms"),
        Measure("scroll of 10,000 runs, slowest frame", max(scrolled), "ms", 100),
        Measure("sort of 10,000 runs to patch, p95", p95(sorted_), "ms", 100),
        Measure("route change to patch, p95", p95(went), "ms", 300),
        Measure("growth over 500 route changes", after_routes - before, "MB", 20),
        Measure("growth over 10,000 live updates", after_updates - after_routes, "MB", 20),
        Measure("memory at the end", after_updates, "MB"),
        Measure(f"processor while idle for {seconds:.0f} s", 100 * idle, "%", 1),
        Measure("crashes", crashed, "", 0),
        Measure("20,000 things made and packed (yardstick)", statistics.median(speeds), "ms"),
    ]


def main() -> int:
    return report("ui", asyncio.run(measure(IDLE_SECONDS)))


if __name__ == "__main__":
    sys.exit(main())
