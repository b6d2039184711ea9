"""Two windows that change one thing: both see the newest, the later one is told, and nothing is lost without a word."""

from __future__ import annotations

import asyncio
from pathlib import Path

import flet as ft
import msgspec
import pytest

from engine.core.settings import Settings
from engine.spec.files import write_struct
from engine.spec.records import Control, RunState
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, furnish

pytestmark = pytest.mark.anyio


def snacks(client: Client) -> list[ft.SnackBar]:
    return [each for each in client.page._dialogs.controls if isinstance(each, ft.SnackBar) and each.action]


async def test_two_windows_change_two_settings_and_both_are_kept(show, engine: FakeEngine):
    one, two = await show("/settings"), await show("/settings")
    switch = one.find(ft.Switch)[0]  # the side bar's
    task = asyncio.create_task(two.event(two.find(ft.DropdownM2)[0], "change", "dark"))
    await one.event(switch, "change", True)
    await task
    assert engine.settings.value == msgspec.structs.replace(Settings(), theme="dark", side_bar=True)
    await one.until(lambda: one.find(ft.DropdownM2)[0].value == "dark")
    await two.until(lambda: two.find(ft.Switch)[0].value is True)


async def test_what_is_being_typed_is_not_taken_away_and_the_later_window_is_told(
    show, engine: FakeEngine, monkeypatch
):
    rested = asyncio.Event()

    async def rest(self: object, seconds: float) -> bool:
        await rested.wait()
        return True

    monkeypatch.setattr("studio.kit.fields._Typing.rested", rest)
    home = furnish(engine)
    version = a_version(home, "run-1")
    one, two = await show(f"/versions/{version.id}"), await show(f"/versions/{version.id}")
    for client in (one, two):
        await client.until(lambda client=client: client.says("About it"))
        await client.press("About it")
        await client.until(lambda client=client: client.find(ft.TextField, label="Notes"))
    typing = asyncio.create_task(two.event(two.find(ft.TextField, label="Notes")[0], "change", "mine"))
    await two.settle()
    await one.type("Notes", "theirs")
    assert home.outcomes.folder.find(version.id).notes == "theirs"
    await two.settle(40)
    assert two.find(ft.TextField, label="Notes")[0].value == "mine"
    rested.set()
    await typing  # the rest after the last key is over
    assert home.outcomes.folder.find(version.id).notes == "mine"
    assert any("changed in another window meanwhile" in each for each in two.toasts())
    (bar,) = snacks(two)
    await two.event(bar.action, "click")
    assert home.outcomes.folder.find(version.id).notes == "theirs"
    await two.until(lambda: two.find(ft.TextField, label="Notes")[0].value == "theirs")


async def test_a_learning_rate_of_another_window_is_told_before_ones_own_is_applied(show, engine: FakeEngine):
    folder = engine.runs.make("Shop", RunState.RUNNING, steps=10)
    one = await show("/runs/run-1")
    field = one.find(ft.TextField, label="Peak learning rate")[0]
    peak = str(field.value)
    await one.type("Peak learning rate", "0.0005")
    await one.until(lambda: not one.find(ft.OutlinedButton, content="Apply")[0].disabled)
    write_struct(folder.control_file, Control(seq=1, attempt=0, learning_rate=0.0007))
    live = engine.runs.live("run-1")
    live.view.set(msgspec.structs.replace(live.view.value, step=11))
    await one.until(
        lambda: one.says("Peak learning rate: 0.0007 was applied in another window meanwhile; your 0.0005 was not.")
    )
    assert one.find(ft.OutlinedButton, content="Apply")[0].disabled
    assert peak != "0.0007" and one.find(ft.TextField, label="Peak learning rate")[0].value == "0.0007"


async def test_a_dataset_that_another_window_deletes_says_so_where_it_is_open(
    show, engine: FakeEngine, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("studio.undo.SECONDS", 0.05)
    (tmp_path / "shop.csv").write_text("question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(9)))
    made = await engine.library.add(tmp_path / "shop.csv")
    one, two = await show(f"/data/{made.id}"), await show(f"/data/{made.id}")
    await one.press("Versions and files")
    await one.until(lambda: one.find(ft.OutlinedButton, content="Delete this version"))
    await one.press("Delete this version")
    await one.press("Delete it")
    await two.until(lambda: two.says("This dataset is not here."))
    assert two.says("It was deleted, or belongs to another Home.")
