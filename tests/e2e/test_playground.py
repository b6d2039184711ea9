"""The playground in a real browser: ask, rate, find it in the history, make rows of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.core.home import Home
from engine.data.library import import_file
from engine.results.versions import Version
from tests.e2e.conftest import Served, fill, visit, wait_until_said
from tests.terminal.test_commands import answer
from tests.terminal.test_result_commands import kept

pytestmark = [pytest.mark.browser, pytest.mark.worker]
Press = Callable[[Any, str], None]


def tuned(served: Served, folder: Path) -> Version:
    """A version of the starter model in the Home of the running app, which hears of it by a label."""
    source = folder / "shop.csv"
    lines = [f"Where is my lamp number {i}?,Your lamp number {i} is on its way." for i in range(30)]
    source.write_text("\n".join(["question,answer", *lines]), encoding="utf-8")
    home = Home.open(served.home)
    version = kept(home, import_file(home.datasets, source), "20260101-000000-lamps-aa11", 0.05)
    answer(home.path, "versions", "label", version.id, "--notes", "for talking")
    return version


def test_a_question_is_asked_rated_found_again_and_made_rows_of(
    page: Any, press: Press, served: Served, tmp_path: Path
) -> None:
    version = tuned(served, tmp_path)
    visit(page, f"/playground/{version.id}")
    wait_until_said(page, "Ask something")
    fill(page, "Longest answer", "12")
    fill(page, "Ask both models", "Is the lamp <b>mine</b>?")
    page.keyboard.press("Enter")
    wait_until_said(page, r"\d+ tokens in .* tokens/s", times=2)
    press(page, f"Good answer of {version.title}")
    press(page, "History")
    wait_until_said(page, "1 question, just now, 1 rated")
    wait_until_said(page, re.escape("Is the lamp <b>mine</b>?"))
    press(page, "Make the dataset")
    page.wait_for_url(re.compile("/data/.+"), timeout=30_000)
    wait_until_said(page, "conversations")
