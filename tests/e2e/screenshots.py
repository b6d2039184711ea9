"""Pictures of every screen, in four widths and both themes, from a real Home with a real run in it.

    python -m tests.e2e.screenshots FOLDER [--widths 1440,375] [--themes light,dark] [--parts journey,furnished]

Needs Chromium and the training libraries; takes a few minutes. It is no test: it looks, and people judge.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from engine.core.home import Home
from engine.data.library import import_file
from engine.spec.records import Action, Card, RunState
from tests.e2e.conftest import FLAGS, chromium, fill, open_app, ready, start_app, wait_until_said
from tests.ui import results_home
from tests.ui.fake_engine import FakeEngine
from tests.ui.fakes import EXPLODED, FakeRuns, write_healing, write_preferences

HEIGHTS = {1440: 900, 1024: 768, 768: 1024, 375: 812}


class Camera:
    """Takes one screen in every width and theme."""

    def __init__(self, page: Any, folder: Path, widths: list[int], themes: list[str]) -> None:
        self.page = page
        self._folder = folder
        self._widths = widths
        self._themes = themes
        self._count = 0

    def take(self, name: str) -> None:
        """Save `NN-name-width-theme.png` for each combination, and go back to the first."""
        self._count += 1
        for theme in self._themes:
            self.page.emulate_media(color_scheme=theme)
            for width in self._widths:
                self._size(width)
                self.page.wait_for_timeout(900)
                self.page.screenshot(path=str(self._folder / f"{self._count:02}-{name}-{width}-{theme}.png"))
        self.page.emulate_media(color_scheme=self._themes[0])
        self._size(self._widths[0])
        self.page.wait_for_timeout(700)

    def _size(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": HEIGHTS.get(width, 900)})

    def press(self, words: str, role: str = "button") -> None:
        self.page.get_by_role(role, name=words).first.click(timeout=30_000)

    def see(self, words: str, seconds: float = 60) -> None:
        self.page.get_by_text(re.compile(words)).first.wait_for(timeout=seconds * 1000)


def journey(camera: Camera, address: str) -> None:
    """From the first visit to a tuned model that answers."""
    page = camera.page
    page.wait_for_timeout(1500)
    camera.take("home-first")
    camera.press("Fine-tune a model")
    camera.press("Customer support")
    camera.take("use-case")
    camera.press("Continue to Data")
    camera.press("Sample: Customer support")
    camera.see("questions with answers")
    camera.take("data-found")
    camera.press("Use this data")
    camera.see("As .* will see it")
    page.wait_for_timeout(800)
    camera.take("data-rows")
    camera.press("Continue to Model")
    page.wait_for_timeout(500)
    page.get_by_role("button", name=re.compile("starter", re.IGNORECASE)).first.click()
    camera.take("model")
    camera.press("Continue to Settings")
    camera.see("What matters most")
    page.wait_for_timeout(1500)
    camera.take("settings")
    fill(page, "Epochs", "2")
    page.wait_for_timeout(500)
    camera.press("Continue to Review")
    camera.see("Before the start")
    camera.take("review")
    camera.press("Start training")
    page.wait_for_url(re.compile("/runs/"))
    camera.see("Loss now")
    page.wait_for_timeout(14_000)
    camera.take("run-live")
    run = page.url
    page.goto(address)
    page.wait_for_timeout(2500)
    camera.take("home-running")
    finish(camera, address, run)


def finish(camera: Camera, address: str, run: str) -> None:
    """The end of the run, its measurement, and a conversation."""
    page = camera.page
    page.goto(run)
    page.wait_for_selector("flt-semantics-placeholder", state="attached")
    page.evaluate("document.querySelector('flt-semantics-placeholder').click()")
    camera.see("completed", 400)
    camera.press("Measure it")
    camera.see("tuned \\d", 300)
    camera.take("run-completed")
    camera.press("Talk to it")
    camera.see("Ask something", 90)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name=re.compile(r"[?.…]$")).first.click()
    wait_until_said(page, "tokens/s", times=2, seconds=90)
    page.wait_for_timeout(1000)
    camera.take("playground")
    for name in ("runs", "versions", "settings"):
        page.goto(f"{address}/{name}")
        page.wait_for_timeout(2500)
        camera.take(name)


def furnish(home: Path) -> None:
    """Datasets of several kinds, and runs that looked after themselves; nothing is trained."""
    opened = Home.open(home)
    samples = Path(str(files("assets") / "samples"))
    for name in ("support.csv", "chat.jsonl"):
        import_file(opened.datasets, samples / name, name=Path(name).stem)
    pairs = home.parent / "better.jsonl"
    pairs.write_text("".join(f"{json.dumps(each)}\n" for each in preferences()))
    import_file(opened.datasets, pairs, name="better answers")
    runs = FakeRuns(opened.runs)
    asking = runs.make("Paused and asking", RunState.PAUSED, steps=70, error=EXPLODED, age=600)
    write_healing(asking)
    going = runs.make("Learns to prefer", RunState.RUNNING, steps=90, age=60)
    plateau = Action(label="Double the learning rate.", do="raise-rate"), Action(label="Raise the rank.")
    write_healing(going, Card(what="The loss stands still.", why="It fell by 0.001 in 60 steps.", actions=plateau))
    write_preferences(going, 90)
    runs.make("Went well", RunState.STOPPED, steps=150, age=900)
    furnish_results(home)


def furnish_results(home: Path) -> None:
    """Two versions of one name with their evaluations, as two runs would have left them; weights they have none."""
    engine = results_home.furnish(FakeEngine(home))
    shop = results_home.dataset(engine)
    for number, right in ((1, 0.55), (2, 0.85)):
        version = results_home.a_version(engine, f"shop-{number}", name="shop", data=shop)
        results_home.evaluated(engine, version, right, seed=number)
    engine.store.close()


def preferences() -> list[dict[str, str]]:
    """Pairs of answers, and three lines that cannot be used."""
    fruits = ("apple", "pear", "plum", "cherry", "melon", "grape", "lemon", "peach")
    rows = [
        {
            "prompt": f"Do you have a {fruit} for {count}?",
            "chosen": f"Yes, {count} fresh ones. Shall I put them aside?",
            "rejected": "Perhaps.",
        }
        for fruit in fruits
        for count in range(2, 14)
    ]
    return [*rows, *({"prompt": f"And now {each}?", "chosen": "Yes.", "rejected": "Yes."} for each in range(3))]


def furnished(camera: Camera, address: str) -> None:
    """The library, one dataset, a run that asks, one that proposes, and a plan for preferences."""
    page = camera.page
    for name, route in (("run-asking", "runs/run-1"), ("run-proposing", "runs/run-2"), ("run-healthy", "runs/run-3")):
        visit(page, f"{address}/{route}")
        camera.take(name)
    visit(page, f"{address}/runs/run-1")
    scroll(page, 900)
    camera.take("run-healing")
    visit(page, f"{address}/data")
    camera.take("data")
    camera.press("Dataset better answers")
    camera.see("Length of each row", 90)
    camera.take("dataset")
    camera.press("Fine-tune with it")
    page.wait_for_timeout(800)
    page.get_by_role("button", name=re.compile("starter", re.IGNORECASE)).first.click()
    camera.press("Continue to Settings")
    camera.see("What matters most")
    page.wait_for_timeout(1500)
    camera.take("settings-preference")
    camera.press("Compare all methods")
    camera.take("methods")
    camera.press("Continue to Review")
    camera.see("Before the start")
    camera.take("review-preference")
    scroll(page, 900)
    camera.take("review-below")
    visit(page, f"{address}/data")
    camera.press("Import data")
    camera.press("Sample: Ticket labels")
    camera.see("texts with labels")
    camera.take("data-import")


def data(camera: Camera, address: str) -> None:
    """Everything that is done with datasets."""
    page = camera.page
    visit(page, f"{address}/data")
    camera.press("Put together")
    camera.press("support, 480 rows")
    camera.take("data-merge")
    visit(page, f"{address}/data")
    camera.press("Dataset better answers")
    camera.see("Length of each row", 90)
    camera.take("dataset")
    camera.press("Map the columns anew")
    page.get_by_role("button", name="Make a new version").wait_for()
    scroll(page, 900)
    camera.take("dataset-mapping")
    camera.press("Findings")
    camera.take("dataset-findings")
    page.get_by_role("button", name="Rows", exact=True).click()
    camera.take("dataset-rows")
    camera.press("Row 2")
    camera.press("Row 3")
    camera.press("Hide 2 rows")
    page.get_by_role("button", name="Hidden (2)").wait_for(timeout=60_000)
    camera.press("Hidden (2)")
    page.wait_for_timeout(1000)
    camera.take("dataset-hidden")
    camera.press("As a model sees it")
    camera.see("Half of the rows", 90)
    camera.take("dataset-model")
    camera.press("Versions and files")
    camera.press("What changed")
    page.wait_for_timeout(2500)
    camera.press("Write the file")
    page.wait_for_timeout(3000)
    camera.take("dataset-versions")
    scroll(page, 900)
    camera.press("Delete this version")
    camera.take("dataset-delete")


def visit(page: Any, address: str) -> None:
    """Go to an address and wait until it is drawn."""
    page.goto(address)
    ready(page)
    page.wait_for_timeout(2500)


def scroll(page: Any, distance: int) -> None:
    """Turn the wheel over the middle of the page."""
    page.mouse.move(600, 450)
    page.mouse.wheel(0, distance)
    page.wait_for_timeout(500)


PARTS = {"journey": (lambda home: None, journey), "furnished": (furnish, furnished), "data": (furnish, data)}


def main() -> None:
    """Run the app, the browser and the camera."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", default="1440,1024,768,375")
    parser.add_argument("--themes", default="light,dark")
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    widths = [int(each) for each in options.widths.split(",")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for part in options.parts.split(","):
            photograph(browser, part, options.folder / part, widths, options.themes.split(","))
        browser.close()


def photograph(browser: Any, part: str, folder: Path, widths: list[int], themes: list[str]) -> None:
    """One part, in an app and a Home of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="peft-studio-pictures-")) / "home"
    before, shown = PARTS[part]
    before(home)
    app = start_app(home)
    try:
        page, seen = open_app(browser, app, device_scale_factor=1)
        shown(Camera(page, folder, widths, themes), app.address)
        print(f"{part}: foreign requests: {seen.foreign}, console errors: {seen.errors}, log: {app.complaints()}")
    finally:
        app.process.terminate()
        app.process.wait(20)
        shutil.rmtree(home.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
