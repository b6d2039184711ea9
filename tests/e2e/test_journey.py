"""From a CSV to a tuned model that talks, in a real browser, with real workers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import fill, wait_until_said

pytestmark = [pytest.mark.browser, pytest.mark.worker]
Press = Callable[..., None]


def write_csv(path: Path) -> Path:
    """Little question and answer rows with a rule to learn, one line broken."""
    fruits = ["apple", "pear", "plum", "cherry", "melon", "grape", "lemon", "peach"]
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    rows = [f"Do you have {fruit} on {day}?,Yes. On {day} we have {fruit}." for fruit in fruits for day in days]
    path.write_text("question,answer\n" + "\n".join(rows) + "\nWhat now?,\n")
    return path


def test_from_a_csv_through_the_wizard_to_a_model_that_talks(page: Any, press: Press, tmp_path: Path) -> None:
    press(page, "Fine-tune a model")
    press(page, "Question answering")
    press(page, "Continue to Data")
    fill(page, "Path of a file on this computer", str(write_csv(tmp_path / "shop.csv")))
    press(page, "Read this file")
    page.get_by_text("questions with answers").first.wait_for(timeout=30_000)
    press(page, "Use this data")
    page.get_by_text(re.compile("As .* will see it")).first.wait_for(timeout=30_000)
    press(page, "Continue to Model")
    press(page, "starter")
    press(page, "Continue to Settings")
    page.get_by_label("Rank").first.wait_for(timeout=30_000)
    fill(page, "Epochs", "8")
    press(page, "Continue to Review")
    press(page, "Step 2: Data")
    page.get_by_text("questions with answers").first.wait_for(timeout=5_000)
    press(page, "Step 5: Review")
    press(page, "Start training")
    page.wait_for_url(re.compile("/runs/"), timeout=30_000)

    steps = watch_curve_move(page)
    assert steps[-1] > steps[0]
    press(page, "Pause")
    press(page, "Resume", timeout=60_000)
    wait_until_said(page, "completed", seconds=180)

    press(page, "Talk to it")
    page.wait_for_url(re.compile("/playground/"))
    page.get_by_text("Ask something").first.wait_for(timeout=60_000)
    fill(page, "Ask both models", "Do you have plum on Friday?")
    press(page, "Send")
    wait_until_said(page, r"\d+ tokens in .* tokens/s", times=2, seconds=120)


def watch_curve_move(page: Any, seconds: float = 60) -> list[int]:
    """The steps that the chart's own words name, until two differ."""
    seen: list[int] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(set(seen)) < 2:
        for node in page.get_by_role("img").all():
            found = re.search(r"by step (\d+)", node.get_attribute("aria-label") or "")
            if found:
                seen.append(int(found[1]))
        page.wait_for_timeout(150)
    return seen
