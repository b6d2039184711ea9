"""The dataset library: `datasets/<id>/` with dataset.json, rows.jsonl and problems.jsonl, written once, never changed.

A folder appears whole or not at all. The source file is read and never touched.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.detect import detect
from engine.data.findings import findings_of
from engine.data.nouns import Dataset, DatasetRow, Format, Limits, LineProblem, Mapping, Row
from engine.data.read import read_records
from engine.data.roles import columns_of
from engine.data.scan import Tally, nothing_usable, sample_records, scan, settle
from engine.data.split import split_rows
from engine.spec.files import read_struct, rename, sync_folder, write_struct
from engine.spec.prepared import Split

FORMAT = 1
DEFAULT_SEED = 42
ABANDONED_SECONDS = 24 * 3600.0
_ENCODER = msgspec.json.Encoder()


def import_file(
    datasets: Path,
    source: Path,
    *,
    name: str = "",
    mapping: Mapping | None = None,
    seed: int = DEFAULT_SEED,
    limits: Limits | None = None,
) -> Dataset:
    """Import a file as a dataset; the same content, mapping and seed again finds the one that is there.

    Raises DataError when the file cannot be read, its columns must be mapped first, or no row can be used;
    StorageError when the disk refuses.
    """
    limits = limits or Limits()
    format = detect(source, limits)
    sample = sample_records(source, format)
    if not sample:
        raise _no_records(source, format)
    _, mapping = settle(source, format, sample, mapping)
    work = new_work_folder(datasets)
    try:
        dataset = _write(work, source, format, mapping, seed, name, columns_of(sample), limits)
        return _place(work, datasets / dataset.id, dataset)
    except OSError as error:
        raise from_os(error, f"importing {source.name}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def new_work_folder(parent: Path) -> Path:
    """A fresh `.work-…` folder; those left by a process killed over a day ago are removed. Raises StorageError."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(".work-*"):
            if time.time() - old.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        work = parent / f".work-{uuid.uuid4().hex[:8]}"
        work.mkdir()
    except OSError as error:
        raise from_os(error, f"making a folder in {parent.name}") from error
    return work


def _no_records(source: Path, format: Format) -> DataError:
    tally = Tally()
    for each in read_records(source, format):
        if isinstance(each, LineProblem):
            tally.refuse(each)
    return nothing_usable(source, tally)


