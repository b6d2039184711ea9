"""Pictures of every screen, in four widths and both themes, from a real Home with a real run in it.

    python -m tests.e2e.screenshots FOLDER [--widths 1440,1024,768,375] [--themes light,dark]

Needs Chromium and the training libraries; takes a few minutes. It is no test: it looks, and people judge.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.conftest import FLAGS, NAMES, fill, open_app, start_app, wait_until_said

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


def main() -> None:
    """Run the app, the browser and the camera."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", default="1440,1024,768,375")
    parser.add_argument("--themes", default="light,dark")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="peft-studio-pictures-")) / "home"
    app = start_app(home)
    try:
        with sync_playwright() as playwright:
            binary = next((path for name in NAMES if (path := shutil.which(name))), None)
            browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)
            page, seen = open_app(browser, app)
            widths = [int(each) for each in options.widths.split(",")]
            journey(Camera(page, options.folder, widths, options.themes.split(",")), app.address)
            print(f"foreign requests: {seen.foreign}\nconsole errors: {seen.errors}")
            browser.close()
    finally:
        app.process.terminate()
        app.process.wait(20)
        shutil.rmtree(home.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
