"""The library of datasets in a real browser: a file is imported, looked at, and mended by one press."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import fill, wait_until_said

pytestmark = pytest.mark.browser
Press = Callable[[Any, str], None]


def write_csv(path: Path) -> Path:
    """Questions and answers; six of them were read in the wrong encoding."""
    rows = [f"Do you have plum number {n} today?,Yes we have it and it is fresh and ripe {n}." for n in range(60)]
    rows += [f"Where is cafÃ© number {n} in town?,The cafÃ© is in street number {n} on the left." for n in range(6)]
    path.write_text("question,answer\n" + "\n".join(rows), encoding="utf-8")
    return path


def test_a_file_becomes_a_dataset_that_can_be_read_and_mended(page: Any, press: Press, tmp_path: Path) -> None:
    press(page, "Data")
    press(page, "Import data")
    fill(page, "Path of a file on this computer", str(write_csv(tmp_path / "plums.csv")))
    press(page, "Read this file")
    page.get_by_text("66 rows of questions with answers").first.wait_for(timeout=30_000)
    press(page, "Import plums.csv")
    page.wait_for_url(re.compile("/data/.+"), timeout=30_000)
    wait_until_said(page, "Half of the rows have at most")
    imported = page.url

    press(page, "Repair these characters")
    page.wait_for_url(lambda url: "/data/" in url and url != imported, timeout=60_000)
    wait_until_said(page, "1. characters repaired")
    press(page, "All data")
    wait_until_said(page, "Dataset plums", times=2)
