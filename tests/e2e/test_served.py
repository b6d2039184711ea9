"""The served page in a real browser: it opens quickly, is drawn in every width, and lets nobody else in."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.conftest import Served, open_app, ready, visit, wait_until_said, watch

pytestmark = pytest.mark.browser
KEPT_SOCKETS = """
    window.sockets = [];
    const Plain = WebSocket;
    window.WebSocket = class extends Plain {
      constructor(...words) { super(...words); window.sockets.push(this); }
    };
"""
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


@pytest.mark.parametrize("read_out", [True, False])
def test_a_lost_connection_comes_back_to_the_same_place(browser: Any, served: Served, page: Any, read_out: bool):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, storage_state=served.state)
    cut = context.new_page()
    seen = watch(cut, served.address)
    cut.add_init_script(KEPT_SOCKETS)
    cut.goto(f"{served.address}/help/runs")
    cut.wait_for_selector("flt-semantics-placeholder", state="attached", timeout=60_000)
    if read_out:
        ready(cut)
        wait_until_said(cut, "Close the app at any time", seconds=20)
    else:
        cut.wait_for_timeout(2000)
    with cut.expect_navigation(timeout=20_000):  # it is loaded anew
        cut.evaluate("sockets.at(-1).close()")
    if read_out:  # and read out again without being asked to
        cut.wait_for_selector("flt-semantics-host flt-semantics", state="attached", timeout=60_000)
    else:
        ready(cut)
    wait_until_said(cut, "Close the app at any time", seconds=20)
    cut.keyboard.press("F1")
    wait_until_said(cut, "Keyboard shortcuts", seconds=10)
    assert seen.foreign == [] and seen.errors == []
    context.close()


def test_the_client_paints_in_a_thread_of_its_own(page: Any) -> None:
    assert page.evaluate("crossOriginIsolated")
    wait_until_said(page, "Home")  # with a first picture there is who painted it
    assert len(page.workers) == 1


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
    visit(page, "/help")
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
