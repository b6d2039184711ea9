"""From a metric written to its number on screen, and to the curve, in software-rendered Chromium.

The writer is this program, in the place of a worker: the same ring, the same files, one step at a time. The page is
watched from inside by an observer that notes when a number or the curve's own description first appears.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import Measure, p95, report
from bench.startup import readable, served
from bench.training import METHOD, NUMBERS
from engine.runs.launch import create
from engine.runs.process import started_at
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.objectives import Imitate
from engine.spec.records import LaunchRecord, RunState
from engine.spec.runspec import FORMAT, DataRef, ModelRef, RunSpec, TrainJob
from engine.worker.reporter import Reporter
from tests.browser import QUIET, installed

STEPS = 60
WATCH = """
() => {
  window.seen = {};
  const note = (text) => {
    for (const found of text.matchAll(/(?:by )?step \\d+ of/g)) window.seen[found[0]] ??= Date.now();
  };
  const look = () => {
    for (const node of document.querySelectorAll('flt-semantics-host *')) {
      note(node.getAttribute('aria-label') ?? '');
      if (node.childElementCount === 0) note(node.textContent ?? '');
    }
  };
  new MutationObserver(look).observe(document.querySelector('flt-semantics-host').getRootNode(),
    {subtree: true, childList: true, characterData: true, attributes: true});
}
"""


def made_run(home: Path) -> RunFolder:
    """A run whose worker is this process."""
    job = TrainJob(
        model=ModelRef(path="starter", name="starter", fingerprint=""),
        data=DataRef(prepared="", dataset="rows", name="rows", hash=""),
        method=METHOD,
        objective=Imitate(),
        training=NUMBERS,
        total_steps=STEPS + 10,
        profile="chatbot",
    )
    (home / "runs").mkdir(parents=True, exist_ok=True)
    spec = RunSpec(
        format=FORMAT, id="bench", name="bench", created=time.time(), threads=1, processes=1, priority=0, job=job
    )
    folder = create(home / "runs", spec)
    pid = os.getpid()
    launch = LaunchRecord(attempt=0, pid=pid, process_started=started_at(pid), host="", time=time.time(), threads=1)
    write_struct(folder.launch_file, launch)
    return folder


def write_steps(folder: RunFolder, page: Any) -> tuple[list[float], list[float]]:
    """Write a step now and then; milliseconds until its number and until its place in the curve's words appeared."""
    reporter = Reporter(folder, 0)
    reporter.at(0, STEPS + 10)
    reporter.start()
    reporter.enter(RunState.RUNNING)
    dice, written = random.Random(0), dict[int, float]()
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    for step in range(1, STEPS + 1):
        reporter.at(step, STEPS + 10)
        reporter.metrics(step, loss=3 - step * 0.0137)
        written[step] = time.time() * 1000
        page.wait_for_timeout(700 + dice.randint(0, 300))
    page.wait_for_timeout(2000)
    seen: dict[str, float] = page.evaluate("() => window.seen")
    reporter.close()
    numbers = [seen[key] - written[step] for step in written if (key := f"step {step} of") in seen]
    curves = [seen[key] - written[step] for step in written if (key := f"by step {step} of") in seen]
    return numbers, curves


def main() -> int:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as play:
        home = Path(name) / "home"
        folder = made_run(home)
        process, link, _ = served(home)
        browser = play.chromium.launch(executable_path=installed(), args=QUIET)
        try:
            page = browser.new_page()
            page.goto(link)
            readable(page)
            page.goto(link.partition("?")[0].rstrip("/") + "/runs/bench")
            readable(page)
            numbers, curves = write_steps(folder, page)
        finally:
            browser.close()
            process.terminate()
            process.wait()
    return report(
        "screen",
        [
            Measure("metric to its number on screen, p95", p95(numbers), "ms", 350),
            Measure("metric to its number on screen, median", statistics.median(numbers), "ms"),
            Measure("metric to the curve, p95", p95(curves), "ms", 700),
            Measure("metric to the curve, median", statistics.median(curves), "ms"),
            Measure("steps seen as numbers", len(numbers), f"of {STEPS}"),
            Measure("steps seen in the curve", len(curves), f"of {STEPS}"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
