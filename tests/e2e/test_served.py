"""The served page in a real browser: it opens quickly, is drawn in every width, and lets nobody else in."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.conftest import Served, open_app, ready, watch

pytestmark = pytest.mark.browser
SOCKET = """
    port => new Promise(done => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
      socket.onopen = () => done("open");
      socket.onerror = () => done("refused");
    })
"""


def test_the_first_picture_comes_quickly(browser: Any, served: Served) -> None:
    page, seen = open_app(browser, served)
    page.close()
    page = page.context.new_page()
    start = time.perf_counter()
    page.goto(served.address)
    ready(page)
    spent = time.perf_counter() - start
    page.context.close()
    print(f"first picture after {spent:.2f} s")
    assert spent < 10  # about 1 s on an idle machine
    assert seen.foreign == [] and seen.errors == []


def test_a_page_of_another_origin_gets_no_websocket(page: Any, served: Served) -> None:
    stranger = page.context.new_page()  # the same browser, the same cookie
    stranger.goto("about:blank")
    assert stranger.evaluate(SOCKET, served.port) == "refused"
    assert page.evaluate(SOCKET, served.port) == "open"


def test_a_browser_without_the_cookie_sees_only_what_to_do(browser: Any, served: Served, page: Any) -> None:
    context = browser.new_context()
    stranger = context.new_page()
    seen = watch(stranger, served.address)
    answer = stranger.goto(served.link)
    assert answer is not None and answer.status == 401
    assert "Each link works once" in stranger.inner_text("body")
    assert seen.foreign == []
    context.close()


def test_words_in_other_scripts_end_in_no_error(page: Any, served: Served) -> None:
    page.goto(f"{served.address}/help")
    ready(page)
    page.get_by_label("Search guides and glossary").first.or_(page.get_by_role("textbox").first).click()
    page.keyboard.type("日本語 العربية 🎉 → ≤")
    page.wait_for_timeout(1500)


def test_the_keys_open_pages(page: Any, served: Served) -> None:
    page.get_by_role("button", name="Runs (Alt+Shift+R)").wait_for()
    for _ in range(20):  # Flutter hears keys a moment after its first picture
        page.keyboard.press("Alt+Shift+R")
        page.wait_for_timeout(500)
        if page.url == f"{served.address}/runs":
            return
    pytest.fail(f"the keys did not open the page; it is still {page.url}")
