"""Tables of text: which delimiter, quoting and header they have, and their records with true line numbers.

A quoted value may span lines; a quote that never closes spoils only its own line. Knows nothing of what columns mean.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from io import StringIO

import msgspec

from engine.data.nouns import BadRow, JsonValue, Record
from engine.data.vocabulary import is_known, is_text_name

DELIMITERS = (",", "\t", ";", "|")
RECORD_LINES = 5_000
"""A quote that has not closed after so many lines is taken for a stray one."""
FIELD_CHARACTERS = 64 * 1024 * 1024
SNIFFED = 200
NUMBER = re.compile(r"[-+]?[\d.,]+%?")


class Dialect(msgspec.Struct, frozen=True):
    """How a table is written."""

    delimiter: str
    escape: str
    header: bool


class Fields(msgspec.Struct, frozen=True):
    """One record's values and the line it starts on."""

    line: int
    values: list[str]


class _Lines:
    """Physical lines that can be given back: a stray quote swallows what follows, which must be read again."""

    def __init__(self, source: Iterable[str]) -> None:
        self._source = iter(source)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.line = 0
        self.gave_up = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= RECORD_LINES:
            self.gave_up = True
            raise StopIteration
        text = self._again.popleft() if self._again else next(self._source)
        self.taken.append(text)
        return text

    def accept(self) -> None:
        """The record is whole; the next one starts after it."""
        self.line += len(self.taken)
        self.taken = []

    def retry(self) -> None:
        """Only the first line is spoiled; read the others again."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.line += 1
        self.taken = []
        self.gave_up = False


def split_table(lines: Iterable[str], delimiter: str, escape: str = "") -> Iterator[Fields | BadRow]:
    """The records of a table, blank lines left out, with the line each starts on."""
    csv.field_size_limit(FIELD_CHARACTERS)
    source = _Lines(lines)
    while True:
        reader = csv.reader(source, delimiter=delimiter, escapechar=escape or None, strict=True)
        try:
            for values in reader:
                start = source.line + 1
                source.accept()
                if values:
                    yield Fields(start, values)
            return
        except csv.Error as error:
            yield _quoting_problem(source.line + 1, str(error))
            source.retry()


def _quoting_problem(line: int, error: str) -> BadRow:
    if "end of data" in error:
        return BadRow(
            line=line, problem="A quotation mark opens here and never closes.", remedy="Close it, or remove it."
        )
    if "field limit" in error:
        return BadRow(line=line, problem="A value is longer than 64 million characters.", remedy="Shorten it.")
    return BadRow(
        line=line,
        problem="A quotation mark stands in the middle of a quoted value.",
        remedy='Write quotation marks inside a value twice: "".',
    )


def read_table(lines: Iterable[str], dialect: Dialect) -> Iterator[Record | BadRow]:
    """Records by column name. A record with more or fewer values than columns is a problem."""
    names: list[str] | None = None
    for each in split_table(lines, dialect.delimiter, dialect.escape):
        if isinstance(each, BadRow):
            yield each
        elif names is None and each.line == 1 and _is_hint(each.values):
            continue
        elif names is None and dialect.header:
            names = column_names(each.values)
        else:
            if names is None:
                names = [f"column_{number}" for number in range(1, len(each.values) + 1)]
            yield _record(each, names)


def _is_hint(values: list[str]) -> bool:
    """Excel's first line that names the delimiter, `sep=;`."""
    return values[0].lower().lstrip("\ufeff") == "sep=" and not any(values[1:])


def _record(fields: Fields, names: list[str]) -> Record | BadRow:
    found, wanted = len(fields.values), len(names)
    if found != wanted:
        remedy = "Put values that contain the delimiter or a line break in quotation marks."
        if found < wanted:
            remedy = "Add the missing values; a last line like this is often cut off."
        problem = f"It has {found} values where {wanted} columns belong."
        column = names[found] if found < wanted else f"column_{wanted + 1}"
        return BadRow(line=fields.line, column=column, problem=problem, remedy=remedy)
    values: dict[str, JsonValue] = dict(zip(names, fields.values, strict=True))
    return Record(fields.line, values)


