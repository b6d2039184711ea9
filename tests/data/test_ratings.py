"""Answers that people rated become rows: liked ones, pairs to the same prompt, and ratings that stand alone."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.data import service
from engine.data.library import rows_in
from engine.data.nouns import Message, RatedAnswer
from engine.data.ratings import dataset_from_ratings, rated
from tests.data.fixtures import dialogue

HELLO, PLUMS = dialogue("Hello?"), dialogue("Hello?", "Hi.", "Any plums?", system="Be brief.")
ANSWERS = (
    RatedAnswer(messages=HELLO, answer="Hi.", good=True),
    RatedAnswer(messages=PLUMS, answer="Yes, ten.", good=True),
    RatedAnswer(messages=PLUMS, answer="No idea.", good=False),
    RatedAnswer(messages=dialogue("Bye."), answer="Whatever.", good=False),
    RatedAnswer(messages=dialogue("Unsaid."), answer="Nobody rated this."),
)


def conversations(folder: Path, schema) -> list[tuple[tuple[Message, ...], tuple[Message, ...], bool | None]]:
    made = dataset_from_ratings(folder / "ds", ANSWERS, schema, name="talks")
    assert (made.name, made.schema, made.bad) == ("talks", schema, 0)
    return [(row.messages, row.rejected, row.desired) for row in rows_in(folder / "ds" / made.id)]


def test_liked_answers_become_chat_rows(tmp_path: Path) -> None:
    assert conversations(tmp_path, "chat") == [
        (dialogue("Hello?", "Hi."), (), None),
        ((*PLUMS, Message("assistant", "Yes, ten.")), (), None),
    ]


def test_a_liked_and_a_disliked_answer_to_one_prompt_become_a_pair(tmp_path: Path) -> None:
    good, bad = (Message("assistant", words) for words in ("Yes, ten.", "No idea."))
    assert conversations(tmp_path, "preference") == [((*PLUMS, good), (*PLUMS, bad), None)]


def test_ratings_without_a_counterpart_become_rated_rows(tmp_path: Path) -> None:
    assert conversations(tmp_path, "kto") == [
        (dialogue("Hello?", "Hi."), (), True),
        (dialogue("Bye.", "Whatever."), (), False),
    ]


def test_the_same_ratings_are_the_same_dataset_in_a_process_of_its_own(tmp_path: Path) -> None:
    made = dataset_from_ratings(tmp_path / "ds", ANSWERS, "chat")
    assert anyio.run(service.from_ratings, tmp_path / "ds", ANSWERS, "chat", "again") == made


def test_what_makes_no_rows_says_what_does(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        dataset_from_ratings(tmp_path / "ds", ANSWERS[:1], "preference")
    assert "chat, kto" in caught.value.card.actions[0].label
    with pytest.raises(DataError) as caught:
        dataset_from_ratings(tmp_path / "ds", ANSWERS[4:], "kto")
    assert "Rate some answers" in caught.value.card.actions[0].label


RATED = st.builds(
    RatedAnswer,
    messages=st.sampled_from([HELLO, PLUMS, dialogue("Bye.")]),
    answer=st.sampled_from(["one", "two", "three", " "]),
    good=st.sampled_from([True, False, None]),
)


@given(st.lists(RATED, max_size=12))
def test_every_clear_rating_is_used_once_and_no_other(answers: list[RatedAnswer]) -> None:
    found = rated(answers)
    said = {(*each.messages, Message("assistant", each.answer)): set[bool]() for each in answers if each.answer.strip()}
    for each in answers:
        if each.good is not None and each.answer.strip():
            said[(*each.messages, Message("assistant", each.answer))].add(each.good)
    liked = {talk for talk, ways in said.items() if ways == {True}}
    disliked = {talk for talk, ways in said.items() if ways == {False}}
    assert set(found.chat) == liked and len(found.chat) == len(liked)
    assert {one for one, _ in found.preference} | {talk for talk, good in found.kto if good} == liked
    assert {other for _, other in found.preference} | {talk for talk, good in found.kto if not good} == disliked
    assert all(one[:-1] == other[:-1] for one, other in found.preference)
    paired = {talk for pair in found.preference for talk in pair}
    assert paired.isdisjoint(talk for talk, _ in found.kto) and len(found.kto) == len(set(found.kto))
