"""What people and models write is read in its own direction, wherever it stands."""

from __future__ import annotations

import json
from pathlib import Path

import flet as ft
import pytest

from studio.kit import verbatim
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_playground import ask, talking

pytestmark = pytest.mark.anyio
ASKED, ANSWERED, WORSE = "האם יש שזיפים?", "כן, יש לנו שזיפים.", "אולי."


def direction(client: Client, words: str) -> set[bool | None]:
    """The directions of the texts that begin with these words, or have them in a piece of their own."""
    found = set()
    for text in client.find(ft.Text):
        pieces = [str(text.value or ""), *(str(each.text) for each in text.spans or [])]
        if any(words in each for each in pieces):
            found.add(text.rtl)
    return found


def hebrew(folder: Path, **more: str) -> Path:
    file = folder / "hebrew.jsonl"
    row = {"prompt": ASKED, "completion": ANSWERED} if not more else {"prompt": ASKED, **more}
    rows = [{**row, "prompt": f"{ASKED} {number}"} for number in range(30)]
    file.write_text("".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in rows), encoding="utf-8")
    return file


@pytest.mark.parametrize("words, expected", [
    (ASKED, True), ("مرحبا", True), ("12 שזיפים", True), ("Plums שזיפים", False), ("", False), ("12", False),
])  # fmt: skip
def test_a_text_runs_as_its_first_letter_does(words: str, expected: bool):
    assert verbatim(words).rtl is expected


async def test_in_the_playground(show, engine: FakeEngine):
    engine.hosts.host.says = ANSWERED
    client = await talking(show, engine)
    await ask(client, ASKED)
    await client.until(lambda: client.says(ANSWERED) and client.find(ft.IconButton, tooltip="Send"))
    assert direction(client, ASKED) == {True} and direction(client, ANSWERED) == {True}
    await client.press("History")
    await client.until(lambda: any(text.max_lines == 2 for text in client.find(ft.Text, value=ASKED)))
    assert direction(client, ASKED) == {True}
    assert direction(client, "tokens/s") == {False}


async def test_among_the_rows_of_a_dataset(show, engine: FakeEngine, tmp_path: Path):
    dataset = await engine.library.add(hebrew(tmp_path))
    client = await show(f"/data/{dataset.id}")
    await client.press("Rows")
    await client.until(lambda: client.says(ASKED) and client.says(ANSWERED))
    assert direction(client, ASKED) == {True} and direction(client, ANSWERED) == {True}
    await client.press("As a model sees it")
    await client.until(lambda: any(text.spans for text in client.find(ft.Text)))
    assert {text.rtl for text in client.find(ft.Text) if text.spans} == {True}


async def test_a_worse_answer_too(show, engine: FakeEngine, tmp_path: Path):
    dataset = await engine.library.add(hebrew(tmp_path, chosen=ANSWERED, rejected=WORSE))
    client = await show(f"/data/{dataset.id}")
    await client.press("Rows")
    await client.until(lambda: client.says("Worse: "))
    assert direction(client, "Worse: ") == {True}


async def test_before_a_file_is_imported(show, engine: FakeEngine, tmp_path: Path):
    client = await show("/data")
    await client.press("Import data")
    await client.type("Path of a file on this computer", str(hebrew(tmp_path)))
    await client.press("Read this file")
    await client.until(lambda: client.says(ANSWERED))
    assert direction(client, ASKED) == {True} and direction(client, ANSWERED) == {True}
