"""A new version of a dataset: its rows after recorded steps, judged anew. The version before stays as it is.

Each row keeps its side of the split and its line of the source; only another mapping divides the rows anew. The steps
of all versions since the import are the recipe, which makes the same rows from the same source anywhere.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.appraise import Appraisal, judge, write_quality
from engine.data.findings import findings_of
from engine.data.importing import dataset_id, import_file, new_work_folder, place, write_offsets
from engine.data.library import HIDDEN, all_rows_in, load_dataset
from engine.data.nouns import Dataset, DatasetRow, Format, HiddenRow, Limits, Mapping, Record, SplitPlan, Step, TextRows
from engine.data.quality_report import FLAGS, read_numbers
from engine.data.records import carry
from engine.data.remapping import remapped
from engine.data.split import SIDES
from engine.data.steps import Doing, changes_of
from engine.data.tally import Tally
from engine.spec.files import read_struct, rename, write_struct

_ENCODER = msgspec.json.Encoder()


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a dataset is made from its source: `imported_hash` are the rows before the steps, `hash` those after them."""

    name: str
    source: str
    mapping: Mapping
    split: SplitPlan
    text_rows: TextRows
    steps: tuple[Step, ...]
    imported_hash: str
    hash: str


def recipe_of(dataset: Dataset) -> Recipe:
    """The dataset's recipe."""
    return Recipe(
        name=dataset.name,
        source=dataset.source,
        mapping=dataset.imported_mapping or dataset.mapping,
        split=dataset.split,
        text_rows=dataset.text_rows,
        steps=dataset.steps,
        imported_hash=dataset.imported_hash or dataset.hash,
        hash=dataset.hash,
    )


def read_recipe(file: Path) -> Recipe:
    """A recipe from its file. Raises DataError."""
    try:
        return read_struct(file, Recipe)
    except OSError as error:
        raise from_os(error, f"reading {file.name}") from error
    except msgspec.MsgspecError as error:
        raise DataError(f"{file.name} is no recipe.", f"{error}.", "Write one with: data recipe DATASET.") from error


def remake(datasets: Path, recipe: Recipe, source: Path | Sequence[Path], *, limits: Limits | None = None) -> Dataset:
    """Follow a recipe from its source. Raises DataError when the source holds other rows, or the result differs."""
    made = import_file(
        datasets,
        source,
        name=recipe.name,
        mapping=recipe.mapping,
        split=recipe.split,
        text_rows=recipe.text_rows,
        limits=limits,
    )
    if made.hash != recipe.imported_hash:
        raise _differs("The source is not the one that the recipe was made from.", recipe, made)
    made = fix(datasets, made.id, recipe.steps) if recipe.steps else made
    if made.hash != recipe.hash:
        raise _differs("The steps of the recipe came to another result.", recipe, made)
    return made


def _differs(what: str, recipe: Recipe, made: Dataset) -> DataError:
    return DataError(
        what,
        f"{made.name} has {made.rows:,} rows, and their hash is not the recipe's ({recipe.source}).",
        "Give the file that the dataset was first imported from.",
        "Or import the file and choose fixes anew.",
    )


