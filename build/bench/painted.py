"""From a click to what it paints, in software-rendered Chromium, over a real Home: ten thousand run folders, and a run
with a curve of a hundred thousand points.

The page times itself: from the press of the mouse to the first frame after the words that were waited for are there.
A bare Flet page is measured the same way (build/bench/bare.py): what the machine and Flet's client take of each figure.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.bare import HELLO, PRESSED, bare
from bench.report import Measure, p95, report
from bench.startup import readable, served
from tests.browser import QUIET, installed

RUNS, POINTS, ROUNDS = 10_000, 100_000, 6
CURVE = "Long curve"
AT_REST_PERCENT = 5.0
CLICKS: dict[str, tuple[tuple[str, str], ...]] = {
    "/runs": (("Completed$", "Completed"), ("All$", "All"), ("Sort by name", "Sort by name, ")),
    "/runs/curve": (("Log$", "Search"), ("Checkpoints$", "No checkpoint yet"), ("Events$", "Nothing happened")),
    "/data": (("Import data$", "Choose a file"), ("Cancel$", "Import data")),
    "/new": (("Chatbot", "Continue to Data"), ("Customer support", "Continue to Data")),
    "/settings": (("Hide the lists", "Show the lists"), ("Show the lists", "Hide the lists")),
    "/help": (("Runs, .*open$", "Runs, 10,001, folded"), ("Runs, .*folded$", "Runs, 10,001, open")),
}
"""What is pressed on a page (a pattern of its name), and the beginning of what a screen reader then finds."""
ROUTES = (
    (r"Runs \(", "Sort by name"),
    (r"Data \(", "Import data"),
    (r"Versions \(", "No versions yet"),
    (r"Settings \(", "Theme"),
    (r"Home \(", "Recent work"),
    (r"Help \(", "First steps"),
)
WATCH = """
() => {
  const host = document.querySelector('flt-semantics-host').getRootNode();
  const words = (node) => node.getAttribute?.('aria-label') ?? (node.childElementCount ? '' : node.textContent ?? '');
  window.there = (start) =>
    [...host.querySelectorAll('flt-semantics-host *')].some(each => words(each).startsWith(start));
  window.timed = (start) => new Promise(done => {
    let pressed = 0;
    addEventListener('pointerdown', () => { pressed = performance.now(); }, {capture: true, once: true});
    const look = () => {
      if (pressed && window.there(start)) {
        observer.disconnect();
        requestAnimationFrame(() => done(performance.now() - pressed));
      }
    };
    const observer = new MutationObserver(look);
    observer.observe(host, {subtree: true, childList: true, characterData: true, attributes: true});
  });
}
"""


def furnish(home: Path) -> None:
    """Write the folders of all those runs, as workers leave them."""
    from engine.spec.files import encode, write_struct
    from engine.spec.records import LaunchRecord, RunState, StateRecord
    from tests.making import run_folder, train_spec

    runs = home / "runs"
    runs.mkdir(parents=True)
    spec = train_spec(Path("/models/starter"), Path("/prepared/x"))
    begun = time.time() - 10 * RUNS
    for number in range(RUNS):
        folder = runs / f"r{number:05}"
        folder.mkdir()
        made = msgspec.structs.replace(spec, id=folder.name, name=f"Run {number:05}", created=begun + number)
        state = StateRecord(state=RunState.COMPLETED, step=200, total_steps=200, time=begun + number + 5)
        launch = LaunchRecord(attempt=0, pid=0, process_started=0.0, host="", time=begun + number, threads=1)
        (folder / "spec.json").write_bytes(encode(made))
        (folder / "launch.json").write_bytes(encode(launch))
        (folder / "state.json").write_bytes(encode(state))
    long = msgspec.structs.replace(spec, id="curve", name=CURVE, created=time.time())
    folder = run_folder(runs / "curve", long)
    lines = "".join(
        f'{{"attempt":0,"step":{step},"time":{begun + step},"values":{{"loss":{3 - 2 * step / POINTS:.4f}}}}}\n'
        for step in range(1, POINTS + 1)
    )
    folder.metrics_file.write_text(lines)
    write_struct(
        folder.launch_file, LaunchRecord(attempt=0, pid=0, process_started=0.0, host="", time=begun, threads=1)
    )
    folder.write_state(StateRecord(state=RunState.STOPPED, step=POINTS, total_steps=POINTS))


class Visitor:
    """One browser page at the app."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address

    def visit(self, route: str) -> None:
        """Load the page anew at an address, and wait until it stands."""
        self.page.goto(self.address + route)
        readable(self.page)
        self.page.wait_for_timeout(3000)
        self.page.evaluate(WATCH)

    def press(self, name: str, appears: str) -> float:
        """Milliseconds from the press until what appears was painted."""
        button = self.page.get_by_role("button", name=re.compile(f"^{name}")).first
        box = button.bounding_box()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.wait_for_timeout(250)
        self.page.evaluate("(start) => { window.answer = window.timed(start); }", appears)
        self.page.mouse.down()
        self.page.mouse.up()
        return float(self.page.evaluate("() => window.answer"))


