"""The records of a source, streamed: good ones and bad ones, each with its line, none dropped silently.

Knows how each format is read, nothing of what the columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO

import msgspec

from engine.core.errors import from_os
from engine.data.detect import open_text
from engine.data.documents import read_document, read_lines
from engine.data.frames import read_frame
from engine.data.nouns import BadRow, Format, Record
from engine.data.packing import NAMES
from engine.data.paragraphs import read_text
from engine.data.sources import Part, Source
from engine.data.tables import Dialect, read_table

SAMPLED = 1_000
SAMPLED_CELLS = 300_000
Progress = Callable[[int, int], None]
"""Told how many bytes of how many were read."""
TOLD_EVERY = 500


def read_source(source: Source, progress: Progress | None = None) -> Iterator[Record | BadRow]:
    """Every record of every part, or what is wrong with it. Raises StudioError when the disk refuses."""
    yield from source.skipped
    several = len(source.parts) > 1
    total, done = sum(each.piece.path.stat().st_size for each in source.parts), 0
    for part in source.parts:
        for each in read_part(part, _shifted(progress, done, total)):
            yield msgspec.structs.replace(each, file=part.piece.name) if several else each
        done += part.piece.path.stat().st_size


def _shifted(progress: Progress | None, done: int, total: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda count: progress(min(total, done + count), total)


def sample_of(source: Source) -> list[Record]:
    """The first good records of each part, fewer where they are wide."""
    share = max(20, SAMPLED // len(source.parts))
    return [each for part in source.parts[:SAMPLED] for each in _first(part, share)]


def _first(part: Part, count: int) -> Iterator[Record]:
    cells = 0
    good = (each for each in read_part(part) if isinstance(each, Record))
    for each in islice(good, count):
        yield each
        cells += len(each.values)
        if cells > SAMPLED_CELLS:
            return


def read_part(part: Part, told: Callable[[int], None] | None = None) -> Iterator[Record | BadRow]:
    """The records of one file. The last one of a file that is torn is not to be trusted, and is bad."""
    if part.format.name in ("parquet", "arrow"):
        yield from read_frame(part.piece, part.format)
        return
    try:
        file, stream = open_text(part.piece, part.format)
        with file:
            held: Record | BadRow | None = None
            for number, each in enumerate(_text_format(file, part.format)):
                if held is not None:
                    yield held
                held = each
                if told is not None and number % TOLD_EVERY == 0:
                    told(stream.consumed)
            if told is not None:
                told(stream.consumed)
            if stream.torn:
                yield _torn(held.line if held else 1, part.format)
            elif held is not None:
                yield held
    except OSError as error:
        raise from_os(error, f"reading {part.piece.name}") from error


def _torn(line: int, format: Format) -> BadRow:
    return BadRow(
        line=line,
        problem=f"The {NAMES[format.packing]} is cut off or damaged in this row; what follows is missing.",
        remedy="Make or download the file again to get the rest.",
    )


def _text_format(file: IO[str], format: Format) -> Iterator[Record | BadRow]:
    match format.name:
        case "csv" | "tsv":
            return read_table(file, Dialect(format.delimiter, format.escape, format.header))
        case "jsonl":
            return read_lines(file)
        case "json":
            return read_document(file)
        case _:
            return read_text(file, format.text_rows)