def fix(datasets: Path, dataset: str, steps: Sequence[Step]) -> Dataset:
    """Make a new version of a dataset (by id or name) by doing the steps one after the other.

    Raises DataError when a step changes nothing or leaves nothing to train on, StorageError when the disk refuses.
    """
    before = load_dataset(datasets, dataset)
    work = new_work_folder(datasets)
    try:
        folder, made = datasets / before.id, before
        for number, step in enumerate(steps):
            target = work / str(number)
            target.mkdir()
            made = _do(folder, target, made, step, before.id)
            folder = target
        if made.id == before.id:
            raise _nothing_changed(before)
        return place(folder, datasets / made.id, made)
    except OSError as error:
        raise from_os(error, f"fixing {before.name}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _nothing_changed(dataset: Dataset) -> DataError:
    return DataError(
        f"Nothing would change in {dataset.name}.",
        "No row is what these fixes look for.",
        "Look at the findings for what can be fixed.",
    )


class RowsWriter:
    """Writes a dataset's rows, each on the side it is on, and judges them. `before` names what stays the same."""

    def __init__(self, target: Path, before: Dataset) -> None:
        self._target, self._before = target, before
        self._tally = Tally(msgspec.structs.replace(before.mapping, group=""))
        self._sides = bytearray()
        self._hidden: list[HiddenRow] = []
        self._offsets = array("Q")
        self._at = 0
        self._digest = hashlib.sha256()
        self._file = (target / "rows.jsonl").open("wb")

    def add(self, row: DatasetRow) -> None:
        """Write a row. Raises OSError."""
        data = _ENCODER.encode(row.row) + b"\n"
        self._digest.update(data)
        self._tally.add(Record(row.line, {}), row.row, None)
        self._sides.append(SIDES.index(row.split))
        self._offsets.append(self._at)
        self._at += self._file.write(_stored(row, data))

    def hide(self, row: DatasetRow) -> None:
        """Keep a row at its place, out of sight."""
        self._hidden.append(HiddenRow.of(row, len(self._sides)))

    def finish(self) -> Dataset:
        """Write everything beside the rows. Raises DataError when nothing is left to train on, and OSError."""
        self._file.close()
        before, tally, sides = self._before, self._tally, bytes(self._sides)
        if 0 not in sides:
            raise _nothing_left(before)
        form = Format(name=before.source_format, encoding=before.encoding)
        seen = judge(tally, sides, findings_of(tally, form, before.mapping, (), Limits()))
        write_quality(self._target, seen, tally)
        write_offsets(self._target, self._offsets)
        hidden = b"".join(_ENCODER.encode(each) + b"\n" for each in self._hidden)
        if hidden:
            (self._target / HIDDEN).write_bytes(hidden)
        made = self._counted(
            seen, sides, self._digest.hexdigest(), hashlib.sha256(hidden).hexdigest() if hidden else ""
        )
        write_struct(self._target / "dataset.json", made)
        return made

    def _counted(self, seen: Appraisal, sides: bytes, content: str, hidden: str) -> Dataset:
        before, tally = self._before, self._tally
        return msgspec.structs.replace(
            before,
            id=dataset_id(content, before.split, sides, hidden),
            hash=content,
            imported_hash=before.imported_hash or content,
            findings=seen.findings,
            score=seen.report.score,
            rows=tally.rows,
            hidden=len(self._hidden),
            train_rows=sides.count(0),
            validation_rows=sides.count(1),
            test_rows=sides.count(2),
            duplicates=tally.duplicates,
            characters=tally.characters,
            answer_characters=tally.answer_characters,
            longest_characters=tally.longest,
        )


def _do(source: Path, target: Path, before: Dataset, step: Step, parent: str) -> Dataset:
    """One step from one folder to another."""
    if step.mapping is not None:
        return _remap(source, target, before, step.mapping, parent)
    after = msgspec.structs.replace(
        before,
        made=time.time(),
        parent=parent,
        steps=(*before.steps, step),
        imported_hash=before.imported_hash or before.hash,
    )
    shutil.copy(source / "problems.jsonl", target)
    carry(source, target)
    return _rewrite(source, target, after, step)


def _rewrite(source: Path, target: Path, after: Dataset, step: Step) -> Dataset:
    """Write the rows that the step leaves; `after` says what the new version is."""
    doing, change = Doing(step), changes_of((step,))
    flags = _flags(source, after) if doing.needs_flags else None
    writer = RowsWriter(target, after)
    number = hidden = 0
    for old in all_rows_in(source):
        if isinstance(old, HiddenRow):
            hidden += 1
            comes_back = step.do == "show" and (not step.rows or hidden in step.rows)
            (writer.add if comes_back else writer.hide)(old.saying(change(old.row)))
            continue
        number += 1
        row = doing(number, old.row, flags[number - 1] if flags else 0)
        if row is not None:
            writer.add(old.saying(row))
        elif step.do == "hide":
            writer.hide(old)
    return writer.finish()


def _remap(source: Path, target: Path, before: Dataset, mapping: Mapping, parent: str) -> Dataset:
    """The step that converts the records anew; rows that were hidden are hidden again."""
    whole = target.with_name(f"{target.name}-whole")
    whole.mkdir()
    made, hidden = remapped(source, whole, before, mapping)
    step = Step(do="remap", mapping=made.mapping)
    made = msgspec.structs.replace(
        made,
        parent=parent,
        steps=(*before.steps, step),
        imported_hash=before.imported_hash or before.hash,
        imported_mapping=before.imported_mapping or before.mapping,
    )
    if hidden:
        shutil.copy(whole / "problems.jsonl", target)
        carry(whole, target)
        return _rewrite(whole, target, made, Step(do="hide", rows=hidden))
    write_struct(whole / "dataset.json", made)
    target.rmdir()
    rename(whole, target)
    return made


def _flags(source: Path, dataset: Dataset) -> array[int]:
    flags = read_numbers(source / FLAGS, "I")
    if len(flags) != dataset.rows:
        raise DataError(
            f"{dataset.name} has no quality report.",
            "It was imported before there were any.",
            "Import its file again.",
        )
    return flags


def _stored(row: DatasetRow, data: bytes) -> bytes:
    """A line of rows.jsonl; `data` is the row alone, as JSON."""
    file = b'"file":%s,' % _ENCODER.encode(row.file) if row.file else b""
    return b'{"line":%d,"split":"%s",%s%s' % (row.line, row.split.encode(), file, data[1:])


def _nothing_left(dataset: Dataset) -> DataError:
    return DataError(
        f"Nothing would be left of {dataset.name} to train on.",
        "The fix drops every row of the training side.",
        "Drop fewer rows.",
        "Or check that the columns were mapped as you mean them.",
    )
