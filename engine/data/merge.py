"""Datasets put together as a new one, each with a weight: 0.5 takes half of its rows (seeded), 2 takes each twice.

Rows keep their side of the split; what then stands on both sides is a finding.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.fixing import RowsWriter
from engine.data.importing import new_work_folder, place
from engine.data.library import load_dataset, rows_in
from engine.data.nouns import Dataset, DatasetRow


class Part(msgspec.Struct, frozen=True):
    """A dataset (by id or name) and how often each of its rows is taken, on average."""

    dataset: str
    weight: float = 1.0


def part_from(word: str) -> Part:
    """`name` or `name=weight`. Raises DataError."""
    name, equals, weight = word.rpartition("=")
    try:
        part = Part(name, float(weight)) if equals else Part(word)
    except ValueError:
        part = Part(word)
    if not 0 < part.weight <= 100:
        raise DataError(f"The weight {part.weight:g} cannot be used.", "It is above 0, at most 100.", "Write name=0.5.")
    return part


def merge(datasets: Path, parts: Sequence[Part], *, name: str = "", seed: int = 42) -> Dataset:
    """A new dataset of the parts' rows, in order. Raises DataError when their schemas differ."""
    found = [load_dataset(datasets, each.dataset) for each in parts]
    if len({each.schema for each in found}) != 1:
        raise DataError(
            "These datasets cannot be put together.",
            f"Their rows are of different kinds: {', '.join(f'{each.name} ({each.schema})' for each in found)}.",
            "Choose datasets of one kind.",
        )
    work = new_work_folder(datasets)
    try:
        return _write(datasets, work, found, parts, name, seed)
    except OSError as error:
        raise from_os(error, "putting datasets together") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(datasets: Path, work: Path, found: list[Dataset], parts: Sequence[Part], name: str, seed: int) -> Dataset:
    source = " + ".join(f"{each.name} × {part.weight:g}" for each, part in zip(found, parts, strict=True))
    blank = msgspec.structs.replace(
        found[0],
        name=name or " and ".join(each.name for each in found),
        source=source,
        made=time.time(),
        bad=0,
        parent="",
        steps=(),
        imported_hash="",
    )
    writer = RowsWriter(work, blank)
    for number, (each, part) in enumerate(zip(found, parts, strict=True)):
        for row in _taken(datasets / each.id, part.weight, random.Random(f"{seed} {number}")):
            writer.add(msgspec.structs.replace(row, file=row.file or each.source))
    (work / "problems.jsonl").write_bytes(b"")
    made = writer.finish()
    return place(work, datasets / made.id, made)


def _taken(folder: Path, weight: float, dice: random.Random) -> Iterator[DatasetRow]:
    """Each row as often as the weight says; its fraction is the chance of once more."""
    for row in rows_in(folder):
        for _ in range(int(weight) + (dice.random() < weight % 1)):
            yield row
