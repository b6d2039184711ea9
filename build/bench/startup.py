"""Starting and idling: imports of faces and connectors, the first screen in Chromium, memory and processor at rest."""

from __future__ import annotations

import json
import pkgutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

import connectors
import studio
from bench.report import Measure, report
from tests.browser import QUIET, installed

IDLE_SECONDS = 15


def modules() -> list[str]:
    """Every module of the faces and connectors, and the engine behind them."""
    names = ["engine.engine"]
    for package in (studio, connectors):
        names += [each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return names


def seconds_of(program: str, times: int = 7) -> float:
    """The median of fresh interpreters running this program."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-P", "-c", program], check=True)
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def served(home: Path) -> tuple[subprocess.Popen[str], str, float]:
    """The served app's process, its one-time link, and when it was launched."""
    words = [sys.executable, "-m", "studio.cli", "serve", "--no-browser", "--json", "--home", str(home)]
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, json.loads(process.stdout.readline())["link"], started


def readable(page: Any) -> None:
    """Wait until a page that was gone to stands, and have it read out, so that words and buttons can be found."""
    page.wait_for_selector("flt-semantics-placeholder", state="attached")
    page.evaluate("document.querySelector('flt-semantics-placeholder').click()")


def first_screen(home: Path) -> tuple[float, float, float]:
    """Seconds from launch to the first words on screen, then megabytes and share of a core at rest.

    Chromium is open before: the launch is the app's own.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=installed(), args=QUIET)
        page = browser.new_page()
        page.goto("about:blank")
        process, link, started = served(home)
        try:
            page.goto(link)
            readable(page)
            page.get_by_text("Fine-tune a model").first.wait_for()
            seconds = time.perf_counter() - started
            time.sleep(5)
            return seconds, *at_rest(process.pid)
        finally:
            browser.close()
            process.terminate()
            process.wait()


def at_rest(pid: int) -> tuple[float, float]:
    """Resident megabytes and the share of one core, over some idle seconds."""
    app = psutil.Process(pid)
    before = app.cpu_times()
    time.sleep(IDLE_SECONDS)
    after = app.cpu_times()
    used = (after.user + after.system) - (before.user + before.system)
    return app.memory_info().rss / 1e6, 100 * used / IDLE_SECONDS


def main() -> int:
    plain = seconds_of("pass")
    imports = seconds_of("import importlib\n" + f"for name in {modules()!r}: importlib.import_module(name)")
    measures = [
        Measure("import of every face and connector", imports - plain, "s", 0.6),
        Measure("a bare interpreter (yardstick)", plain, "s"),
    ]
    if installed():
        with tempfile.TemporaryDirectory() as home:
            screens = [first_screen(Path(home)) for _ in range(3)]
        measures += [
            Measure("first screen from launch", statistics.median(each[0] for each in screens), "s", 2.5),
            Measure("idle app process, memory", statistics.median(each[1] for each in screens), "MB", 150),
            Measure("idle app process, processor", statistics.median(each[2] for each in screens), "% of a core", 1),
        ]
    return report("startup", measures)


if __name__ == "__main__":
    sys.exit(main())