def clicks(visitor: Visitor) -> list[float]:
    """Presses on the pages of CLICKS, each after a first round that loads what is loaded once."""
    spent = []
    for route, presses in CLICKS.items():
        visitor.visit(route)
        for turn in range(ROUNDS):
            for name, appears in presses:
                taken = visitor.press(name, appears)
                spent += [taken] if turn else []
    return spent


def routes(visitor: Visitor) -> list[float]:
    """Going from place to place by the activity bar, each place visited once before."""
    visitor.visit("/")
    spent = []
    for turn in range(ROUNDS):
        for name, appears in ROUTES:
            taken = visitor.press(name, appears)
            spent += [taken] if turn else []
    return spent


def settle(pid: int) -> None:
    """Wait until the app has nothing left to do by itself: an index made anew is complete."""
    app = psutil.Process(pid)
    app.cpu_percent()
    while app.cpu_percent(interval=1.0) > AT_REST_PERCENT:
        pass


def launched(
    play: Any,
    start: Callable[[], tuple[subprocess.Popen[str], str, float]],
    word: str,
    do: Callable[[Visitor], list[Measure]] = lambda _: [],
) -> tuple[float, list[Measure]]:
    """Start something served with a browser at it: the seconds until its first word was there, and what comes after."""
    browser = play.chromium.launch(executable_path=installed(), args=QUIET)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto("about:blank")
    process, link, started = start()
    try:
        page.goto(link)
        readable(page)
        page.get_by_text(word).first.wait_for()
        seconds = time.perf_counter() - started
        settle(process.pid)
        return seconds, do(Visitor(page, link.partition("?")[0].rstrip("/")))
    finally:
        browser.close()
        process.terminate()
        process.wait()


def yardstick(visitor: Visitor) -> list[Measure]:
    """Presses of the one button of a bare page."""
    visitor.page.evaluate(WATCH)
    spent = [visitor.press("Press", f"{PRESSED} {number}.") for number in range(1, 31)]
    return [Measure("click to painted, p95, a bare Flet page (yardstick)", p95(spent[5:]), "ms")]


def measured(visitor: Visitor) -> list[Measure]:
    clicked, went = clicks(visitor), routes(visitor)
    return [
        Measure("click to painted, p95", p95(clicked), "ms", 250),
        Measure("click to painted, median", statistics.median(clicked), "ms"),
        Measure("route change to painted, p95", p95(went), "ms", 300),
        Measure("route change to painted, median", statistics.median(went), "ms"),
    ]


def main() -> int:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as play:
        home = Path(name) / "home"
        furnish(home)
        app = partial(served, home)
        anew, _ = launched(play, app, "Recent work")
        plain, pressed = launched(play, bare, HELLO, yardstick)
        first, figures = launched(play, app, "Recent work", measured)
    return report(
        "painted",
        [
            Measure("first screen, a bare Flet page (yardstick)", plain, "s"),
            Measure(f"first screen from launch, {RUNS:,} runs", first, "s", 2.5),
            Measure("first screen while the index is made anew", anew, "s"),
            *pressed,
            *figures,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
