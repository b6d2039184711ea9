"""JSON read piece by piece: arrays of records, lines of records, an object with a list of records inside, or columns.

A broken record costs itself and not the file; each record knows its line. Knows nothing of what its fields mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

import msgspec

from engine.data.by_columns import read_columns
from engine.data.nouns import BadRow, JsonValue, Record
from engine.data.window import CHUNK, Window

FIRST_LIST = re.compile(r'\{\s*"(?!messages|conversation)(?:[^"\\]|\\.)*"\s*:\s*\[\s*(?=\{)')
CHAT_KEYS = ("messages", "conversations", "conversation", "chat", "dialog", "dialogue", "turns")
TOO_DEEP = "A value is nested too deeply, or a number is too long."
TORN_FIX = "The file was cut off here: make or download it again to get the rest."


def read_lines(file: IO[str]) -> Iterator[Record | BadRow]:
    """JSON lines: one record a line. Blank lines, byte order marks and commas at the end of a line are overlooked."""
    blank = False
    for number, line in enumerate(_physical_lines(file), start=1):
        if line.strip():
            found = _line(number, line)
            if blank and isinstance(found, Record) and not found.mended:
                found = msgspec.structs.replace(found, mended="a blank line before it")
            yield found
        blank = not line.strip()


def _physical_lines(file: IO[str]) -> Iterator[str]:
    r"""Lines that end in \n alone: JSON strings hold no raw line breaks, but a lone \r may stand between tokens."""
    rest = ""
    while chunk := file.read(CHUNK):
        lines = (rest + chunk).split("\n")
        rest = lines.pop()
        yield from lines
    if rest:
        yield rest


def _line(number: int, line: str) -> Record | BadRow:
    mended = ""
    if line.startswith("\ufeff"):
        line, mended = line.lstrip("\ufeff"), "a byte order mark inside the file"
    try:
        return _record(number, json.loads(line), mended)
    except json.JSONDecodeError as error:
        bare = line.rstrip()
        if error.msg == "Extra data" and bare.endswith(",") and error.pos == len(bare) - 1:
            return _record(number, json.loads(bare[:-1]), "a comma at the end of the line")
        problem = f"This is not valid JSON: {_say(error.msg)} (character {error.colno})."
        return BadRow(line=number, column=error.colno, problem=problem, remedy=_json_fix(error))
    except (ValueError, RecursionError):
        return BadRow(line=number, problem=TOO_DEEP, remedy="Shorten it.")


def _say(message: str) -> str:
    return f"{message[:1].lower()}{message[1:]}"


def _json_fix(error: json.JSONDecodeError) -> str:
    if "Unterminated string" in error.msg:
        return 'Close the text with a quotation mark ("); if this is the last line, the file was cut off.'
    if "property name" in error.msg:
        return "Names stand in double quotation marks, and no comma stands before a closing bracket."
    return "Check commas, colons, brackets and quotation marks there."


def _record(line: int, value: JsonValue, mended: str = "") -> Record | BadRow:
    """An object is a record; a list is a conversation; a text is a row of plain text."""
    if value == {}:
        return BadRow(line=line, problem="The record is empty.", remedy="Fill it in, or remove it.")
    if isinstance(value, dict):
        inner = value.get("row")
        if isinstance(inner, dict) and "row_idx" in value:  # a dataset viewer's export wraps each row
            return Record(line, inner, mended)
        return Record(line, value, mended)
    if isinstance(value, list):
        return Record(line, {"messages": value}, mended)
    if isinstance(value, str):
        return Record(line, {"text": value}, mended)
    return BadRow(line=line, problem="This is not a record but a single value.", remedy="Write each row as {…}.")


def read_document(file: IO[str]) -> Iterator[Record | BadRow]:
    """The records of a JSON document: an array, objects one after the other, a list inside an object, or columns.

    Read as a stream, twice where an object must be known whole.
    """
    window = Window(file)
    if window.take("["):
        yield from _elements(window)
        return
    fields = _outline(window)
    file.seek(0)
    window = Window(file)
    if fields is None:
        yield from _sequence(window)
    elif key := _list_key(fields):
        yield from _inside(window, key)
        yield from _left_out(fields, key)
    elif _is_split(fields):
        yield from _split(window)
    elif _is_columns(fields):
        yield from read_columns(window)
    else:
        yield _record(window.line, window.value())


def _elements(window: Window) -> Iterator[Record | BadRow]:
    """The elements of an array whose bracket was stepped over."""
    while not window.take("]"):
        if not window.peek():
            yield BadRow(line=window.line, problem="The file ends in the middle of its list.", remedy=TORN_FIX)
            return
        line = window.line
        try:
            yield _record(line, window.value())
        except (ValueError, RecursionError) as error:
            yield _broken(window, error)
            if _torn(window, error) or not window.skip_record():
                return
            continue
        window.take(",")


def _torn(window: Window, error: ValueError | RecursionError) -> bool:
    return isinstance(error, json.JSONDecodeError) and window.torn(error)


def _broken(window: Window, error: ValueError | RecursionError) -> BadRow:
    if not isinstance(error, json.JSONDecodeError):
        return BadRow(line=window.line, problem=TOO_DEEP, remedy="Shorten it.")
    if _torn(window, error):
        return BadRow(line=window.line, problem="The file ends in the middle of this record.", remedy=TORN_FIX)
    column = window.column_of(error.pos)
    problem = f"This record is not valid JSON: {_say(error.msg)} (character {column})."
    return BadRow(line=window.lines_to(error.pos), column=column, problem=problem, remedy=_json_fix(error))


def _sequence(window: Window) -> Iterator[Record | BadRow]:
    """Objects one after the other, pretty-printed or not; or the first list of a document that is cut off."""
    window.peek()
    if window.enter(FIRST_LIST):
        yield from _elements(window)
        return
    while window.peek():
        try:
            yield _record(window.line, window.value())
        except (ValueError, RecursionError) as error:
            yield _broken(window, error)
            if _torn(window, error) or not window.skip_record():
                return
        window.take(",")


class _Field(msgspec.Struct, frozen=True):
    """A field of the whole document: how many values it has and how many of them are objects; the first one's names."""

    key: str
    size: int
    objects: int
    names: frozenset[str]
    listed: bool
    nested: bool