def column_names(header: list[str]) -> list[str]:
    """The header's names: trimmed, none empty, none twice."""
    names: dict[str, None] = {}
    for number, cell in enumerate(header, start=1):
        base = cell.strip().lstrip("\ufeff") or f"column_{number}"
        name, copy = base, 2
        while name in names:
            name, copy = f"{base}_{copy}", copy + 1
        names[name] = None
    return list(names)


def sniff(text: str) -> Dialect | None:
    """How the text is a table, or None when it is not one."""
    tried = [found for mark in DELIMITERS if (found := _try(text, mark))]
    if tried:
        return max(tried, key=lambda pair: pair[0])[1]
    first = text.lstrip("\ufeff").split("\n", 1)
    if len(first) == 2 and is_text_name(first[0].strip().strip('"')):
        return Dialect(",", "", True)
    return None


def _try(text: str, delimiter: str) -> tuple[tuple[int, float, int], Dialect] | None:
    """How well the delimiter explains the text: known names in the header, share of even rows, columns."""
    rows, broken = _first_rows(text, delimiter, "")
    escape = ""
    if broken and '\\"' in text:
        other, still = _first_rows(text, delimiter, "\\")
        if still < broken:
            rows, broken, escape = other, still, "\\"
    if not rows or len(rows[0]) < 2:
        return None
    width = len(rows[0])
    even = sum(len(row) == width for row in rows) / (len(rows) + broken)
    known = sum(is_known(cell) for cell in rows[0])
    header = known > 0 or _has_header(rows)
    if not _convincing(rows, delimiter, even, known, header):
        return None
    return (min(known, 2), even, width), Dialect(delimiter, escape, header)


def _first_rows(text: str, delimiter: str, escape: str) -> tuple[list[list[str]], int]:
    rows: list[list[str]] = []
    broken = 0
    for each in split_table(StringIO(text, newline=""), delimiter, escape):
        if isinstance(each, BadRow):
            broken += 1
        elif rows or not _is_hint(each.values):
            rows.append(each.values)
        if len(rows) + broken >= SNIFFED:
            break
    return rows, broken


def _convincing(rows: list[list[str]], delimiter: str, even: float, known: int, header: bool) -> bool:
    """A table and not prose with commas in it."""
    if known and (len(rows) == 1 or even >= 0.3) and _name_like(rows[0]):
        return True
    if len(rows) < 2 or even < 0.8:
        return False
    if delimiter == "\t":
        return True
    cells = [cell for row in rows for cell in row[1:]]
    spaced = sum(cell[:1] == " " for cell in cells)
    return spaced * 2 <= len(cells) and (header or (len(rows) >= 3 and even == 1.0))


def _name_like(cells: list[str]) -> bool:
    """Short, distinct, not numbers, not sentences: cells that could be names of columns."""
    stripped = [cell.strip() for cell in cells]
    return len(set(stripped)) == len(stripped) and all(
        cell and len(cell) <= 48 and not NUMBER.fullmatch(cell) and len(cell.split()) <= 4 and cell[-1] not in ".!?"
        for cell in stripped
    )


def _has_header(rows: list[list[str]]) -> bool:
    """The first row names the columns: it looks like names, and some column below looks like anything else."""
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if not _name_like(first) or not rest:
        return False
    for index, name in enumerate(first):
        column = [row[index] for row in rest]
        if Counter(column)[name]:
            return False
        if all(NUMBER.fullmatch(cell.strip()) for cell in column if cell.strip()):
            return True
    body = sum(len(cell) for row in rest for cell in row) / len(rest)
    return body > 2 * sum(len(cell) for cell in first)
