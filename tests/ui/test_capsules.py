"""A capsule on the screen: looked through, refused when it is not whole, and run again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import flet as ft
import pytest

from engine.results import capsule
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, dataset, furnish

pytestmark = pytest.mark.anyio
FIELD = "Path of a capsule on this computer"


@pytest.fixture
def packed(engine: FakeEngine, tmp_path: Path) -> Path:
    """A capsule of a version."""
    home = furnish(engine)
    version = a_version(home, "run-1", data=dataset(home))
    target = tmp_path / "support.capsule.zip"
    capsule.make(home.outcomes.folder, version, home.home.runs, home.home.datasets, target, rows=True)
    return target


async def test_a_sound_capsule_says_what_it_is_and_is_run_again(show, engine: FakeEngine, packed: Path, monkeypatch):
    asked: list[Path] = []

    async def reproduce(path: Path) -> str:
        asked.append(path)
        return "again"

    monkeypatch.setattr(engine, "reproduce", reproduce, raising=False)
    client = await show("/capsule")
    await client.type(FIELD, str(packed))
    await client.press("Look through it")
    await client.until(lambda: client.says("Sound."))
    for words in ("support v1.0.0", "with its rows", "validation loss 0.7"):
        assert client.says(words), words
    await client.press("Run it again")
    await client.until(lambda: client.page.route == "/runs/again")
    assert asked == [packed]


async def test_a_changed_capsule_is_not_run(show, packed: Path):
    with zipfile.ZipFile(packed) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[next(name for name in parts if "adapter" in name)] += b"!"
    with zipfile.ZipFile(packed, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    client = await show("/capsule")
    await client.type(FIELD, str(packed))
    await client.press("Look through it")
    await client.until(lambda: client.says("Not whole: do not trust it."))
    assert not client.find(ft.FilledButton, content="Run it again")


async def test_what_is_no_capsule_is_explained(show, tmp_path: Path):
    (tmp_path / "notes.zip").write_text("no")
    client = await show("/capsule")
    for path in (tmp_path / "notes.zip", tmp_path / "nothing.zip"):
        await client.type(FIELD, str(path))
        await client.press("Look through it")
        await client.until(lambda: client.find(ft.TextButton, content="Get help"))


async def test_on_another_machine_no_path_is_asked_for(show):
    client = await show("/capsule", confined=True)
    assert not client.find(ft.TextField, label=FIELD)
    assert client.find(ft.FilledButton, content="Choose a capsule")
