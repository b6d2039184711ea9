"""The records of a file, streamed: good ones and problems, each with its line, none dropped silently.

Knows how each format is read, nothing of what the columns mean.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.core.errors import DataError, from_os
from engine.data.detect import cut_off, open_text
from engine.data.documents import read_document, read_lines
from engine.data.nouns import Format, JsonValue, LineProblem, Record
from engine.data.tables import Dialect, read_table

PARQUET_ROWS = 5_000


def read_records(path: Path, format: Format) -> Iterator[Record | LineProblem]:
    """Every record of the file, or what is wrong with it. Raises DataError when the file itself cannot be read."""
    if format.name == "parquet":
        yield from _parquet(path)
        return
    try:
        with open_text(path, format) as file:
            yield from _text_format(file, format)
    except EOFError as error:
        raise cut_off(path, "a gzip file") from error
    except OSError as error:
        raise from_os(error, f"reading {path.name}") from error


def _text_format(file: IO[str], format: Format) -> Iterator[Record | LineProblem]:
    match format.name:
        case "csv":
            return read_table(file, Dialect(format.delimiter, format.escape, format.header))
        case "jsonl":
            return read_lines(file)
        case "json":
            return read_document(file)
        case _:
            return _paragraphs(file)


def _paragraphs(file: IO[str]) -> Iterator[Record]:
    """Plain text: a row is a paragraph (blank lines part them); a text without blank lines has a row a line."""
    blank = any(not line.strip() for line in _inner_lines(file))
    file.seek(0)
    start, lines = 1, list[str]()
    for number, raw in enumerate(file, start=1):
        line = raw.rstrip("\r\n").lstrip("\ufeff" if number == 1 else "")
        if line.strip():
            start = start if lines else number
            lines.append(line)
        if lines and (not line.strip() or not blank):
            yield Record(start, {"text": "\n".join(lines)})
            lines = []
    if lines:
        yield Record(start, {"text": "\n".join(lines)})


def _inner_lines(file: IO[str]) -> Iterator[str]:
    """The lines between the first and the last that are not blank."""
    held: list[str] = []
    begun = False
    for line in file:
        if line.strip():
            yield from held
            begun, held = True, []
        elif begun and not held:
            held = [line]


def _parquet(path: Path) -> Iterator[Record | LineProblem]:
    import polars

    try:
        table = polars.scan_parquet(path, glob=False)
        total = table.select(polars.len()).collect().item()
        for start in range(0, total, PARQUET_ROWS):
            for offset, values in enumerate(table.slice(start, PARQUET_ROWS).collect().iter_rows(named=True)):
                yield Record(start + offset + 1, {name: _plain(value) for name, value in values.items()})
    except (polars.exceptions.PolarsError, OSError) as error:
        raise cut_off(path, "Parquet") from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # polars' own, derived from BaseException
            raise DataError(
                f"{path.name} cannot be read.",
                "It is a Parquet file, but its inside is damaged.",
                "Make the file again, or save it as CSV.",
            ) from error
        raise


def _plain(value: object) -> JsonValue:
    """A cell as JSON has it: times as ISO text, bytes as base64, decimals as text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case bytes():
            return base64.b64encode(value).decode()
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)
