"""What a sample of records says of each column: how full it is, how long, how different and of what kind its values.

Knows nothing of roles.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import msgspec

from engine.data.cells import as_flag, as_text, parsed
from engine.data.choices import listed_choices
from engine.data.conversations import is_history, parse_turns, transcript
from engine.data.nouns import JsonValue, Record, RoleName
from engine.data.vocabulary import roles_of_name

MOST_LABELS = 50
TRIED = 50


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample says of one column.

    `turns`: most filled cells are conversations; `spoken`: they are transcripts; `choices`: they are lists of choices;
    `pairs`: every filled cell is a list of pairs of texts; `flags`: every filled cell is good or bad.
    """

    name: str
    filled: float
    characters: float
    distinct: int
    values: int
    turns: bool
    spoken: bool
    choices: bool
    pairs: bool
    flags: bool
    names: dict[RoleName, float]

    @property
    def label_like(self) -> bool:
        """Few different, short values."""
        few = self.distinct <= min(MOST_LABELS, max(2, self.values // 2))
        return few and self.characters <= 40 and self.distinct >= 2


def columns_of(records: Sequence[Record]) -> tuple[str, ...]:
    """Every column of the records, in the order of their first appearance."""
    return tuple(dict.fromkeys(name for record in records for name in record.values))


def survey(records: Sequence[Record]) -> list[Column]:
    """Every column of the records."""
    return [_column(name, [record.values.get(name) for record in records]) for name in columns_of(records)]


def _column(name: str, cells: Sequence[JsonValue]) -> Column:
    texts = [text for cell in cells if (text := as_text(cell)).strip()]
    tried = [cell for cell in cells if as_text(cell).strip()][:TRIED]
    return Column(
        name=name,
        filled=len(texts) / max(1, len(cells)),
        characters=fmean([len(text) for text in texts]) if texts else 0.0,
        distinct=len(set(texts)),
        values=len(texts),
        turns=_most([is_conversation(cell) for cell in tried]),
        spoken=_most([isinstance(cell, str) and bool(transcript(cell)) for cell in tried]),
        choices=_most([2 <= len(listed_choices(parsed(cell))[0]) <= 26 for cell in tried]),
        pairs=bool(tried) and all(is_history(cell) for cell in tried),
        flags=bool(tried) and all(as_flag(cell) is not None for cell in tried),
        names=roles_of_name(name),
    )


def _most(said: list[bool]) -> bool:
    return sum(said) * 2 > len(said)


def is_conversation(value: JsonValue) -> bool:
    """A list of objects that each have two texts or more, one of them usually naming the speaker."""
    turns = parse_turns(value)
    first = next((each for each in turns or [] if isinstance(each, dict)), None)
    if first is None:
        return False
    usual = {"role", "from", "speaker", "author", "sender"} & set(first)
    return bool(usual) and len(first) >= 2
