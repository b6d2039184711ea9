"""Notices on the screens: listed always, loud only when wanted, and said in the title."""

from __future__ import annotations

import flet as ft
import msgspec
import pytest

from engine.core.settings import Settings
from engine.monitor.proposal import Proposal
from engine.runs.notices import Kind, Notice
from engine.spec.files import write_struct
from engine.spec.records import Card, Event, RunState, StateRecord
from studio.notifying import loud
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


def move(engine: FakeEngine, folder, state: RunState, step: int, error: Card | None = None) -> None:
    folder.write_state(StateRecord(state=state, step=step, total_steps=200, error=error))
    engine.runs.refresh(folder.id)


async def test_a_quarter_is_listed_and_an_end_is_said_at_once(show, engine: FakeEngine):
    folder = engine.runs.make("Shop", RunState.RUNNING, steps=10)
    client = await show("/data")
    await client.until(lambda: client.page.title == "5 % Shop · PEFT Studio")
    move(engine, folder, RunState.RUNNING, 110)
    await client.until(lambda: client.find(ft.IconButton, tooltip="Notifications, 1 new"))
    assert client.toasts() == []
    move(engine, folder, RunState.FAILED, 120, Card(what="Memory ran out.", why="7 GB needed."))
    await client.until(lambda: client.toasts() == ["Shop: Memory ran out."])
    await client.until(lambda: client.page.title == "(2) PEFT Studio")
    await client.until(lambda: client.find(ft.IconButton, tooltip="Notifications, 2 new"))
    await client.press("Notifications, 2 new")
    await client.until(lambda: client.says("50 % done"))
    assert client.says("Memory ran out.")
    await client.until(lambda: client.page.title == "PEFT Studio")
    await client.press("Clear")
    await client.until(lambda: client.says("No notices."))


async def test_a_notice_opens_its_run(show, engine: FakeEngine):
    folder = engine.runs.make("Shop", RunState.RUNNING, steps=10)
    client = await show("/data")
    move(engine, folder, RunState.COMPLETED, 200)
    await client.until(lambda: client.toasts())
    await client.press("Notifications, 1 new")
    await client.until(lambda: client.says("Done."))
    await client.press("Shop, done: Done.")
    await client.until(lambda: client.page.route == "/runs/run-1")


async def test_do_not_disturb_lists_and_says_nothing(show, engine: FakeEngine):
    engine.save_settings(Settings(do_not_disturb=True))
    folder = engine.runs.make("Shop", RunState.RUNNING, steps=10)
    client = await show("/data")
    move(engine, folder, RunState.FAILED, 20)
    await client.until(lambda: client.find(ft.IconButton, tooltip="Notifications, 1 new"))
    assert client.toasts() == []
    await client.press("Notifications, 1 new")
    await client.until(lambda: client.says("Do not disturb is on: notices wait here."))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("off", ["", "notify_progress", "notify_finished", "notify_problems", "do_not_disturb"])
def test_each_kind_of_notice_has_its_own_switch(kind: Kind, off: str):
    switch = {Kind.PROGRESS: "notify_progress", Kind.FINISHED: "notify_finished"}.get(kind, "notify_problems")
    changes = {"do_not_disturb": True} if off == "do_not_disturb" else {off: False} if off else {}
    settings = msgspec.structs.replace(Settings(), **changes)
    notice = Notice(kind=kind, run="r", title="t", words="w", time=0.0)
    assert loud(notice, settings) is (off not in (switch, "do_not_disturb"))


async def test_what_was_there_before_the_window_opened_is_not_told(show, engine: FakeEngine):
    engine.runs.make("Old", RunState.FAILED, steps=10)
    client = await show("/data")
    await client.settle(40)
    assert client.find(ft.IconButton, tooltip="Notifications") and client.toasts() == []


async def test_a_window_shows_in_the_task_bar_how_far_the_run_is(show, engine: FakeEngine, monkeypatch):
    async def noted(title: str, words: str, *, urgent: bool = False, sound: bool = True) -> None:
        pass

    monkeypatch.setattr("studio.notifying.alert", noted)
    folder = engine.runs.make("Shop", RunState.RUNNING, steps=10)
    client = await show("/")
    client.page.web = False
    move(engine, folder, RunState.RUNNING, 100)
    await client.until(lambda: client.page.window.progress_bar == 0.5)
    move(engine, folder, RunState.COMPLETED, 200)
    await client.until(lambda: client.page.window.progress_bar is None)


async def test_names_with_markup_and_other_scripts_are_shown_as_they_are(show, engine: FakeEngine):
    name = "<script>alert(1)</script> שלום " + "x" * 300
    folder = engine.runs.make(name, RunState.RUNNING, steps=10)
    client = await show("/runs/run-1")
    assert client.says(name)
    move(engine, folder, RunState.COMPLETED, 200)
    await client.until(lambda: client.toasts() == [f"{name}: Done."])


async def test_a_run_that_proposes_something_while_it_goes_on_says_so_everywhere(show, engine: FakeEngine, monkeypatch):
    shown: list[tuple[str, str, bool]] = []

    async def noted(title: str, words: str, *, urgent: bool = False, sound: bool = True) -> None:
        shown.append((title, words, urgent and sound))

    monkeypatch.setattr("studio.notifying.alert", noted)
    folder = engine.runs.make("Shop", RunState.RUNNING, steps=10)
    client = await show("/data")
    client.page.web = False
    write_struct(
        folder.proposal_file,
        Proposal(attempt=0, card=Card(what="The loss stands still.", why="w"), changes=(), roll_back_to=None),
    )
    with folder.events_file.open("ab") as file:
        file.write(msgspec.json.encode(Event(kind="proposal", time=1.0, attempt=0, step=10, message="m")) + b"\n")
    engine.runs.refresh(folder.id)
    await client.until(lambda: client.toasts() == ["Shop: The loss stands still."])
    await client.until(lambda: client.page.title == "(1) Shop asks · PEFT Studio")
    await client.until(lambda: shown == [("Shop", "The loss stands still.", True)])
    await client.press("Notifications, 1 new")
    await client.press("Shop, asks: The loss stands still.")
    await client.until(lambda: client.page.route == "/runs/run-1")
