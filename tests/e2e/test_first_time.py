"""The first time: who reads nothing but the one filled button of each screen ends at a tuned model that answers."""

from __future__ import annotations

import base64
import csv
import re
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from engine.core.home import Home
from engine.core.settings import Settings, save
from studio.pages.wizard_state import SAMPLE
from studio.theme import LIGHT
from tests.e2e.conftest import SAID, Served, chromium, open_app, start_app, wait_until_said

pytestmark = [pytest.mark.browser, pytest.mark.worker]
BUTTONS = """
    () => [...document.querySelectorAll("flt-semantics-host [role=button]")].map(each => {
      const box = each.getBoundingClientRect();
      const name = each.getAttribute("aria-label") || each.textContent;
      return { name, x: box.x, y: box.y + box.height / 2, width: box.width };
    }).filter(each => each.width > 0 && each.y > 0 && each.y < innerHeight)
"""
COLORS = """
    async ({ png, points }) => {
      const bytes = Uint8Array.from(atob(png), each => each.charCodeAt(0));
      const picture = await createImageBitmap(new Blob([bytes]));
      const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
      canvas.drawImage(picture, 0, 0);
      const scale = picture.width / innerWidth;
      return points.map(([x, y]) => [...canvas.getImageData(x * scale, y * scale, 1, 1).data].slice(0, 3));
    }
"""
INSET = 6
"""Pixels from a button's left edge to where only its ground is seen."""
PATIENCE = 10
"""Seconds after which a person presses again."""
OTHER_SAMPLE = """
from pathlib import Path
from engine.library import Library
Library.samples = lambda self: (Path({!r}),)
"""
PROGRESS = re.compile(r"\d+ % done")
END = "/playground/"
ACTION = [int(LIGHT.action[place : place + 2], 16) for place in (1, 3, 5)]


def short_sample(folder: Path) -> Path:
    """A twentieth of the sample in a file of its name: trained on in seconds, if it answers no better."""
    with (Path(str(files("assets"))) / "samples" / SAMPLE).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    short = folder / SAMPLE
    with short.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows[: len(rows) // 20])
    return short


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app that nobody has used yet, with a shorter sample: the whole one is trained on where the README is run."""
    chromium()
    place = tmp_path_factory.mktemp("first")
    home = Home.open(place / "home")
    save(home.settings, Settings(idle_host_seconds=20, theme="light", motion="reduced"))
    app = start_app(home.path, before=OTHER_SAMPLE.format(str(short_sample(place))))
    yield app
    app.process.terminate()
    app.process.wait(20)


def filled(page: Any) -> list[dict[str, Any]]:
    """The buttons on the screen whose ground has the colour of the main action; none while the screen changes."""
    buttons = page.evaluate(BUTTONS)
    points = [[round(each["x"]) + INSET, round(each["y"])] for each in buttons]
    colors = page.evaluate(COLORS, {"png": base64.b64encode(page.screenshot()).decode(), "points": points})
    if page.evaluate(BUTTONS) != buttons:
        return []
    return [each for each, color in zip(buttons, colors, strict=True) if _near(color)]


def _near(color: list[int]) -> bool:
    return all(abs(one - other) < 12 for one, other in zip(color, ACTION, strict=True))


def press_the_one(page: Any, before: str, seconds: float) -> str:
    """Wait until there is a main button other than the one before, and press it; there may be no second.

    It fails after these seconds without one and without a step of the training, however slow the machine. One that is
    still there after a while did not hear it, and is pressed again. Nothing, where the way has ended.
    """
    begun, last = time.monotonic(), []
    moved, share = begun, ""
    while time.monotonic() < moved + seconds:
        if END in page.url:
            return ""
        found = filled(page)
        twice, last = found == last, found  # names change a moment before the picture does
        if found and twice and (found[0]["name"] != before or time.monotonic() > begun + PATIENCE):
            assert len(found) == 1, [each["name"] for each in found]
            page.mouse.click(found[0]["x"] + found[0]["width"] / 2, found[0]["y"])
            page.mouse.move(700, 5)  # under the pointer its ground is darker
            return found[0]["name"]
        done = "".join(PROGRESS.findall(page.evaluate(SAID)))
        if done != share:
            moved, share = time.monotonic(), done
        page.wait_for_timeout(2000 if done else 500)  # nothing is to be pressed while it trains
    raise AssertionError(f"no other main button after “{before}” at {page.url}: {page.evaluate(SAID)}")


def test_who_reads_only_the_main_button_ends_at_an_answer(browser: Any, empty: Served) -> None:
    page, seen = open_app(browser, empty)
    pressed = [""]
    while END not in page.url:
        pressed.append(press_the_one(page, pressed[-1], 240))
        assert len(pressed) < 8, pressed
        page.wait_for_timeout(300)
    wait_until_said(page, "Ask something", seconds=30)
    page.get_by_role("button", name=re.compile(r"[?.…]$")).first.click()  # the field offers what to ask
    wait_until_said(page, r"\d+ tokens in .* tokens/s", times=2, seconds=60)
    assert list(dict.fromkeys(filter(None, pressed))) == [
        "Try it with sample data, about a minute",
        "Start training",
        "Talk to it",
    ]
    wait_until_said(page, "starter model's answer")
    wait_until_said(page, r"v1\.0\.0 model's answer")
    page.context.close()
    assert seen.foreign == [] and seen.errors == []
    assert empty.complaints() == []
