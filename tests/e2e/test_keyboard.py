"""What the app is for, done with keys alone: no mouse, and nothing pressed by its role. What the keyboard reaches on
the way has a line around it in the colour of fills.

One page for the whole file, and places are gone to by their keys: loading it anew would take longer than the flows.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.home import Home
from engine.core.settings import Settings, save
from engine.spec.records import RunState, StateRecord
from studio.theme import LIGHT
from tests.e2e.conftest import SAID, Served, chromium, open_app, start_app, wait_until_said
from tests.e2e.screenshots import furnish
from tests.ui.fakes import FakeRuns

pytestmark = pytest.mark.browser
FILL = [int(LIGHT.fill[place : place + 2], 16) for place in (1, 3, 5)]
MOST = 90
"""Presses of Tab that lead to anything on a page."""
AROUND = 16
"""Pixels beside what has the focus in which its line may be: that of a field is wider than its words."""
WIDTH, HEIGHT = 1240, 800
STEP = 45
"""Milliseconds after a key until the focus is where it goes."""
FOCUSED = """
    () => {
      const now = document.activeElement;
      const field = ["INPUT", "TEXTAREA"].includes(now?.tagName);
      const name = now?.getAttribute("aria-label") || (field ? now.placeholder : now?.textContent) || "";
      return now?.tagName === "BODY" ? "" : name;
    }
"""
ACROSS = "(({ x, width }) => [x, width])(document.activeElement.getBoundingClientRect())"
LINES = """
    async ({ png, fill, wide }) => {
      const bytes = Uint8Array.from(atob(png), each => each.charCodeAt(0));
      const picture = await createImageBitmap(new Blob([bytes]));
      const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
      canvas.drawImage(picture, 0, 0);
      const { data, width, height } = canvas.getImageData(0, 0, picture.width, picture.height);
      const blue = (x, y) => x >= 0 && x < width
        && fill.every((each, at) => Math.abs(data[4 * (y * width + x) + at] - each) < 16);
      const middle = Math.round(width / 2);
      return [...Array(height).keys()].filter(y => {
        let [left, right] = [middle, middle];
        while (blue(left, y)) left--;
        while (blue(right, y)) right++;
        return right - left > wide / 3 && right - left < wide + 40;
      });
    }