def _place(work: Path, folder: Path, dataset: Dataset) -> Dataset:
    """Put the finished folder in its place, unless the same dataset is there already."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return read_struct(folder / "dataset.json", Dataset)
    shutil.rmtree(folder, ignore_errors=True)  # there is none, or one that was broken from outside
    rename(work, folder)
    sync_folder(folder.parent)
    return dataset


def _write(
    work: Path,
    source: Path,
    format: Format,
    mapping: Mapping,
    seed: int,
    name: str,
    columns: tuple[str, ...],
    limits: Limits,
) -> Dataset:
    tally, digest = Tally(), hashlib.sha256()
    lines: list[int] = []
    with (work / "rows.tmp").open("wb") as rows, (work / "problems.jsonl").open("wb") as problems:
        for each in scan(source, format, mapping, tally):
            if isinstance(each, LineProblem):
                problems.write(_ENCODER.encode(each) + b"\n")
            else:
                data = _ENCODER.encode(each[1]) + b"\n"
                lines.append(each[0])
                digest.update(data)
                rows.write(data)
    if not tally.rows:
        raise nothing_usable(source, tally)
    sides = split_rows(tally.hashes, seed)
    _write_rows(work, lines, sides)
    content = digest.hexdigest()
    dataset = Dataset(
        format=FORMAT,
        id=hashlib.sha256(f"{content}:{seed}".encode()).hexdigest()[:12],
        name=name or source.name.removesuffix(".gz").rsplit(".", 1)[0],
        hash=content,
        rows=tally.rows,
        train_rows=sides.count("train"),
        validation_rows=sides.count("validation"),
        seed=seed,
        shape=mapping.shape,
        mapping=mapping,
        source=source.name,
        source_format=format.name,
        encoding=format.encoding,
        made=time.time(),
        problems=tally.problem_count,
        duplicates=tally.duplicates,
        characters=tally.characters,
        answer_characters=tally.answer_characters,
        longest_characters=tally.longest,
        findings=tuple(findings_of(tally, format, mapping, columns, limits)),
    )
    write_struct(work / "dataset.json", dataset)
    return dataset


def _write_rows(work: Path, lines: list[int], sides: tuple[Split, ...]) -> None:
    """rows.jsonl: the rows again, each with its line and its side, which only the whole file could tell."""
    decoder = msgspec.json.Decoder(Row)
    with (work / "rows.tmp").open("rb") as source, (work / "rows.jsonl").open("wb") as target:
        for data, line, side in zip(source, lines, sides, strict=True):
            row = decoder.decode(data)
            target.write(
                _ENCODER.encode(DatasetRow(line=line, split=side, messages=row.messages, text=row.text)) + b"\n"
            )
    (work / "rows.tmp").unlink()


def list_datasets(datasets: Path) -> list[Dataset]:
    """Every readable dataset, the newest first."""
    found: list[Dataset] = []
    for file in datasets.glob("[!.]*/dataset.json"):
        try:
            found.append(read_struct(file, Dataset))
        except (OSError, msgspec.MsgspecError):
            continue
    return sorted(found, key=lambda each: each.made, reverse=True)


def load_dataset(datasets: Path, wanted: str) -> Dataset:
    """The dataset with this id, unambiguous beginning of an id, or name. Raises DataError with the choices."""
    known = list_datasets(datasets)
    for matches in (
        [each for each in known if each.id == wanted],
        [each for each in known if each.name == wanted],
        [each for each in known if len(wanted) >= 3 and each.id.startswith(wanted)],
        [each for each in known if each.name.casefold() == wanted.casefold()],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise _ambiguous(wanted, matches)
    raise _unknown(wanted, known)


def _ambiguous(wanted: str, matches: list[Dataset]) -> DataError:
    return DataError(
        f"“{wanted}” could be several datasets.",
        "; ".join(f"{each.id} ({each.name}, {each.rows:,} rows)" for each in matches),
        "Name the one you mean by its id.",
    )


def _unknown(wanted: str, known: list[Dataset]) -> DataError:
    if not known:
        return DataError(
            f"There is no dataset “{wanted}”.", "Nothing has been imported yet.", "Import a data file first."
        )
    near = difflib.get_close_matches(wanted, [each.name for each in known] + [each.id for each in known], 1)
    listed = ", ".join(f"{each.name} ({each.id})" for each in known[:10])
    return DataError(
        f"There is no dataset “{wanted}”.",
        f"There are: {listed}{' and more' if len(known) > 10 else ''}.",
        f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
        "Or import a data file first.",
    )


def read_rows(datasets: Path, dataset: str, split: Split | None = None) -> Iterator[DatasetRow]:
    """The rows of a dataset (by id), in order; of one side, when named. Raises DataError when it is damaged."""
    yield from rows_in(datasets / dataset, split)


def rows_in(folder: Path, split: Split | None = None) -> Iterator[DatasetRow]:
    """The rows in a dataset's folder. Raises DataError when the folder is damaged."""
    decoder = msgspec.json.Decoder(DatasetRow)
    try:
        with (folder / "rows.jsonl").open("rb") as file:
            for data in file:
                row = decoder.decode(data)
                if split is None or row.split == split:
                    yield row
    except FileNotFoundError as error:
        raise damaged(folder, "its rows are missing") from error
    except msgspec.MsgspecError as error:
        raise damaged(folder, f"a row cannot be read ({error})") from error


def read_problems(datasets: Path, dataset: str) -> list[LineProblem]:
    """Every record of the source file that could not be used."""
    decoder = msgspec.json.Decoder(LineProblem)
    with (datasets / dataset / "problems.jsonl").open("rb") as file:
        return [decoder.decode(line) for line in file]


def damaged(folder: Path, how: str) -> DataError:
    """The card for a dataset folder that was changed or broken from outside."""
    return DataError(
        f"The dataset in {folder.name} is damaged.",
        f"In its folder {how}.",
        "Delete it and import the file again.",
    )


def first_questions(datasets: Path, dataset: str, count: int) -> tuple[str, ...]:
    """What is asked first in the first held-out rows; empty when the dataset is gone or has no questions."""
    questions: list[str] = []
    try:
        for row in read_rows(datasets, dataset, "validation"):
            asked = [message.content for message in row.messages if message.role == "user"]
            questions += asked[:1]
            if len(questions) == count:
                break
    except DataError:
        return ()
    return tuple(questions)
