"""Another mapping for a dataset that is there: its records, as they were read, are converted anew.

What was left out stays out, what was changed in the words is changed again, and the rows are divided anew by the same
plan, because what repeats, its label and its group follow from the mapping.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.data.columns import columns_of
from engine.data.convert import convert
from engine.data.importing import Job, write_dataset
from engine.data.library import all_rows_in, damaged, load_dataset
from engine.data.nouns import BadRow, Dataset, Detection, Format, HiddenRow, Limits, Mapping, Record, Row
from engine.data.read import SAMPLED
from engine.data.records import carry, check_kept, records_in
from engine.data.roles import detect_roles
from engine.data.scan import scan, settle
from engine.data.sources import side_of
from engine.data.steps import changes_of
from engine.data.tally import Tally


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """The columns a dataset was made of, and what is guessed of them."""

    names: tuple[str, ...]
    detection: Detection


def columns_of_source(datasets: Path, wanted: str) -> Columns:
    """What the columns of a dataset (by id or name) can be mapped from. Raises DataError when they are not kept."""
    dataset = load_dataset(datasets, wanted)
    sample = _sample(datasets / dataset.id, dataset)
    return Columns(names=columns_of(sample), detection=detect_roles(sample))


def _sample(folder: Path, dataset: Dataset) -> list[Record]:
    check_kept(folder, dataset)
    good = (each for each in records_in(folder) if isinstance(each, Record))
    return list(islice(good, SAMPLED))


def remapped(source: Path, target: Path, before: Dataset, mapping: Mapping) -> tuple[Dataset, tuple[int, ...]]:
    """Write the dataset in `source` under another mapping to `target`; with it the numbers of rows that were hidden.

    Raises DataError when its records are not kept, or the mapping does not fit them, and OSError.
    """
    sample = _sample(source, before)
    _, mapping = settle(before.source, partial(records_in, source), sample, mapping)
    kept = _Kept(source, before, mapping)
    job = Job(
        source=before.source,
        format=Format(name=before.source_format, encoding=before.encoding, text_rows=before.text_rows),
        name=before.name,
        mapping=mapping,
        split=before.split,
        columns=columns_of(sample),
        limits=Limits(),
    )
    tally = Tally(mapping, before.split)
    made = write_dataset(target, job, tally, scan(kept.records(), kept.make, tally, side_of))
    carry(source, target)
    return made, tuple(kept.hidden)


class _Kept:
    """The records that stay, and the rows they become; `hidden` are the numbers of those whose row is hidden."""

    def __init__(self, folder: Path, before: Dataset, mapping: Mapping) -> None:
        self._folder, self._before, self._mapping = folder, before, mapping
        self._change = changes_of(before.steps)
        self._rows = 0
        self._is_hidden = False
        self.hidden: list[int] = []

    def make(self, record: Record) -> Row | BadRow:
        """The row of a record under the new mapping, its words changed as they were before."""
        row = convert(record, self._mapping)
        if isinstance(row, BadRow):
            return row
        self._rows += 1
        if self._is_hidden:
            self.hidden.append(self._rows)
        return self._change(row)

    def records(self) -> Iterator[Record | BadRow]:
        """Every record but those whose rows were left out; rows know their record by its line."""
        rows = all_rows_in(self._folder)
        row = next(rows, None)
        last: tuple[str, int] | None = None
        left_out = together = False
        for each in records_in(self._folder):
            self._is_hidden = False
            if isinstance(each, Record) and isinstance(convert(each, self._before.mapping), Row):
                place, last = last, (each.file, each.line)
                together = together or place == last
                if row is None or (row.file, row.line) != last:
                    left_out = True
                    continue
                self._is_hidden = isinstance(row, HiddenRow)
                row = next(rows, None)
            yield each
        if row is not None:
            raise damaged(self._folder, "rows do not agree with what they were made of")
        if left_out and together:
            raise _alike(self._before)


def _alike(dataset: Dataset) -> DataError:
    return DataError(
        f"The columns of {dataset.name} cannot be mapped anew after rows were left out.",
        "Several of its records stand on one line of the source, so that it cannot be told which rows were left out.",
        "Map the columns of the version before first, and leave the rows out then.",
    )