"""
"""Rows of the window with a line as wide as what has the focus, where that stands. How high it stands is not asked: in
the tree of screen readers that is told later than it is drawn."""


class Keys:
    """A keyboard, and somebody who looks at the screen."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for each in keys:
            self.page.keyboard.press(each)
            self.page.wait_for_timeout(STEP)

    def type(self, words: str) -> None:
        self.page.keyboard.type(words, delay=4)
        self.page.wait_for_timeout(300)  # the page hears of it after a rest

    def here(self) -> str:
        """The name of what has the focus."""
        return self.page.evaluate(FOCUSED)

    def says(self, pattern: str, seconds: float = 60) -> None:
        wait_until_said(self.page, pattern, seconds=seconds)

    def go(self, stroke: str, pattern: str) -> None:
        """To another place of the app; Flutter hears keys a moment after its first picture."""
        end = time.monotonic() + 20
        while True:
            self.press(stroke)
            self.page.wait_for_timeout(600)
            if re.search(pattern, self.page.evaluate(SAID)):
                return
            assert time.monotonic() < end, f"{stroke} does not lead to “{pattern}”"

    def reach(self, pattern: str, *, back: bool = False) -> None:
        """Tab until that has the focus, and see the line around it."""
        seen = []
        for _ in range(MOST):
            self.press("Shift+Tab" if back else "Tab")
            seen.append(self.here())
            if re.search(pattern, seen[-1]):
                return self.see_line()
        raise AssertionError(f"“{pattern}” is not reached, but {seen}")

    def stays(self, pattern: str, seconds: float = 20) -> None:
        """That has the focus a while later, or again."""
        end = time.monotonic() + seconds
        self.page.wait_for_timeout(1000)
        while not re.search(pattern, self.here()):
            assert time.monotonic() < end, f"“{pattern}” has lost the focus to “{self.here()}”"
            self.page.wait_for_timeout(200)

    def titled(self, words: str, seconds: float = 30) -> None:
        """The tab's title says that, now or soon."""
        end = time.monotonic() + seconds
        while words not in self.page.title():
            assert time.monotonic() < end, f"the title is “{self.page.title()}”"
            self.page.wait_for_timeout(200)

    def see_line(self) -> None:
        """There is a line around what has the focus."""
        end = time.monotonic() + 4
        while not self._lines():
            assert time.monotonic() < end, f"no line is around “{self.here()}”"

    def _lines(self) -> list[int]:
        self.page.wait_for_timeout(100)
        x, wide = self.page.evaluate(ACROSS)
        clip = {"x": x - AROUND, "y": 0, "width": wide + 2 * AROUND, "height": HEIGHT}
        png = base64.b64encode(self.page.screenshot(clip=clip)).decode()
        return self.page.evaluate(LINES, {"png": png, "fill": FILL, "wide": wide})

    def do(self, pattern: str, key: str = "Enter", **way: bool) -> None:
        """Reach something and press it."""
        self.reach(pattern, **way)
        self.press(key)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app with datasets, runs and versions in its Home, which these tests may change."""
    chromium()
    home = Home.open(tmp_path_factory.mktemp("keys") / "home")
    furnish(home.path)
    save(home.settings, Settings(idle_host_seconds=20, theme="light", motion="reduced", side_bar=False))
    served = start_app(home.path)
    yield served
    served.process.terminate()
    served.process.wait(20)


@pytest.fixture(scope="module")
def keys(browser: Any, app: Served) -> Iterator[Keys]:
    """The keyboard of one page."""
    page, seen = open_app(browser, app, WIDTH, HEIGHT, device_scale_factor=1)  # a line of 2 px is looked for
    wait_until_said(page, "Recent|Learns to prefer", seconds=30)
    yield Keys(page)
    page.context.close()
    assert (seen.foreign, seen.errors, app.complaints()) == ([], [], [])


def test_the_wizard_from_home_to_the_review(keys: Keys) -> None:
    keys.go("Alt+Shift+H", "Learns to prefer")
    keys.do("^New run|^Fine-tune")
    keys.says("What should the model learn to do")
    keys.do("^Customer support", "Space")
    keys.do("^Continue to Data")
    keys.says("What should it learn from")
    keys.do("^Sample: Customer support")
    keys.says("questions with answers")
    keys.do("^Use this data")
    keys.says("will see it")
    keys.do("^Continue to Model")
    keys.do("[Ss]tarter")
    keys.do("^Continue to Settings")
    keys.says("What matters most")
    keys.reach("^Epochs")
    keys.press("Control+A")
    keys.type("2")
    keys.do("^Continue to Review")
    keys.says("Before the start")


def test_a_file_is_imported_by_its_path(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "plums.jsonl"
    rows = ({"question": f"How much are {count} plums?", "answer": f"{count} francs."} for count in range(40))
    file.write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    keys.go("Alt+Shift+D", "Dataset better answers")
    keys.do("^Import data")
    keys.reach("^Path of a file")
    keys.type(str(file))
    keys.press("Enter")
    keys.says("40 rows")
    keys.do("^Import|^Use this data|^Keep")
    keys.says("As a model sees it")


def test_a_question_is_asked_in_the_playground(keys: Keys) -> None:
    keys.go("Alt+Shift+P", "Ask both models|Ask the model")
    keys.reach("^Ask ")
    keys.type("Do you have a plum")
    keys.press("Shift+Enter")
    keys.type("for two?")
    keys.press("Enter")
    keys.says(r"Stop \(Escape\)")
    keys.press("Escape")
    keys.says("Send")
    keys.says("Edit the question")
    keys.reach("^Ask ")


def test_two_runs_are_compared(keys: Keys) -> None:
    keys.go("Alt+Shift+C", "Choose 2 to 5")
    keys.do("^shop v1.0.0", "Space")
    keys.do("^shop v1.1.0", "Space")
    keys.do("^Compare 2")
    keys.says("What they took")
    keys.reach("^Training loss")


def test_theme_and_power_saving_are_changed_and_changed_back(keys: Keys) -> None:
    def choose(name: str, key: str, said: str) -> None:
        keys.page.wait_for_timeout(400)
        keys.press(key, "Enter")
        keys.says(f"{name}\\n{said}")
        keys.stays(f"^{name}")  # a new theme takes the keyboard away, and it is brought back

    keys.go("Alt+Shift+S", "Appearance")
    keys.do("^Theme")
    choose("Theme", "ArrowDown", "Dark")
    keys.press("Enter")
    choose("Theme", "ArrowUp", "Light")
    keys.do("^Power saving")
    choose("Power saving", "ArrowDown", "On")
    keys.press("Enter")
    choose("Power saving", "ArrowUp", "Auto")
    keys.do("^Expert mode", "Space")


def test_a_run_is_resumed_and_its_tabs_are_turned(keys: Keys) -> None:
    keys.press("Control+p")
    keys.page.wait_for_timeout(600)
    keys.type("pausask")
    keys.says("1 found")
    keys.press("Enter")
    keys.says("Gradients exploded")
    keys.reach("^Resume$", back=True)
    for tab, said in (
        ("Log", "Search"),
        ("Checkpoints", "[Ss]tep 60"),
        ("System", "Processor"),
        ("Events", "step 70"),
    ):
        keys.do(f"^{tab}$", "Space")
        keys.says(said)


def test_the_palette_quick_open_and_the_lists(keys: Keys) -> None:
    keys.go("Alt+Shift+H", "Learns to prefer")
    keys.press("Control+Shift+P")
    keys.says("Search commands|up and down choose")
    keys.type("high contrast")
    keys.says("1 found")
    keys.press("Escape")
    keys.press("Control+b")
    keys.says(r"Datasets, \d, open")
    keys.do("^Datasets, \\d, open")
    keys.says("Datasets, \\d, folded")
    keys.press("Enter")
    keys.press("Control+b")


def test_a_field_keeps_the_keyboard_while_the_title_says_how_far_a_run_is(browser: Any, tmp_path: Path) -> None:
    home = Home.open(tmp_path / "going")
    run = FakeRuns(home.runs).make("Going on", RunState.RUNNING, steps=90)
    app = start_app(home.path)
    try:
        page, seen = open_app(browser, app, WIDTH, HEIGHT, device_scale_factor=1)
        keys = Keys(page)
        keys.titled("45 %")
        keys.go("Alt+Shift+S", "Appearance")
        keys.reach("^Electricity price")
        for step in (110, 130, 150):
            run.write_state(StateRecord(state=RunState.RUNNING, step=step, total_steps=200))
            keys.titled(f"{step // 2} %")
            keys.stays("^Electricity price", seconds=0)
        keys.press("Control+A")
        keys.type("0.31")
        assert page.evaluate("document.activeElement.value") == "0.31"
        page.context.close()
        assert (seen.foreign, seen.errors, app.complaints()) == ([], [], [])
    finally:
        app.process.terminate()
        app.process.wait(20)
