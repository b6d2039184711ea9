"""Every screen as people meet it: by role and name, in three widths and two themes, and by keyboard alone.

A screen fails on console errors, foreign requests, complaints of the layout, controls without a name, and whatever
reaches beyond the window's edge.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Served, ready, wait_until_said

pytestmark = pytest.mark.browser
Look = Callable[[str, str], Any]
SIZES = ((1440, 900), (900, 800), (390, 844))
EDGE = (1200, 800)
"""The narrowest window with three columns; its layout is no other in another theme."""
SCREENS = {
    "/": "Recent work",
    "/new": "Chatbot",
    "/data": "Dataset better answers",
    "/data/gone": "This dataset is not here",
    "/runs": "Run Learns to prefer",
    "/runs/run-1": "Paused and asking",
    "/runs/run-2": "Training loss went from",
    "/runs/gone": "There is no such run",
    "/models": "Models",
    "/versions": "2 versions",
    "/versions/shop-2-v1.1.0": "shop v1.1.0",
    "/compare": "Choose 2 to 5",
    "/compare?ids=shop-1-v1.0.0,shop-2-v1.1.0": "What they took",
    "/exports": "No exports yet",
    "/capsule": "Path of a capsule",
    "/playground": "Answering",
    "/help": "First steps",
    "/help/curve": "Reading the curve",
    "/settings": "Appearance",
    "/kit": "Design system",
    "/nowhere": "There is no page at this address",
}
"""Addresses, and what a screen reader says there. Text to select is a disabled text area, which needs no name."""

BLANK = 6_000
"""Bytes that a picture of an empty window does not reach."""

UNNAMED = """
    () => ["[role]", "input", "textarea:not([disabled])"]
      .flatMap(each => [...document.querySelectorAll(`flt-semantics-host ${each}`)])
      .filter(each => ["button", "checkbox", "switch", "radio", "link", "img", "slider", "textbox", "menuitem"]
        .includes(each.getAttribute("role")) || each.tagName === "INPUT" || each.tagName === "TEXTAREA")
      .filter(each => {
        const field = ["INPUT", "TEXTAREA"].includes(each.tagName);
        const own = field ? each.parentElement?.closest("flt-semantics") : null;  // a group around it is no name
        return !(each.getAttribute("aria-label") || each.textContent.trim() || each.getAttribute("aria-description")
          || own?.getAttribute("aria-label"));
      })
      .map(each => each.outerHTML.slice(0, 160))
"""
BEYOND = """
    () => [...document.querySelectorAll('flt-semantics-host [role="button"]')]
      .map(each => [each.textContent || each.getAttribute("aria-label"), each.getBoundingClientRect()])
      .filter(([words, box]) => box.width > 0 && (box.left < -1 || box.right > innerWidth + 1))
      .map(([words, box]) => `${words} ${Math.round(box.left)}..${Math.round(box.right)}`)
"""
FOCUSED = """
    () => { const now = document.activeElement?.closest("flt-semantics") ?? document.activeElement;
      return now?.getAttribute("aria-label") || now?.textContent || now?.querySelector("input")?.ariaLabel || ""; }
"""


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures of this walk are, for people to look at."""
    return tmp_path_factory.mktemp("pictures")


def pictured(page: Any, path: Path, seconds: float = 10) -> bool:
    """Take a picture once something is painted: words are told to screen readers a moment before."""
    end = time.monotonic() + seconds
    while True:
        page.screenshot(path=path)
        if path.stat().st_size > BLANK or time.monotonic() > end:
            return path.stat().st_size > BLANK
        page.wait_for_timeout(300)


def settled(page: Any, script: str, seconds: float = 5) -> list[str]:
    """What a script still finds when the layout has had time to follow the window."""
    end = time.monotonic() + seconds
    while (found := page.evaluate(script)) and time.monotonic() < end:
        page.wait_for_timeout(200)
    return found


