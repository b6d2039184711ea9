"""The login in a real browser: the form in small and large, in light and dark, in and out again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from engine.core.home import Home
from studio.accounts import Accounts
from tests.e2e.conftest import Served, chromium, ready, start_app, wait_until_said, watch

pytestmark = pytest.mark.browser
WORDS = "four plain words here"
STRANGER = "nobody"
"""Who fails to come in: ada's own failures would make her wait."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app that asks for an account."""
    chromium()
    home = Home.open(tmp_path_factory.mktemp("guarded") / "home")
    Accounts(home.path).set("ada", WORDS)
    app = start_app(home.path, "login")
    yield app
    app.process.terminate()
    app.process.wait(20)


def sign_in(page: Any, password: str = WORDS) -> None:
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("width", [320, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_fits_and_is_readable_and_usable_by_keyboard(browser: Any, guarded: Served, width: int, scheme: Any):
    context = browser.new_context(viewport={"width": width, "height": 640}, color_scheme=scheme)
    page = context.new_page()
    seen = watch(page, guarded.address)
    page.goto(f"{guarded.address}/runs")
    assert page.url == f"{guarded.address}/login?next=%2Fruns"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.activeElement.id") == "name"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(11, 16, 32)")
    page.keyboard.type(STRANGER)
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    assert "not right" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Name").input_value() == STRANGER
    assert seen.foreign == [] and [each for each in seen.errors if "401" not in each] == []
    context.close()


def test_one_comes_in_where_one_wanted_to_go_and_out_again(browser: Any, guarded: Served):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    seen = watch(page, guarded.address)
    page.goto(f"{guarded.address}/settings")
    sign_in(page)
    ready(page)
    assert page.url == f"{guarded.address}/settings"
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click(timeout=30_000)
    page.wait_for_url(f"{guarded.address}/login**", timeout=20_000)
    page.get_by_label("Password").wait_for()
    page.wait_for_load_state("networkidle")  # the page that was left goes there, too, when its socket is closed
    page.goto(f"{guarded.address}/runs")
    assert page.url.endswith("/login?next=%2Fruns")
    assert seen.foreign == [] and seen.errors == []
    context.close()


def test_another_password_asks_for_it_and_returns_to_the_same_place(browser: Any, guarded: Served):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{guarded.address}/data")
    sign_in(page)
    ready(page)
    wait_until_said(page, "Import data", seconds=30)
    Accounts(guarded.home).set("ada", WORDS + "!")
    page.wait_for_url(f"{guarded.address}/login?next=%2Fdata", timeout=30_000)
    sign_in(page, WORDS + "!")
    ready(page)
    wait_until_said(page, "Import data", seconds=30)
    assert page.url == f"{guarded.address}/data"
    Accounts(guarded.home).set("ada", WORDS)
    context.close()


HIDE = """
    () => {
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }
"""


def test_the_app_hears_when_a_page_is_hidden(browser: Any, guarded: Served):
    """What it does then is in tests/ui/test_power.py."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    sent: list[bytes] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.goto(guarded.address)
    sign_in(page)
    ready(page)
    wait_until_said(page, "No run active", seconds=30)
    page.evaluate(HIDE)
    end = time.monotonic() + 20
    while not any(b"app_lifecycle_state_change" in each and b"hide" in each for each in sent):
        assert time.monotonic() < end, "nothing was heard of it"
        page.wait_for_timeout(100)
    context.close()
