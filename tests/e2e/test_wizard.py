"""The wizard in a real browser: a draft stays with its tab, and is offered later; terms explain themselves on focus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import SAID, Served, ready, visit, wait_until_said

pytestmark = pytest.mark.browser
Press = Callable[[Any, str], None]


def test_a_draft_stays_with_its_tab_and_is_offered_once_that_is_closed(page: Any, press: Press, served: Served) -> None:
    visit(page, "/new")
    press(page, "Creative writing")
    press(page, "Continue to Data")
    wait_until_said(page, "What should it learn from")
    page.wait_for_timeout(1500)  # it is kept a moment after
    page.reload()
    ready(page)
    wait_until_said(page, "What should it learn from", seconds=20)
    other = page.context.new_page()
    other.goto(served.address)
    ready(other)
    wait_until_said(other, "This computer|Try it with sample data", seconds=20)
    other.wait_for_timeout(1500)
    assert "Go on with your draft" not in other.evaluate(SAID)
    page.close()
    wait_until_said(other, "Go on with your draft “Creative writing”", seconds=20)
    press(other, "Go on")
    wait_until_said(other, "What should it learn from", seconds=20)
    assert other.url == f"{served.address}/new"


def test_a_term_is_explained_when_the_keyboard_reaches_it(look: Callable[[str, str], Any]) -> None:
    looked = look("/runs/run-3", "Settings")
    looked.get_by_role("button", name="Settings", exact=True).click()
    looked.wait_for_timeout(500)
    for _ in range(60):
        looked.keyboard.press("Tab")
        looked.wait_for_timeout(80)
        if "Example: 8 learns a tone" in looked.evaluate(SAID):
            return
    pytest.fail(f"no term explained itself: {looked.evaluate(SAID)}")