@pytest.mark.parametrize("route", SCREENS)
def test_a_screen_is_whole_in_every_width_and_theme(glance: Look, pictures: Path, route: str) -> None:
    looked = glance(route, re.escape(SCREENS[route]))
    dark = looked.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for theme in ("dark", "light") if dark else ("light", "dark"):  # first as it is: another theme is drawn anew
        looked.emulate_media(color_scheme=theme)
        for width, height in (*SIZES, EDGE) if theme == "light" else SIZES:
            looked.set_viewport_size({"width": width, "height": height})
            looked.wait_for_timeout(350)
            assert settled(looked, UNNAMED) == [], (width, theme)
            assert settled(looked, BEYOND) == [], (width, theme)
            name = f"{route.strip('/').replace('/', '-').partition('?')[0] or 'home'}-{width}-{theme}.png"
            assert pictured(looked, pictures / name), (width, theme)


def test_settings_are_found_by_their_names(glance: Look) -> None:
    looked = glance("/settings", "Notifications")
    named = (
        ("switch", "Do not disturb"),
        ("switch", "Side bar"),
        ("textbox", "Electricity price"),
        ("button", "Theme"),
    )
    for role, name in named:
        looked.get_by_role(role, name=name).first.wait_for(timeout=10_000)


def press_until(page: Any, key: str, condition: Any, seconds: float = 15) -> None:
    """Press a key until it is so: Flutter hears keys a moment after its first picture."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{key} did not do it"
        page.keyboard.press(key)
        page.wait_for_timeout(400)


def test_a_run_is_found_paused_and_explained_without_a_mouse(look: Look) -> None:
    looked = look("/", "Home")
    press_until(looked, "Control+P", lambda: looked.get_by_role("textbox").count() > 0)
    looked.wait_for_timeout(500)
    looked.keyboard.type("lrnpref", delay=40)
    wait_until_said(looked, "1 found", seconds=10)
    looked.keyboard.press("Enter")
    looked.wait_for_url(re.compile("/runs/run-2"), timeout=10_000)
    wait_until_said(looked, "Training loss went from", seconds=10)
    looked.keyboard.press("F1")
    wait_until_said(looked, "Keyboard shortcuts", seconds=10)
    looked.keyboard.press("Escape")
    looked.wait_for_timeout(600)
    seen = set()
    for _ in range(40):
        looked.keyboard.press("Tab")
        looked.wait_for_timeout(60)
        seen.add(looked.evaluate(FOCUSED))
    assert any("Pause" in each for each in seen), seen
    assert any("Stop" in each for each in seen), seen


def test_a_reload_returns_to_the_same_place(look: Look) -> None:
    looked = look("/runs/run-1", "Paused and asking")
    looked.reload()
    ready(looked)
    wait_until_said(looked, "Paused and asking", seconds=20)
    assert looked.url.endswith("/runs/run-1")
    before = looked.get_by_role("button", name="Hide the lists").count()
    for lists in ("Show", "Hide") if before else ("Hide", "Show"):  # drawn at once: it is not taken for a hidden page
        looked.keyboard.press("Control+b")
        looked.get_by_role("button", name=f"{lists} the lists").wait_for(timeout=3000)


def test_a_log_is_taken_along_as_a_file(look: Look, furnished: Served, press: Any) -> None:
    words = "INFO a line of the log, with <b>markup</b> and שלום\n"
    (furnished.home / "runs" / "run-1" / "log.txt").write_text(words, encoding="utf-8")
    looked = look("/runs/run-1", "Paused and asking")
    looked.set_viewport_size({"width": 1440, "height": 2000})  # all of the page is seen, and so read out
    looked.get_by_role("button", name="Log", exact=True).click()
    wait_until_said(looked, "a line of the log", seconds=20)
    with looked.expect_download(timeout=20_000) as taken:
        press(looked, "Download")
    assert taken.value.suggested_filename == "run-1.log"
    assert Path(taken.value.path()).read_text(encoding="utf-8") == words
