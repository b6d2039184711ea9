"""Words of other scripts in a real browser: what Flutter asks for to draw them is answered from this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from studio.web import assets_folder
from tests.e2e.conftest import wait_until_said

pytestmark = pytest.mark.browser
TITLE = "بيانات שאלות 数据"
FAMILIES = {"notosansarabic", "notosanshebrew", "notosanssc"}


def write_rows(path: Path) -> Path:
    rows = [f"ما هو السؤال رقم {n}؟,这是第{n}个问题的答案 והתשובה היא {n}." for n in range(40)]
    path.write_text("question,answer\n" + "\n".join(rows), encoding="utf-8")
    return path


def families(addresses: Iterable[str]) -> set[str]:
    return {address.split("/fonts/")[1].split("/")[0] for address in addresses}


def test_a_dataset_in_arabic_hebrew_and_chinese_is_drawn_with_our_fonts(
    page: Any, press: Callable[[Any, str], None], tmp_path: Path
) -> None:
    fonts: dict[str, Any] = {}
    failed: list[str] = []
    page.on("response", lambda each: fonts.update({each.url: each}) if "/fonts/noto" in each.url else None)
    page.on("requestfailed", lambda each: failed.append(each.url) if "/fonts/noto" in each.url else None)
    press(page, "Data")
    press(page, "Import data")
    with page.expect_file_chooser(timeout=30_000) as chooser:
        press(page, "Choose a file")
    chooser.value.set_files(str(write_rows(tmp_path / f"{TITLE}.csv")))
    wait_until_said(page, "40 rows of questions with answers")
    press(page, f"Import {TITLE}.csv")
    page.wait_for_url(re.compile("/data/.+"), timeout=30_000)
    wait_until_said(page, TITLE)
    end = time.monotonic() + 10
    while not families(fonts) >= FAMILIES and time.monotonic() < end:
        page.wait_for_timeout(200)
    page.wait_for_timeout(500)
    assert families(fonts) >= FAMILIES
    assert failed == []
    inter = (assets_folder() / "fonts" / "Inter-400.ttf").read_bytes()
    assert [url for url, answer in fonts.items() if answer.status != 200 or answer.body() == inter] == []
