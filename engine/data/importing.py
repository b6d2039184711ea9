"""From a source to `datasets/<id>/`: rows.jsonl, problems.jsonl, dataset.json, written once, whole or not at all.

The source is read and never touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import time
import uuid
from array import array
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from engine.core.errors import from_os
from engine.data.appraise import Appraisal, appraise, write_quality
from engine.data.columns import columns_of
from engine.data.convert import convert
from engine.data.nouns import BadRow, Dataset, Format, Limits, Mapping, Record, Row, SplitPlan, TextRows
from engine.data.quality_report import OFFSETS
from engine.data.read import Progress, read_source, sample_of
from engine.data.records import keeping
from engine.data.scan import declared_mapping, nothing_usable, scan, settle, settle_split
from engine.data.sources import Source, open_source
from engine.data.split import SIDES
from engine.data.tally import Tally
from engine.spec.files import read_struct, rename, sync_folder, write_struct

FORMAT = 2
DEFAULT_SEED = 42
ABANDONED_SECONDS = 24 * 3600.0
ENDINGS = (".gz", ".zst", ".zip")
_ENCODER = msgspec.json.Encoder()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an import was asked for, settled. `source` is the name of the file."""

    source: str
    format: Format
    name: str
    mapping: Mapping
    split: SplitPlan
    columns: tuple[str, ...]
    limits: Limits


def import_file(
    datasets: Path,
    source: Path | Sequence[Path],
    *,
    name: str = "",
    mapping: Mapping | None = None,
    seed: int = DEFAULT_SEED,
    split: SplitPlan | None = None,
    limits: Limits | None = None,
    text_rows: TextRows = "auto",
    progress: Progress | None = None,
) -> Dataset:
    """Import files as a dataset; the same content, mapping and split again finds the one that is there.

    Raises DataError when the source cannot be read, its columns must be mapped first, or no row can be used;
    StorageError when the disk refuses.
    """
    limits = limits or Limits()
    opened = open_source(source, limits, text_rows)
    sample = sample_of(opened)
    if not sample:
        raise nothing_usable(opened.name, _counted(opened))
    given = mapping or declared_mapping(opened, sample)
    _, mapping = settle(opened.name, partial(read_source, opened), sample, given)
    plan = settle_split(opened, sample, split or SplitPlan(seed=seed))
    job = Job(
        source=opened.name,
        format=opened.format,
        name=name or named(opened.path),
        mapping=mapping,
        split=plan,
        columns=columns_of(sample),
        limits=limits,
    )
    work = new_work_folder(datasets)
    try:
        records = keeping(read_source(opened, progress), work)
        tally = Tally(mapping, plan)
        rows = scan(records, partial(convert, mapping=mapping), tally, opened.side)
        dataset = write_dataset(work, job, tally, rows)
        return place(work, datasets / dataset.id, dataset)
    except OSError as error:
        raise from_os(error, f"importing {opened.name}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def named(path: Path) -> str:
    """What a dataset is called after its file: without the endings of packing and format."""
    name = path.name or path.absolute().name
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name.rsplit(".", 1)[0] or name


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


def _counted(source: Source) -> Tally:
    """What is wrong with a source that has no record."""
    tally = Tally()
    for each in read_source(source):
        if isinstance(each, BadRow):
            tally.refuse(each)
    return tally


def place(work: Path, folder: Path, dataset: Dataset) -> Dataset:
    """Put the finished folder in its place, unless the same dataset is there already."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return read_struct(folder / "dataset.json", Dataset)
    shutil.rmtree(folder, ignore_errors=True)  # there is none, or one that was broken from outside
    rename(work, folder)
    sync_folder(folder.parent)
    return dataset


def write_dataset(work: Path, job: Job, tally: Tally, scanned: Iterable[tuple[Record, Row] | BadRow]) -> Dataset:
    """Write what `scan` gives as a dataset into the folder `work`. Raises DataError without one row, and OSError."""
    digest = hashlib.sha256()
    lines = array("q")
    files: list[str] = []
    with (work / "rows.tmp").open("wb") as rows, (work / "problems.jsonl").open("wb") as problems:
        for each in scanned:
            if isinstance(each, BadRow):
                problems.write(_ENCODER.encode(each) + b"\n")
                continue
            record, row = each
            data = _ENCODER.encode(row) + b"\n"
            lines.append(record.line)
            if record.file and (not files or files[-1] != record.file):
                files.append(record.file)
                lines[-1] = -record.line  # a new file begins here
            digest.update(data)
            rows.write(data)
    if not tally.rows:
        raise nothing_usable(job.source, tally)
    seen = appraise(tally, job.split, job.format, job.mapping, job.columns, job.limits)
    _write_rows(work, lines, files, seen.sides)
    write_quality(work, seen, tally)
    dataset = _dataset(job, tally, seen, digest.hexdigest())
    write_struct(work / "dataset.json", dataset)
    return dataset


def _write_rows(work: Path, lines: array[int], files: list[str], sides: bytes) -> None:
    """rows.jsonl: the rows again, each with its line and its side, which only the whole file could tell."""
    heads = [b'"split":"%s",' % side.encode() for side in SIDES]
    names = iter(files)
    file, at, offsets = b"", 0, array("Q")
    with (work / "rows.tmp").open("rb") as source, (work / "rows.jsonl").open("wb") as target:
        for data, line, side in zip(source, lines, sides, strict=True):
            if line < 0:
                file = b'"file":%s,' % _ENCODER.encode(next(names))
            offsets.append(at)
            at += target.write(b'{"line":%d,%s%s%s' % (abs(line), heads[side], file, data[1:]))
    write_offsets(work, offsets)
    (work / "rows.tmp").unlink()


def write_offsets(folder: Path, offsets: array[int]) -> None:
    """Where each row begins in rows.jsonl, little-endian. Raises OSError."""
    if sys.byteorder == "big":
        offsets.byteswap()
    (folder / OFFSETS).write_bytes(offsets.tobytes())


def dataset_id(content: str, split: SplitPlan, sides: bytes, hidden: str = "") -> str:
    """The id of a dataset with these rows, divided so; `hidden` is the hash of the rows that are hidden."""
    divided = hashlib.sha256(content.encode() + _ENCODER.encode(split) + hashlib.sha256(sides).digest())
    divided.update(hidden.encode())
    return divided.hexdigest()[:12]


def _dataset(job: Job, tally: Tally, seen: Appraisal, content: str) -> Dataset:
    sides = seen.sides
    form = job.format
    return Dataset(
        format=FORMAT,
        id=dataset_id(content, job.split, sides),
        name=job.name,
        hash=content,
        rows=tally.rows,
        train_rows=sides.count(0),
        validation_rows=sides.count(1),
        test_rows=sides.count(2),
        split=job.split,
        schema=job.mapping.schema,
        mapping=job.mapping,
        source=job.source,
        source_format=form.name,
        encoding=form.encoding,
        made=time.time(),
        bad=tally.bad_count,
        duplicates=tally.duplicates,
        characters=tally.characters,
        answer_characters=tally.answer_characters,
        longest_characters=tally.longest,
        findings=seen.findings,
        text_rows=form.text_rows,
        imported_hash=content,
        score=seen.report.score,
    )
