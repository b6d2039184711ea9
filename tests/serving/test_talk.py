"""A conversation going on: replies side by side, stopped, made anew, interrupted by a model that dies; never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from engine.core.errors import DataError, RunError, StorageError
from engine.core.store import Store
from engine.serving import conversations
from engine.serving.conversations import Conversations
from engine.serving.host import gone
from engine.serving.nouns import Speaker
from engine.serving.talk import Talk
from engine.spec.answers import Answering
from tests.serving.made import TUNED, conversation
from tests.ui.fakes import FakeHost

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeModels:
    """One host; a version can be made unusable."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.opened = 0
        self.broken: set[str] = set()

    async def session(self, model_path: Path) -> FakeHost:
        if not self.opened or not self.host.open:
            self.host, self.opened = (self.host if not self.opened else FakeHost()), self.opened + 1
        return self.host

    def adapter(self, version_id: str) -> tuple[Path, bool]:
        if version_id in self.broken:
            raise DataError("The version was changed.", "Its weights are not what they were.", "Restore it.")
        return Path("/versions") / version_id, False


@pytest.fixture
def models() -> FakeModels:
    return FakeModels()


@pytest.fixture
async def talk(tmp_path: Path, models: FakeModels) -> AsyncIterator[Talk]:
    store = Store(tmp_path / "index.duckdb", conversations.MIGRATIONS)
    kept = Conversations(store, tmp_path / "conversations.jsonl")
    tasks: set[asyncio.Task[None]] = set()
    yield Talk(conversation(), kept, models, lambda run: tasks.add(asyncio.create_task(run())), lambda: None)  # type: ignore[arg-type]
    await asyncio.gather(*tasks)
    store.close()


async def settled(talk: Talk) -> None:
    with anyio.fail_after(5):
        async for busy in talk.busy.watch():
            if not busy:
                return


def said(talk: Talk) -> list[tuple[str, str, str]]:
    """The last turn: who, what, and how it ended."""
    return [(each.speaker.id, each.text, each.ended) for each in talk.conversation.value.turns[-1].replies]


async def test_everyone_replies_and_all_of_it_is_kept(talk: Talk, models: FakeModels) -> None:
    await talk.warm()
    await talk.ask("  Plums? ")
    await settled(talk)
    assert sorted(said(talk)) == [("base", "I am a base.", "end"), (TUNED.id, "We have plums.", "end")]
    assert await talk._kept.get("c1") == talk.conversation.value
    assert [adapter for _, adapter, _ in models.host.asked] == [TUNED.id, None]  # people wait for the tuned one


async def test_a_stopped_reply_keeps_what_was_said(talk: Talk, models: FakeModels) -> None:
    models.host.go_on = anyio.Event()
    await talk.ask("Plums?")
    while not all(stream.value.text for stream in talk.streams.value.values()):
        await anyio.sleep(0.001)
    talk.stop()
    await settled(talk)
    assert sorted(said(talk)) == [("base", "I ", "stopped"), (TUNED.id, "We ", "stopped")]
    kept = await talk._kept.get("c1")
    assert kept and [each.ended for each in kept.turns[0].replies] == ["stopped", "stopped"]


async def test_a_model_that_dies_in_the_middle_is_loaded_again_and_only_what_failed_is_asked_again(
    talk: Talk, models: FakeModels
) -> None:
    models.host.dies_after = 2
    await talk.ask("Plums?")
    await settled(talk)
    assert {who: ended for who, _, ended in said(talk)} == {"base": "failed", TUNED.id: "failed"}
    assert all(text.startswith(("I ", "We ")) for _, text, _ in said(talk))  # what was said before stays
    assert "The model has left memory." in talk.conversation.value.turns[0].replies[0].problem
    await talk.again("t-none")
    await talk.again(talk.conversation.value.turns[0].id, failed_only=True)
    await settled(talk)
    assert {ended for _, _, ended in said(talk)} == {"end"}
    assert models.opened == 2


