"""The library of datasets in a real browser: a file is uploaded, looked at, mended by one press, a row is hidden."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Served, wait_until_said

pytestmark = pytest.mark.browser
Press = Callable[[Any, str], None]


def write_csv(path: Path) -> Path:
    """Questions and answers; six of them were read in the wrong encoding."""
    rows = [f"Do you have plum number {n} today?,Yes we have it and it is fresh and ripe {n}." for n in range(60)]
    rows += [f"Where is cafÃ© number {n} in town?,The cafÃ© is in street number {n} on the left." for n in range(6)]
    path.write_text("question,answer\n" + "\n".join(rows), encoding="utf-8")
    return path


def upload(page: Any, press: Press, file: Path) -> None:
    """Choose a file with the browser's own dialog."""
    with page.expect_file_chooser(timeout=30_000) as chooser:
        press(page, "Choose a file")
    chooser.value.set_files(str(file))


def test_an_uploaded_file_becomes_a_dataset_that_can_be_read_and_mended(
    page: Any, press: Press, served: Served, tmp_path: Path
) -> None:
    press(page, "Data")
    press(page, "Import data")
    upload(page, press, write_csv(tmp_path / "plums.csv"))
    wait_until_said(page, "66 rows of questions with answers")
    for words in ("question", "instruction", "output", "damaged characters"):  # the mapping, and what was found
        wait_until_said(page, words)
    kept = list((served.home / "uploads").rglob("plums.csv"))
    assert [each.read_bytes() for each in kept] == [(tmp_path / "plums.csv").read_bytes()]
    press(page, "Import plums.csv")
    page.wait_for_url(re.compile("/data/.+"), timeout=30_000)
    wait_until_said(page, r"\d+ of 66 rows score 85 points or more")
    wait_until_said(page, "Lengths. Half have up to")
    imported = page.url

    press(page, "As a model sees it")
    wait_until_said(page, "Half of the rows have at most")
    wait_until_said(page, "learned from; everything else is only read")
    wait_until_said(page, r"row \d+: \d+ tokens, \d+ learned", times=5)

    press(page, "Findings")
    press(page, "Repair these characters")
    page.wait_for_url(lambda url: "/data/" in url and url != imported, timeout=60_000)
    wait_until_said(page, "1. characters repaired")
    mended = page.url

    page.get_by_role("button", name="Rows", exact=True).click()
    press(page, "Row 1")
    press(page, "Hide 1 row")
    page.wait_for_url(lambda url: "/data/" in url and url != mended, timeout=60_000)
    wait_until_said(page, r"Hidden \(1\)")
    press(page, "Versions and files")
    press(page, "What changed")
    wait_until_said(page, "removed")
    press(page, "All data")
    wait_until_said(page, "Dataset plums", times=3)
