"""Settings stand in groups and are found by their words; sizes are sizes; the disk is counted and freed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import flet as ft
import pytest

from engine.core.settings import Settings
from engine.spec.fields import settings_of
from studio.kit.text import STRONG
from studio.theme import BODY, LARGE
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio
SETTINGS = settings_of(Settings)


async def search(client: Any, words: str) -> None:
    await client.type("Search settings", words)


async def test_every_setting_stands_once_under_its_group(show):
    client = await show("/settings")
    for group in dict.fromkeys(each.group for each in SETTINGS.values()):
        assert group and len(client.find(ft.Text, value=group, size=LARGE)) == 1, group
    for each in SETTINGS.values():
        assert len(client.find(ft.Text, value=each.title, size=BODY, font_family=STRONG)) == 1, each.title


async def test_a_search_leaves_what_has_its_words(show):
    client = await show("/settings")
    await search(client, "disturb")
    assert client.says("Do not disturb") and client.says("Notifications")
    assert not client.says("Theme") and not client.says("Keys")
    await search(client, "shortcuts")
    assert client.says("Keys") and not client.says("Do not disturb")
    await search(client, "xyzzy")
    assert client.says("No setting has these words.")


@pytest.mark.parametrize("each", SETTINGS.values(), ids=lambda each: each.name)
async def test_a_setting_is_one_with_its_name_for_a_screen_reader(show, each):
    client = await show("/settings")
    named = client.find(ft.Semantics, label=each.title)
    assert len(named) == 1
    kinds = (ft.Switch, ft.TextField, ft.DropdownM2)
    fields = [one for kind in kinds for one in client.find(kind) if named[0] in parents(one)]
    assert len(fields) == 1
    assert isinstance(named[0].parent, ft.MergeSemantics)


def parents(control: Any) -> list[Any]:
    found = []
    while control.parent is not None:
        control = control.parent
        found.append(control)
    return found


async def test_sizes_are_entered_in_megabytes_and_gigabytes(show, engine: FakeEngine):
    client = await show("/settings")
    await search(client, "after a warning")
    assert client.find(ft.TextField)[1].value == "500"
    await client.event(client.find(ft.DropdownM2)[0], "change", "GB")
    assert client.find(ft.TextField)[1].value == "0.5" and engine.settings.value.warn_file_bytes == 500_000_000
    field = client.find(ft.TextField)[1]
    await client.event(field, "submit", "1.5")
    assert engine.settings.value.warn_file_bytes == 1_500_000_000
    await client.event(client.find(ft.TextField)[1], "submit", "0")
    assert engine.settings.value.warn_file_bytes == 1_500_000_000


def an_old_file(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - 9_000
    os.utime(path, (then, then))


async def test_what_can_be_made_again_is_freed(show, engine: FakeEngine):
    an_old_file(engine.home.answers / "a.jsonl", 3_000_000)
    an_old_file(engine.home.models / "m" / "weights", 7_000_000)
    client = await show("/settings")
    await client.until(lambda: client.says("Kept answers"))
    assert client.says("7.0 MB") and not any("Free 7" in str(each.content) for each in client.find(ft.OutlinedButton))
    await client.press("Free 3.0 MB")
    await client.until(lambda: not client.says("Kept answers"))
    assert client.toasts()[-1] == "3.0 MB are free again."
    assert not (engine.home.answers / "a.jsonl").exists() and (engine.home.models / "m" / "weights").exists()


async def test_another_machine_sees_the_sizes_and_frees_nothing(show, engine: FakeEngine):
    an_old_file(engine.home.answers / "a.jsonl", 3_000_000)
    client = await show("/settings", confined=True)
    await client.until(lambda: client.says("3.0 MB"))
    assert not any("Free" in str(each.content) for each in client.find(ft.OutlinedButton))


@pytest.mark.parametrize("confined, place", [(False, "this computer"), (True, "the machine that PEFT Studio runs on")])
async def test_it_is_said_where_things_stay(show, confined: bool, place: str):
    client = await show("/settings", confined=confined)
    await search(client, "privacy")
    assert client.says(f"stay on {place}")
