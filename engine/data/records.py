"""A dataset's source as it was read: every record and every bad line, packed, beside the rows made of them.

With it the columns can be mapped anew when the file itself has gone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.data.nouns import BadRow, Dataset, Record

RECORDS = "records.zst"
_GOOD, _BAD = b"+", b"-"


def keeping(records: Iterable[Record | BadRow], folder: Path) -> Iterator[Record | BadRow]:
    """The same records, written to the folder as they pass. Raises OSError."""
    import zstandard

    with (folder / RECORDS).open("wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw) as file:
        for each in records:
            file.write(_line(each))
            yield each


def _line(each: Record | BadRow) -> bytes:
    if isinstance(each, BadRow):
        return _BAD + msgspec.json.encode(each) + b"\n"
    return _GOOD + json.dumps([each.line, each.values, each.mended, each.file]).encode() + b"\n"


def records_in(folder: Path) -> Iterator[Record | BadRow]:
    """What the dataset was made of, in order. Raises DataError when it is not kept, and OSError."""
    import zstandard

    with (folder / RECORDS).open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        rest = b""
        while data := stream.read(1 << 20):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield msgspec.json.decode(line[1:], type=BadRow) if line[:1] == _BAD else Record(*json.loads(line[1:]))


def check_kept(folder: Path, dataset: Dataset) -> None:
    """Raises DataError when the dataset's records are not there."""
    if not (folder / RECORDS).is_file():
        raise DataError(
            f"The columns of {dataset.name} cannot be mapped anew.",
            "It was put together from other datasets, or imported before sources were kept.",
            "Import its file again, and say there which column is what.",
        )


def carry(source: Path, target: Path) -> None:
    """Give a new version the records of the one before, without a second copy where the disk can. Raises OSError."""
    if not (source / RECORDS).is_file():
        return
    try:
        os.link(source / RECORDS, target / RECORDS)
    except OSError:  # a file system without links
        shutil.copy(source / RECORDS, target)
