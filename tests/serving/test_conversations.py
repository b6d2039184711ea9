"""Conversations stay: searched, changed by two at once, brought back after a restart and after a lost database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import DataError, StorageError
from engine.core.store import Store
from engine.data.ratings import rated as sorted_ratings
from engine.runs import index
from engine.serving import conversations
from engine.serving.conversations import Conversations
from engine.serving.leaving import as_text, rated
from engine.serving.nouns import Conversation, Reply, rated_pairs, titled
from engine.serving.signals import Span, differences, signals
from engine.spec.answers import Answering
from tests.serving.made import BARE, TUNED, conversation, turn

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Conversations]:
    """The conversations of a Home, as an app that starts sees them."""
    store = Store(home / "index.duckdb", [*index.MIGRATIONS, *conversations.MIGRATIONS])
    try:
        kept = Conversations(store, home / "conversations.jsonl")
        await kept.open()
        yield kept
    finally:
        store.close()


async def keep(kept: Conversations, *given: Conversation) -> None:
    for each in given:
        await kept.change(each, lambda same: same)


async def test_a_search_finds_words_of_titles_questions_and_answers(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        await keep(kept, conversation("plums", "Is it RIPE?", "Größe 100% _x_?"), conversation("pears", "Hello"))
        for words, found in {
            "": ["pears", "plums"],
            "PLUM": ["plums"],
            "ripe v1.0.0": ["plums"],
            "ripe hello": [],
            "100%": ["plums"],
            "_": ["plums"],
            "GRÖSSE": ["plums"],
            "'; DROP TABLE conversations": [],
        }.items():
            assert [each.id for each in await kept.all(words)] == found, words


@pytest.mark.parametrize("harm", ["nothing", "lost", "damaged", "crash before the database was written"])
async def test_everything_is_there_again(tmp_path: Path, harm: str) -> None:
    async with opened(tmp_path) as kept:
        await keep(kept, conversation("one", "Hello"), conversation("two", "Bye"), conversation("gone", "Oh"))
        await kept.change(conversation("one"), lambda each: msgspec.structs.replace(each, title="Renamed"))
        await kept.delete("gone")
        before = await kept.all()
        if harm.startswith("crash"):
            await kept._store.execute("DELETE FROM conversations WHERE id = 'one'")
    if harm in ("lost", "damaged"):
        (tmp_path / "index.duckdb").unlink()
    if harm == "damaged":
        (tmp_path / "index.duckdb").write_bytes(b"no database")
        with (tmp_path / "conversations.jsonl").open("ab") as journal:
            journal.write(b'{"conversation": {"id": "tor')
    async with opened(tmp_path) as kept:
        assert await kept.all() == before
        assert [each.title for each in before] == ["Renamed", "Two"]
        await kept.delete("gone", undo=True)  # a deletion is remembered, too
        assert len(await kept.all()) == 3
    async with opened(tmp_path):
        lines = (tmp_path / "conversations.jsonl").read_bytes().splitlines()
    assert len(lines) == 3  # what was said twice is said once


async def test_a_deletion_is_taken_back_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as kept:
        await keep(kept, conversation("one", "Hello"), conversation("two", "Bye"))
        await kept.delete("one")
        await kept.delete("two")
        assert await kept.all() == ()
        await kept.delete("one", undo=True)
        assert [each.id for each in await kept.all()] == ["one"]
    async with opened(tmp_path) as kept:
        assert [each.id for each in await kept.all()] == ["one"]
        assert await kept.get("two") is not None
    monkeypatch.setattr(conversations, "REGRET_SECONDS", 0.0)
    async with opened(tmp_path) as kept:
        assert await kept.get("two") is None
        await kept.delete("two", undo=True)
        assert [each.id for each in await kept.all()] == ["one"]


async def test_many_change_one_conversation_and_nothing_is_lost(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        first = conversation("shared")
        async with anyio.create_task_group() as group:
            for number in range(12):
                added = turn(f"t{number}", f"question {number}")
                group.start_soon(kept.change, first, lambda each, added=added: each.with_turn(added))
        [found] = await kept.all()
        assert sorted(each.id for each in found.turns) == sorted(f"t{number}" for number in range(12))


async def test_an_unknown_one_is_answered_with_the_choices_and_a_full_disk_with_a_card(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        await keep(kept, conversation("20260101-a", "Hello"), conversation("20260102-b", "Bye"))
        assert (await kept.find("20260101")).id == (await kept.find("20260101-A")).id == "20260101-a"
        assert (await kept.find("last")).id == "20260102-b"
        with pytest.raises(DataError) as error:
            await kept.find("2026")
        assert "20260102-b, 20260101-a" in error.value.card.why
        (tmp_path / "conversations.jsonl").unlink()
        (tmp_path / "conversations.jsonl").mkdir()
        with pytest.raises(StorageError):
            await kept.change(conversation("new", "Hello"), lambda each: each)
        assert await kept.get("new") is None


def replied(given: Conversation, number: int, speaker: int, **changes: object) -> Conversation:
    asked = given.turns[number]
    reply = msgspec.structs.replace(asked.replies[speaker], **changes)
    return given.with_turn(asked.with_reply(reply))


def test_ratings_become_rows_and_a_better_answer_makes_a_pair() -> None:
    talk = conversation("c", "One?", "Two?", "Three?")
    talk = replied(talk, 0, 1, good=True)
    talk = replied(talk, 1, 1, good=False, better="Two is best.")
    talk = replied(talk, 2, 0, good=False)
    found = sorted_ratings(rated([talk], "preference"))
    assert [(one[-1].content, other[-1].content) for one, other in found.preference] == [
        ("Two is best.", "Support v1.0.0: Two?")
    ]
    assert {each[-1].content for each in found.chat} == {"Support v1.0.0: One?", "Two is best."}
    assert [(each[-1].content, good) for each, good in found.kto] == [
        ("Support v1.0.0: One?", True),
        ("Base starter: Three?", False),
    ]


def test_ratings_beside_the_base_are_of_turns_where_both_read_the_same() -> None:
    talk = conversation("c", "One?", "Two?", "Three?")
    talk = replied(talk, 0, 1, good=True)
    talk = replied(talk, 1, 1, good=False)
    (pair,) = rated_pairs(talk, TUNED.id)
    assert (pair.prompt, pair.base_up, pair.tuned_up) == ("One?", None, True)
    assert pair.tuned == talk.turns[0].replies[1].text and pair.base == talk.turns[0].replies[0].text
    alone = msgspec.structs.replace(talk, answering=Answering(remember=False), system="Be short.")
    assert [each.prompt for each in rated_pairs(alone, TUNED.id)] == ["Be short.\n\nTwo?", "Be short.\n\nOne?"]
    silent = replied(talk, 0, 0, text=" ")
    assert rated_pairs(silent, TUNED.id) == [] and rated_pairs(alone, "another version") == []


def test_a_whole_conversation_is_one_row_up_to_what_nobody_wanted() -> None:
    talk = msgspec.structs.replace(conversation("c", "One?", "Two?", "Three?"), system="Be kind.")
    talk = replied(talk, 0, 0, good=False, better="One!")
    [row] = rated([talk], "whole")
    said = [each.content for each in row.messages] + [row.answer]
    assert said == ["Be kind.", "One?", "One!", "Two?", "Base starter: Two?", "Three?", "Base starter: Three?"]
    [shorter] = rated([replied(talk, 1, 0, good=False)], "whole")
    assert [each.content for each in shorter.messages] + [shorter.answer] == ["Be kind.", "One?", "One!"]
    assert rated([replied(talk, 0, 0, good=False, better="")], "whole") == []


def test_each_model_reads_its_own_side_and_nothing_when_it_is_not_to_remember() -> None:
    talk = conversation("c", "One?", "Two?")
    assert [each.content for each in talk.before(TUNED.id, "t2")] == ["One?", "Support v1.0.0: One?", "Two?"]
    assert [each.content for each in talk.before(BARE.id, "t2")] == ["One?", "Base starter: One?", "Two?"]
    alone = msgspec.structs.replace(talk, answering=msgspec.structs.replace(talk.answering, remember=False))
    assert [each.content for each in alone.before(TUNED.id, "t2")] == ["Two?"]


def test_markdown_of_an_answer_cannot_leave_its_quote_and_json_lines_are_whole() -> None:
    talk = replied(conversation("c", "# Not a heading\n```"), 0, 0, text="</b>\n## Fake", good=False, better="Fine")
    text = as_text([talk], "markdown")
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# C", "## Question"]
    assert "> ## Fake" in text and "> Fine" in text and "(bad)" in text
    assert msgspec.json.decode(as_text([talk], "jsonl"), type=Conversation) == talk


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_the_stretches_of_a_comparison_are_the_text_and_what_is_shared_is_in_both(one: str, other: str) -> None:
    mine, theirs = differences(one, other), differences(other, one)
    assert "".join(each.text for each in mine) == one
    assert "".join(each.text for each in theirs) == other
    assert not any(each.own for each in differences(one, one))


def test_words_that_differ_are_marked_and_a_very_long_answer_is_not_compared() -> None:
    assert differences("We have ripe plums.", "We have plums.") == (
        Span("We have ", False),
        Span("ripe ", True),
        Span("plums.", False),
    )
    assert differences("a " * 9000, "b") == (Span("a " * 9000, False),)


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (Reply(speaker=BARE, text="the end is near " * 12, ended="end"), "repeats itself"),
        (Reply(speaker=BARE, text="Yes.", ended="length"), "cut off"),
        (Reply(speaker=BARE, text=" ", ended="end"), "said nothing"),
        (Reply(speaker=BARE, text="Yes.", ended="stop"), "stop word"),
        (Reply(speaker=BARE, text="Yes.", ended="stopped"), "stopped by you"),
        (Reply(speaker=BARE, text="Yes.", ended="end", forgotten=2), "first 2 turns"),
        (Reply(speaker=BARE, text="We have plums, pears and cherries, and they are all ripe today.", ended="end"), ""),
    ],
    ids=["repeats", "cut off", "nothing", "stop word", "stopped", "forgotten", "fine"],
)
def test_what_is_noticed_about_an_answer(reply: Reply, note: str) -> None:
    notes = signals(reply).notes
    assert (not notes) if not note else len(notes) == 1 and note in notes[0]


def test_a_title_is_the_question_on_one_line_and_not_longer_than_it_may_be() -> None:
    assert titled("  Do you\nhave plums? ") == "Do you have plums?"
    assert len(titled("plum " * 100)) == 60
