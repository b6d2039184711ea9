"""Conversations that people rated, made datasets: what was liked to learn from, pairs to compare, single ratings.

Knows nothing of where conversations are kept; the same answers make the same dataset.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.importing import import_file
from engine.data.nouns import Dataset, Mapping, Message, RatedAnswer

RatedSchema = Literal["chat", "preference", "kto"]
SOURCE = "conversations.jsonl"
MAPPINGS: dict[RatedSchema, Mapping] = {
    "chat": Mapping(schema="chat", messages="messages"),
    "preference": Mapping(schema="preference", chosen="chosen", rejected="rejected"),
    "kto": Mapping(schema="kto", messages="messages", label="label"),
}
Talk = tuple[Message, ...]


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of rated answers can be made into: liked conversations, pairs of a liked and a disliked one with the
    same beginning, and ratings without a counterpart."""

    chat: tuple[Talk, ...]
    preference: tuple[tuple[Talk, Talk], ...]
    kto: tuple[tuple[Talk, bool], ...]

    def rows(self, schema: RatedSchema) -> int:
        """How many rows a dataset of this schema would have."""
        return len({"chat": self.chat, "preference": self.preference, "kto": self.kto}[schema])


def rated(answers: Sequence[RatedAnswer]) -> Rated:
    """Sort answers by what they are good for. Each answer counts once; an answer rated both ways says nothing."""
    liked: dict[Talk, dict[str, None]] = {}
    disliked: dict[Talk, dict[str, None]] = {}
    for each in answers:
        if each.good is not None and each.answer.strip():
            (liked if each.good else disliked).setdefault(each.messages, {})[each.answer] = None
    pairs: list[tuple[Talk, Talk]] = []
    singles: list[tuple[Talk, bool]] = []
    chats: list[Talk] = []
    for asked in dict.fromkeys(each.messages for each in answers):
        both = liked.get(asked, {}).keys() & disliked.get(asked, {}).keys()
        good = [_said(asked, each) for each in liked.get(asked, {}) if each not in both]
        bad = [_said(asked, each) for each in disliked.get(asked, {}) if each not in both]
        chats += good
        pairs += [(one, other) for one in good for other in bad]
        if not (good and bad):
            singles += [*((each, True) for each in good), *((each, False) for each in bad)]
    return Rated(chat=tuple(chats), preference=tuple(pairs), kto=tuple(singles))


def _said(asked: Talk, answer: str) -> Talk:
    return (*asked, Message("assistant", answer))


def dataset_from_ratings(
    datasets: Path, answers: Sequence[RatedAnswer], schema: RatedSchema, *, name: str = "conversations"
) -> Dataset:
    """A dataset of what the answers are good for. Raises DataError when that is nothing, StorageError."""
    found = rated(answers)
    if not found.rows(schema):
        raise _too_few(found, schema)
    with tempfile.TemporaryDirectory(prefix="peft-studio-") as folder:
        file = Path(folder) / SOURCE
        try:
            file.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in _records(found, schema)))
        except OSError as error:
            raise from_os(error, "writing conversations") from error
        return import_file(datasets, file, name=name, mapping=MAPPINGS[schema])


def _records(found: Rated, schema: RatedSchema) -> list[dict[str, Talk] | dict[str, Talk | bool]]:
    if schema == "chat":
        return [{"messages": each} for each in found.chat]
    if schema == "preference":
        return [{"chosen": one, "rejected": other} for one, other in found.preference]
    return [{"messages": each, "label": good} for each, good in found.kto]


def _too_few(found: Rated, schema: RatedSchema) -> DataError:
    needed = {
        "chat": "No answer was rated good.",
        "preference": "No prompt has an answer that was rated good and another one that was rated bad.",
        "kto": "No answer was rated, but for those that make pairs.",
    }
    others = [each for each in MAPPINGS if found.rows(each)]
    return DataError(
        "These conversations make no rows of this kind.",
        needed[schema],
        f"Make one of these instead: {', '.join(others)}." if others else "Rate some answers, good or bad.",
        "Or rate more answers.",
    )
