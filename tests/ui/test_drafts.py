"""Drafts of the wizard outlive their window: kept, offered, gone on with where something is missing, discarded."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import flet as ft
import msgspec
import pytest

from engine.core.errors import StorageError
from engine.plan.models import starter_path
from engine.runs.drafts import KeptDraft
from studio.app import open_page
from studio.drafting import DraftKeeper, go_on, hold
from studio.session import DATA, MODEL, REVIEW, SETTINGS, USE_CASE, Session
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, dataset, furnish
from tests.ui.test_runs import undo
from tests.ui.test_wizard import at_data, at_settings, pairs, read

pytestmark = pytest.mark.anyio
OFFER = "Go on with your draft"


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.app.LOOK_SECONDS", 0.02)


@pytest.fixture
async def restart(engine: FakeEngine) -> AsyncIterator[Callable[..., Any]]:
    """Ends the app, starts it again in the same Home, and opens a window of it at an address."""
    started: list[FakeEngine] = []
    windows: list[Client] = []

    async def again(route: str = "/", *, web: bool = True, width: int = 1440) -> tuple[Client, FakeEngine]:
        engine.store.close()
        later = FakeEngine(engine.home.path)
        await later.drafts.open()
        started.append(later)
        client = Client(route, width)
        windows.append(client)
        client.page.web = web
        open_page(client.page, later)  # type: ignore[arg-type]
        await client.settle(30)
        return client, later

    yield again
    for client in windows:
        assert client.crashed() == []
        client.session.close()
        client.dispose()
    for later in started:
        later.store.close()


def kept_with(engine: FakeEngine, **more: Any) -> KeptDraft:
    """A draft of which everything is there."""
    usual = KeptDraft(
        id="d1", changed=time.time() - 90_000, step=REVIEW, profile="question-answering", model=str(starter_path())
    )
    return msgspec.structs.replace(usual, **more)


def says(client: Client, words: str) -> Callable[[], bool]:
    return lambda: client.says(words)


async def close(client: Client) -> None:
    """Close the tab; its session waits for it for a while."""
    await client.session.disconnect(900)
    await client.settle()


async def test_after_a_restart_the_draft_is_offered_and_gone_on_with(show, engine: FakeEngine, tmp_path, restart):
    before = await at_settings(show, tmp_path)
    await before.type("Epochs", "3")
    await before.until(lambda: engine.drafts.all.value and engine.drafts.all.value[0].edits)
    client, _ = await restart()
    await client.until(says(client, f"{OFFER} “mine”"))
    assert client.says("Step Settings, edited just now")
    await client.press("Go on")
    await client.until(lambda: client.find(ft.TextField, label="Epochs"), 10)
    assert client.find(ft.TextField, label="Epochs")[0].value == "3"
    assert client.page.route == "/new" and not client.says("is gone")


@pytest.mark.parametrize(("route", "web"), [("/new", True), ("/", False)], ids=["the same tab", "the window"])
async def test_what_comes_back_after_a_restart_returns_to_its_draft(show, engine, tmp_path, restart, route, web):
    before = await at_settings(show, tmp_path)
    await before.until(lambda: engine.drafts.all.value and engine.drafts.all.value[0].step == SETTINGS)
    client, _ = await restart(route, web=web)
    if not web:
        await client.until(says(client, OFFER))
        await client.press("Fine-tune a model")
    await client.until(says(client, "What matters most"), 10)


async def test_a_file_that_was_only_looked_into_is_looked_into_again(show, engine: FakeEngine, tmp_path, restart):
    before = await at_data(show)
    await read(before, pairs(tmp_path))
    await before.until(lambda: engine.drafts.all.value and engine.drafts.all.value[0].path)
    client, _ = await restart("/new")
    await client.until(says(client, "40 rows of questions with answers"), 10)
    assert not client.find(ft.FilledButton, content="Use this data")[0].disabled


async def test_a_second_window_is_not_offered_what_the_first_has_open(show, engine: FakeEngine):
    first = await show("/new")
    await first.press("Chatbot")
    await first.until(lambda: engine.drafts.all.value)
    second = await show("/")
    assert not second.says(OFFER)
    await close(first)
    await second.until(says(second, f"{OFFER} “Chatbot”"))
    await second.press("Go on")
    await second.until(lambda: second.find(ft.FilledButton, content="Continue to Data", disabled=False))


async def test_a_new_window_is_offered_the_draft_at_the_first_step_too(show, engine: FakeEngine):
    await engine.drafts.keep(kept_with(engine, name="plums", model="", step=DATA))
    client = await show("/")
    await client.go("/new")
    await client.until(says(client, f"{OFFER} “plums”"))
    assert client.says("Step Data, edited 1 day ago")
    await client.press("Chatbot")  # one's own draft is begun, and the other waits
    await client.until(lambda: not client.says(OFFER))
    assert {each.profile for each in engine.drafts.all.value} >= {"question-answering"}


async def test_what_was_started_is_offered_no_more(show, engine: FakeEngine, tmp_path):
    client = await at_settings(show, tmp_path)
    await client.until(lambda: engine.drafts.all.value)
    await client.press("Continue to Review")
    await client.press("Start training")
    await client.until(lambda: engine.started and not engine.drafts.all.value)
    await client.go("/")
    assert not client.says(OFFER)


async def test_the_form_is_emptied_only_once_the_run_is_shown(show, tmp_path, monkeypatch):
    client = await at_settings(show, tmp_path)
    shown: list[str] = []
    empty = Session.start_over

    def noted(session: Session, **changes: Any) -> None:
        shown.append(client.page.route)
        empty(session, **changes)

    monkeypatch.setattr(Session, "start_over", noted)
    await client.press("Continue to Review")
    await client.press("Start training")
    await client.until(lambda: shown)
    assert shown == ["/runs/run-1"]


@pytest.mark.parametrize("undone", [True, False], ids=["undone", "left at that"])
async def test_a_draft_is_discarded_and_that_can_be_undone(show, engine: FakeEngine, monkeypatch, undone: bool):
    monkeypatch.setattr("studio.undo.SECONDS", 0.3)
    client = await show("/new")
    await client.press("Chatbot")
    await client.go("/")
    await client.until(says(client, OFFER))
    pressed = asyncio.create_task(client.press("Discard"))
    await client.until(lambda: not client.says(OFFER))
    if undone:
        await undo(client)
        await client.until(says(client, OFFER))
    await pressed
    assert bool(engine.drafts.all.value) is undone
    await client.go("/new")
    assert client.find(ft.FilledButton, content="Continue to Data")[0].disabled


async def test_a_tab_that_comes_back_late_goes_on_with_a_draft_of_its_own(engine: FakeEngine):
    tab, other = Session(), Session()
    keeper = DraftKeeper(engine, tab)  # type: ignore[arg-type]
    tab.edit(profile="chatbot")
    await keeper.look(True)
    mine = tab.wizard.value.id
    await keeper.look(False)
    assert await go_on(engine, other, engine.drafts.all.value[0])  # type: ignore[arg-type]
    tab.edit(name="mine")
    await keeper.look(True)
    assert other.wizard.value.id == mine and tab.wizard.value.id != mine
    assert {(each.id, each.name) for each in engine.drafts.all.value} == {(mine, ""), (tab.wizard.value.id, "mine")}
    assert not hold(engine, Session(), mine)  # type: ignore[arg-type]


async def test_opening_a_draft_is_no_edit(engine: FakeEngine):
    kept = kept_with(engine)
    await engine.drafts.keep(kept)
    session = Session()
    keeper = DraftKeeper(engine, session)  # type: ignore[arg-type]
    await go_on(engine, session, kept)  # type: ignore[arg-type]
    await keeper.look(True)
    assert engine.drafts.all.value == (kept,)


GONE = {
    "use case": ({"profile": "weaving"}, USE_CASE, "use case is not offered any more"),
    "dataset": ({"dataset": "d-1", "dataset_name": "plums"}, DATA, "The dataset plums is gone."),
    "file": ({"path": "/nowhere/plums.csv"}, DATA, "The file /nowhere/plums.csv is gone."),
    "model": ({"model": "/nowhere/llama"}, MODEL, "The model llama is gone."),
    "version": (
        {"parent": "v-1", "parent_title": "plums v1.0.0"},
        MODEL,
        "Training cannot go on from plums v1.0.0 any more",
    ),
}


@pytest.mark.parametrize(("changes", "step", "words"), GONE.values(), ids=GONE.keys())
async def test_what_is_gone_meanwhile_is_said_at_its_step(show, engine: FakeEngine, changes, step, words):
    furnish(engine)
    made = dataset(engine)
    usual = {} if "path" in changes else {"dataset": made.id}
    await engine.drafts.keep(kept_with(engine, **{**usual, **changes}))
    client = await show("/new")
    await client.until(says(client, words))
    assert client.says(f"step {step + 1} of 5"), client.words()
    assert client.says("Something of this draft is gone.")


async def test_a_window_of_another_machine_reads_no_file_that_was_named_on_this_one(engine: FakeEngine, tmp_path):
    kept = kept_with(engine, path=str(pairs(tmp_path)), step=DATA)
    await engine.drafts.keep(kept)
    far, near = Session(), Session()
    await go_on(engine, far, kept, confined=True)  # type: ignore[arg-type]
    assert far.wizard.value.inspection is None and far.wizard.value.lost
    hold(engine, far, "")  # type: ignore[arg-type]
    await go_on(engine, near, kept)  # type: ignore[arg-type]
    assert near.wizard.value.inspection is not None and not near.wizard.value.lost


async def test_everything_that_is_gone_is_said_at_once_and_no_more_once_the_step_is_left(show, engine, tmp_path):
    await engine.drafts.keep(kept_with(engine, dataset="d-1", dataset_name="plums", model="/nowhere/llama"))
    client = await show("/new")
    await client.until(says(client, "The dataset plums is gone. The model llama is gone."))
    await read(client, pairs(tmp_path))
    await client.press("Use this data")
    await client.until(lambda: client.find(ft.FilledButton, content="Continue to Model"))
    await client.press("Continue to Model")
    await client.until(lambda: not client.says("is gone"))
    assert client.find(ft.FilledButton, content="Continue to Settings")[0].disabled


async def test_a_model_outside_the_home_is_offered_again(show, engine: FakeEngine, tmp_path):
    furnish(engine)
    shutil.copytree(starter_path(), tmp_path / "elsewhere")
    kept = kept_with(engine, dataset=dataset(engine).id, model=str(tmp_path / "elsewhere"), step=MODEL)
    await engine.drafts.keep(kept)
    client = await show("/new")
    await client.until(lambda: client.find(ft.FilledButton, content="Continue to Settings", disabled=False))
    assert client.find(ft.Semantics, label="elsewhere", selected=True)


async def test_a_draft_goes_on_from_its_version_as_before(engine: FakeEngine):
    version = a_version(furnish(engine), "run-1", data=dataset(engine))
    session, later = Session(), Session()
    keeper = DraftKeeper(engine, session)  # type: ignore[arg-type]
    onward = engine.outcomes.continuation(version.id)
    session.edit(profile="chatbot", model=onward.model_path, method=onward.method, onward=onward)
    await keeper.look(True)
    await keeper.look(False)
    (kept,) = engine.drafts.all.value
    assert (kept.parent, kept.parent_title) == (version.id, version.title)
    await go_on(engine, later, kept)  # type: ignore[arg-type]
    assert later.wizard.value == session.wizard.value


async def test_a_draft_that_cannot_be_kept_is_said_once_and_kept_when_it_can(show, engine: FakeEngine, monkeypatch):
    asked: list[KeptDraft] = []

    async def refuse(draft: KeptDraft) -> None:
        asked.append(draft)
        raise StorageError("The disk is full.", "There was no space left.", "Free some space.")

    with monkeypatch.context() as broken:
        broken.setattr(engine.drafts, "keep", refuse)
        client = await show("/new")
        await client.press("Chatbot")
        await client.until(lambda: len(asked) > 2)
        assert [each for each in client.toasts() if "could not be kept" in each] == [
            "Your draft could not be kept. The disk is full. There was no space left."
        ]
    await client.until(lambda: engine.drafts.all.value)