def _outline(window: Window) -> list[_Field] | None:
    """The fields of the one object that the document is; None when it is several, or broken."""
    fields: list[_Field] = []
    try:
        window.take("{")
        while not window.take("}"):
            key = window.value()
            if not isinstance(key, str) or not window.take(":"):
                return None
            fields.append(_field(key, window))
            if not window.take(",") and window.peek() != "}":
                return None
    except (ValueError, RecursionError):
        return None
    return fields if not window.peek() else None


def _field(key: str, window: Window) -> _Field:
    listed, nested = window.peek() == "[", window.peek() == "{"
    if not listed and not nested:
        window.value()
        return _Field(key, 0, 0, frozenset(), False, False)
    size = objects = 0
    names: frozenset[str] = frozenset()
    for value in window.members():
        size += 1
        if listed and isinstance(value, dict):
            names = names or frozenset(value)
            objects += 1
    return _Field(key, size, objects, names, listed, nested)


def _list_key(fields: list[_Field]) -> str:
    """The field with the longest list of objects, unless that list is one conversation."""
    lists = [each for each in fields if each.listed and each.objects * 2 > each.size]
    longest = max(lists, key=lambda each: each.size, default=None)
    return "" if longest is None or _is_talk(longest) else longest.key


def _is_talk(field: _Field) -> bool:
    """The field holds one conversation."""
    return field.key.lower() in CHAT_KEYS or {"role", "content"} <= field.names or {"from", "value"} <= field.names


def _inside(window: Window, wanted: str) -> Iterator[Record | BadRow]:
    """The elements of the list under this key."""
    window.take("{")
    while not window.take("}"):
        key = window.value()
        window.take(":")
        if key == wanted and window.take("["):
            yield from _elements(window)
            return
        window.value()
        window.take(",")


def _left_out(fields: list[_Field], read: str) -> Iterator[BadRow]:
    """Other lists of such records (train and test in one file): only one is read, and that is said."""
    names = next(each.names for each in fields if each.key == read)
    for each in fields:
        if each.key != read and names & each.names:
            problem = f"The list “{each.key}” with {each.size:,} records is not read; “{read}” is the longest one."
            yield BadRow(line=1, problem=problem, remedy="Put all records into one list, or into two files.")


def _is_split(fields: list[_Field]) -> bool:
    """Names and rows apart, as pandas writes with orient="split"."""
    listed = {each.key for each in fields if each.listed and not each.objects}
    return {"columns", "data"} <= listed


def _split(window: Window) -> Iterator[Record | BadRow]:
    """The rows of such a document; `columns` stands before `data` there."""
    names: list[str] = []
    window.take("{")
    while not window.take("}"):
        key = window.value()
        window.take(":")
        if key == "columns" and isinstance(named := window.value(), list):
            names = [str(each) for each in named]
        elif key == "data":
            break
        else:
            window.value()
        window.take(",")
    window.take("[")
    while not window.take("]"):
        line, values = window.line, window.value()
        if isinstance(values, list) and len(values) == len(names):
            yield Record(line, dict(zip(names, values, strict=True)))
        else:
            problem = f"This row is not a list of {len(names)} values, one for each column."
            yield BadRow(line=line, problem=problem, remedy="Write the names before the rows, and each row in full.")
        window.take(",")


def _is_columns(fields: list[_Field]) -> bool:
    """Every field is a list, or a table from row number to value, all of the same length."""
    even = len({each.size for each in fields}) == 1 and all(each.listed or each.nested for each in fields)
    return even and not any(map(_is_talk, fields))
