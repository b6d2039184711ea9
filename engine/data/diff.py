"""What is different between two datasets: rows added, removed and changed. A row keeps 16 bytes or so in memory.

Rows that say exactly the same are the same, as often as they occur in both. Of the others, two are one row changed when
they come from the same line of the same import, or, where lines do not tell rows apart, answer the same prompt.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.data.library import load_dataset, rows_in
from engine.data.nouns import DatasetRow, Row
from engine.data.split import prompt_key, text_key
from engine.data.tally import asked

SHOWN = 20
_ENCODER = msgspec.json.Encoder()


class RowChange(msgspec.Struct, frozen=True, kw_only=True):
    """A row in one dataset or both; `line` is the line of its source."""

    line: int
    before: Row | None
    after: Row | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows are the same, added, removed and changed; `shown` holds the first of each that is not the same."""

    same: int
    added: int
    removed: int
    changed: int
    shown: tuple[RowChange, ...]


def diff(datasets: Path, one: str, other: str) -> Difference:
    """The way from one dataset to the other (by id or name). Raises DataError."""
    before, after = load_dataset(datasets, one), load_dataset(datasets, other)
    akin = bool(before.imported_hash) and before.imported_hash == after.imported_hash
    old, new = datasets / before.id, datasets / after.id
    common = Counter(map(_key, rows_in(old))) & Counter(map(_key, rows_in(new)))
    lines = [_place(row, akin=True) for row in _apart(old, common)]
    akin = akin and len(set(lines)) == len(lines)  # a file may be all on one line
    left = {_place(row, akin) for row in _apart(old, common)}
    matched: set[int] = set()
    added = changed = 0
    for row in _apart(new, common):
        place = _place(row, akin)
        if place in left and place not in matched:
            matched.add(place)
            changed += 1
        else:
            added += 1
    shown = _shown(old, new, common, akin, matched)
    same = sum(common.values())
    return Difference(same=same, added=added, removed=before.rows - same - changed, changed=changed, shown=shown)


def _shown(old: Path, new: Path, common: Counter[int], akin: bool, matched: set[int]) -> tuple[RowChange, ...]:
    """The first rows of each kind."""
    was: dict[int, DatasetRow] = {}
    removed: list[RowChange] = []
    for row in _apart(old, common):
        if (place := _place(row, akin)) in matched:
            if len(was) < SHOWN:
                was.setdefault(place, row)
        elif len(removed) < SHOWN:
            removed.append(RowChange(line=row.line, before=row.row, after=None))
    added: list[RowChange] = []
    changed: list[RowChange] = []
    for row in _apart(new, common):
        place = _place(row, akin)
        if place in was:
            changed.append(RowChange(line=row.line, before=was.pop(place).row, after=row.row))
        elif place not in matched and len(added) < SHOWN:
            added.append(RowChange(line=row.line, before=None, after=row.row))
    return (*changed, *removed, *added)


def _apart(folder: Path, common: Counter[int]) -> Iterator[DatasetRow]:
    """The rows that are not in both."""
    left = Counter(common)
    for row in rows_in(folder):
        key = _key(row)
        if left[key] > 0:
            left[key] -= 1
        else:
            yield row


def _key(row: DatasetRow) -> int:
    """The same for rows that say exactly the same."""
    return int.from_bytes(hashlib.blake2b(_ENCODER.encode(row.row), digest_size=8).digest(), "little")


def _place(row: DatasetRow, akin: bool) -> int:
    """The same for rows that are one row changed."""
    if akin:
        return text_key(f"{row.file}\n{row.line}")
    return prompt_key(asked(row.row)) if row.messages else text_key(row.text[:80])