async def test_one_version_that_cannot_be_loaded_does_not_keep_the_others_from_answering(
    talk: Talk, models: FakeModels
) -> None:
    models.broken.add(TUNED.id)
    await talk.warm()
    assert talk.problem.value and talk.problem.value.what == "The version was changed."
    await talk.ask("Plums?")
    await settled(talk)
    assert sorted(said(talk)) == [("base", "I am a base.", "end"), (TUNED.id, "", "failed")]
    models.broken.clear()
    asked = len(models.host.asked)
    await talk.again(talk.conversation.value.turns[0].id, failed_only=True)
    await settled(talk)
    assert sorted(said(talk))[1] == (TUNED.id, "We have plums.", "end")
    assert len(models.host.asked) == asked + 1


async def test_no_model_at_all_is_said_and_the_question_stays(talk: Talk, models: FakeModels) -> None:
    async def nothing(model_path: Path) -> FakeHost:
        raise RunError("There is not enough memory.", "It needs 9 GB.", "Close programs.")

    models.session = nothing  # type: ignore[method-assign]
    await talk.ask("Plums?")
    await settled(talk)
    assert talk.problem.value and talk.problem.value.what == "There is not enough memory."
    assert {ended for _, _, ended in said(talk)} == {"failed"}
    assert talk.conversation.value.turns[0].asked == "Plums?"


async def test_a_question_in_other_words_replaces_the_one_before_and_what_came_after(talk: Talk) -> None:
    for words in ("One?", "Two?", "Three?"):
        await talk.ask(words)
        await settled(talk)
    await talk.edit(talk.conversation.value.turns[1].id, "Two then?")
    await settled(talk)
    assert [turn.asked for turn in talk.conversation.value.turns] == ["One?", "Two then?"]
    assert len(said(talk)) == 2


async def test_nothing_is_asked_twice_at_once_and_nothing_without_words(talk: Talk, models: FakeModels) -> None:
    await talk.ask("  ")
    assert not talk.busy.value
    await talk.ask("One?")
    await talk.ask("Two?")
    await settled(talk)
    assert [turn.asked for turn in talk.conversation.value.turns] == ["One?"]


async def test_ratings_titles_and_settings_are_kept_and_a_better_answer_makes_the_given_one_bad(talk: Talk) -> None:
    talk.set(answering=Answering(temperature=0.5), system="Be kind.")
    assert await talk._kept.get("c1") is None  # nothing was asked yet
    await talk.ask("Plums?")
    await settled(talk)
    turn = talk.conversation.value.turns[0].id
    await talk.rate(turn, TUNED.id, good=True)
    await talk.rate(turn, "base", good=None, better=" Yes, ten. ")
    await talk.rate("none", "base", good=True)
    await talk.rename("About plums")
    await talk.rename(" ")
    kept = await talk._kept.get("c1")
    assert kept and (kept.title, kept.system, kept.answering.temperature) == ("About plums", "Be kind.", 0.5)
    opinions = {each.speaker.id: (each.good, each.better) for each in kept.turns[0].replies}
    assert opinions == {TUNED.id: (True, ""), "base": (False, "Yes, ten.")}


async def test_at_most_four_answer_side_by_side(talk: Talk) -> None:
    await talk.speak([Speaker(id=f"v{number}", title="") for number in range(6)])
    assert len(talk.conversation.value.speakers) == 4
    await talk.speak([])
    assert len(talk.conversation.value.speakers) == 4


async def test_a_full_disk_in_the_middle_is_said_and_does_not_end_the_talk(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = talk._kept.change

    async def full(given: object, how: object) -> object:
        changed = await change(given, how)  # type: ignore[arg-type]
        if any(turn.replies for turn in changed.turns):
            raise StorageError("The disk is full.", "There was no space left.", "Free some.")
        return changed

    monkeypatch.setattr(talk._kept, "change", full)
    await talk.ask("Plums?")
    await settled(talk)
    assert talk.problem.value and talk.problem.value.what == "The disk is full."
    monkeypatch.undo()
    await talk.ask("Again?")
    await settled(talk)
    assert len(said(talk)) == 2


def test_the_card_of_a_lost_model_offers_to_load_it_again() -> None:
    assert gone().card.actions[0].do == "reload"
