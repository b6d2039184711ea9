"""Rows out of a JSON document written by columns, as pandas does: each column lies in a temporary file meanwhile.

Memory does not grow with the document; the file is about as large as it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from tempfile import TemporaryFile
from typing import IO

from engine.data.nouns import Record
from engine.data.window import Window

SMALLEST, TOGETHER = 1 << 12, 1 << 21
"""Bytes read at a time of one column, and of all of them together."""


def read_columns(window: Window) -> Iterator[Record]:
    """The rows of the object that comes next, whose fields are columns of the same length. Raises OSError."""
    names: list[str] = []
    bounds = [0]
    with TemporaryFile() as store:
        window.take("{")
        while not window.take("}"):
            names.append(str(window.value()))
            window.take(":")
            for value in window.members():
                store.write(json.dumps(value).encode() + b"\n")
            bounds.append(store.tell())
            window.take(",")
        size = max(SMALLEST, TOGETHER // max(1, len(names)))
        columns = [_lines(store, start, end, size) for start, end in pairwise(bounds)]
        for number, cells in enumerate(zip(*columns, strict=True), start=1):
            yield Record(number, dict(zip(names, map(json.loads, cells), strict=True)))


def _lines(store: IO[bytes], start: int, end: int, size: int) -> Iterator[bytes]:
    """The lines between two places of a file that others read, too."""
    rest = b""
    while start < end:
        store.seek(start)
        data = store.read(min(end - start, max(size, len(rest))))
        start += len(data)
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
