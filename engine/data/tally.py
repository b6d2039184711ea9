"""What is counted while a file is read: rows, bad rows, lengths, repeats, and what the split looks at."""

from __future__ import annotations

import datetime
from array import array
from collections import Counter
from contextlib import suppress
from functools import cached_property
from math import isfinite, nan
from typing import TYPE_CHECKING, TypeVar

from engine.data.cells import as_text
from engine.data.columns import MOST_LABELS
from engine.data.nouns import BadRow, JsonValue, Mapping, Message, Record, Row, SplitPlan
from engine.data.preferences import shared_turns
from engine.data.sources import SIDES as SIDE_WORDS
from engine.data.split import SIDES, UNSAID, RowKeys, content_key, prompt_key, text_key
from engine.spec.prepared import Split

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from engine.data.quality import Quality

Count = TypeVar("Count", int, "NDArray[numpy.int64]")
BAD_KEPT = 100
ANSWERS_COUNTED = 10_000
"""Different answers that are told apart; a file where one answer rules shows that early."""
SMALL = 200_000


class Tally:
    """Counts rows under one mapping and split plan; `sides` are those that the files' names say."""

    def __init__(self, mapping: Mapping | None = None, plan: SplitPlan | None = None) -> None:
        self._mapping = mapping or Mapping(schema="text")
        self._plan = plan or SplitPlan()
        self._labels: dict[str, int] = {}
        self._grouped = bool(self._mapping.group) or self._mapping.schema in ("preference", "kto")
        self._labelled = self._mapping.schema in ("classification", "multiple_choice", "kto")
        self.contents = array("Q")
        self._groups = array("Q")
        self._label_numbers = array("i")
        self._times = array("d")
        self._given = bytearray()
        self.rows = 0
        self.bad_count = 0
        self.bad: list[BadRow] = []
        self.missing = 0
        self.empty_turns = 0
        self.mended: Counter[str] = Counter()
        self.characters = 0
        self.prompt_characters = 0
        self.prompt_tokens = 0
        self.answer_tokens = 0
        self.answer_characters = 0
        self.longest = 0
        self.answers: Counter[int] = Counter()

    @cached_property
    def quality(self) -> Quality:
        """What is seen of the rows themselves."""
        from engine.data.quality import Quality

        return Quality(self._mapping)

    @property
    def label_counts(self) -> dict[str, int]:
        """Rows of each label, where rows have one; empty when there are too many."""
        if not self._labelled or not 0 < len(self._labels) <= MOST_LABELS:
            return {}
        counts = Counter(self._label_numbers)
        return {label: counts[number] for label, number in self._labels.items()}

    @property
    def read(self) -> int:
        """Records read, good and bad."""
        return self.rows + self.bad_count

    @property
    def different(self) -> int:
        """Rows that say something different from each other."""
        if self.rows < SMALL:
            return len(set(self.contents))
        import numpy

        return len(numpy.unique(numpy.frombuffer(self.contents, numpy.uint64)))

    @property
    def duplicates(self) -> int:
        """Rows that repeat an earlier one."""
        return self.rows - self.different

    @property
    def keys(self) -> RowKeys:
        """What the split looks at."""
        labelled = 0 < len(self._labels) <= MOST_LABELS
        return RowKeys(
            contents=self.contents,
            groups=self._groups,
            labels=self._label_numbers if labelled else array("i"),
            times=self._times,
            given=bytes(self._given),
            near=self.quality.binding(self.contents),
        )

    def refuse(self, bad: BadRow) -> None:
        """Count a bad row; the first hundred are kept whole."""
        self.bad_count += 1
        self.missing += "is missing" in bad.problem
        self.empty_turns += "is empty" in bad.problem
        if len(self.bad) < BAD_KEPT:
            self.bad.append(bad)

    def count(self, record: Record) -> None:
        """Count a record whose meaning is not known."""
        self.rows += 1
        self._note_mended(record)

    def add(self, record: Record, row: Row, side: Split | None) -> None:
        """Count a row; `side` is what its file's name says."""
        said, read = row.answer, row.prompt
        prompt, answer = len(read), len(said)
        self.rows += 1
        self.characters += prompt + answer
        self.prompt_characters += prompt
        self.answer_characters += answer
        self.prompt_tokens += tokens_of(read)
        self.answer_tokens += tokens_of(said)
        self.longest = max(self.longest, prompt + answer)
        answer_key = hash(said)
        if answer_key in self.answers or len(self.answers) < ANSWERS_COUNTED:
            self.answers[answer_key] += 1
        self.quality.add(row, prompt, answer)
        self._note_mended(record)
        self._note_keys(record, row, side)

    def _note_mended(self, record: Record) -> None:
        if record.mended:
            self.mended[record.mended] += 1

    def _note_keys(self, record: Record, row: Row, side: Split | None) -> None:
        content = content_key(row)
        self.contents.append(content)
        if self._grouped:
            self._groups.append(self._group(record, row, content))
        if self._labelled and len(self._labels) <= MOST_LABELS:
            label = str(row.desired) if row.desired is not None else row.answer
            self._label_numbers.append(self._labels.setdefault(label, len(self._labels)))
        if self._plan.by == "time":
            self._times.append(moment(record.values.get(self._plan.time)))
        if self._plan.by == "given":
            self._given.append(self._side(record, side))

    def _group(self, record: Record, row: Row, content: int) -> int:
        value = as_text(record.values.get(self._mapping.group)) if self._mapping.group else ""
        if value.strip():
            return text_key(f"group {value}")
        return prompt_key(asked(row)) if self._mapping.schema in ("preference", "kto") else content

    def _side(self, record: Record, side: Split | None) -> int:
        said = as_text(record.values.get(self._plan.column)).strip().casefold() if self._plan.column else ""
        found = SIDE_WORDS.get(said) or side
        return SIDES.index(found) if found else UNSAID


def estimated_tokens(size: Count, wide: Count) -> Count:
    """Tokens of a text (or texts) of so many bytes, so many of them not ASCII: four ASCII, or two other bytes, each.

    Close to large vocabularies (100,000 and more) for English prose; measured with the model's own tokenizer elsewhere.
    """
    return (size - wide + 3) // 4 + (wide + 1) // 2


def tokens_of(text: str) -> int:
    """The tokens of a text by estimate."""
    if text.isascii():
        return estimated_tokens(len(text), 0)
    size = len(text.encode("utf-8", "replace"))
    return estimated_tokens(size, size - len(text.encode("ascii", "ignore")))


def asked(row: Row) -> tuple[Message, ...]:
    """The turns that the compared or rated answer belongs to."""
    return row.messages[: shared_turns(row.messages, row.rejected)] if row.rejected else row.messages[:-1]


def moment(value: JsonValue) -> float:
    """Seconds: of a number as it is, of a date in ISO form; nan for anything else."""
    text = as_text(value).strip().strip('"')
    for read in (_number, _date):
        with suppress(ValueError):
            return read(text)
    return nan


def _number(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else nan


def _date(text: str) -> float:
    found = datetime.datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
