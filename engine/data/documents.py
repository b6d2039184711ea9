"""JSON read piece by piece: arrays of records, lines of records, an object with a list of records inside, or columns.

A broken record costs itself and not the file; each record knows its line. Knows nothing of what its fields mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

from engine.data.nouns import JsonValue, LineProblem, Record

CHUNK = 1 << 20
SPACE = re.compile(r"\s*")
NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")
FIRST_LIST = re.compile(r'\{\s*"(?!messages|conversation)(?:[^"\\]|\\.)*"\s*:\s*\[\s*(?=\{)')
CHAT_KEYS = ("messages", "conversations", "conversation", "chat", "dialog", "dialogue", "turns")
TORN_FIX = "The file was cut off here: make or download it again to get the rest."


def read_lines(file: IO[str]) -> Iterator[Record | LineProblem]:
    """JSON lines: one record a line; blank lines are passed over."""
    for number, line in enumerate(_physical_lines(file), start=1):
        if line.strip():
            yield _line(number, line)


def _physical_lines(file: IO[str]) -> Iterator[str]:
    r"""Lines that end in \n alone: JSON strings hold no raw line breaks, but a lone \r may stand between tokens."""
    rest = ""
    while chunk := file.read(CHUNK):
        lines = (rest + chunk).split("\n")
        rest = lines.pop()
        yield from lines
    if rest:
        yield rest


def _line(number: int, line: str) -> Record | LineProblem:
    try:
        return _record(number, json.loads(line))
    except json.JSONDecodeError as error:
        return LineProblem(line=number, what=f"This is not valid JSON: {_say(error)}.", fix=_json_fix(error))
    except (ValueError, RecursionError):
        return LineProblem(
            line=number, what="A value is nested too deeply, or a number is too long.", fix="Shorten it."
        )


def _say(error: json.JSONDecodeError) -> str:
    return f"{error.msg[:1].lower()}{error.msg[1:]} (column {error.colno})"


def _json_fix(error: json.JSONDecodeError) -> str:
    if "Unterminated string" in error.msg:
        return 'Close the text with a quotation mark ("); if this is the last line, the file was cut off.'
    if "property name" in error.msg:
        return "Names stand in double quotation marks, and no comma stands before a closing bracket."
    return "Check commas, colons, brackets and quotation marks there."


def _record(line: int, value: JsonValue) -> Record | LineProblem:
    """An object is a record; a list is a conversation; a text is a row of plain text."""
    if value == {}:
        return LineProblem(line=line, what="The record is empty.", fix="Fill it in, or remove it.")
    if isinstance(value, dict):
        inner = value.get("row")
        if isinstance(inner, dict) and "row_idx" in value:  # a dataset viewer's export wraps each row
            return Record(line, inner)
        return Record(line, value)
    if isinstance(value, list):
        return Record(line, {"messages": value})
    if isinstance(value, str):
        return Record(line, {"text": value})
    return LineProblem(line=line, what="This is not a record but a single value.", fix="Write each row as {…}.")


class _Window:
    """A text read as far as it is needed, with the line at which the reader stands."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def _more(self) -> bool:
        chunk = "" if self._ended else self._file.read(max(CHUNK, len(self._text) - self._at))
        self._ended = not chunk
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return not self._ended

    def _move(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            match = SPACE.match(self._text, self._at)
            self._move(match.end() if match else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, mark: str) -> bool:
        """Step over the next character if it is this one."""
        if self.peek() != mark:
            return False
        self._move(self._at + 1)
        return True

    def value(self) -> JsonValue:
        """The next whole value. Raises ValueError or RecursionError and stays before it."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.pos >= len(self._text) - 16 or "Unterminated string" in error.msg
                if unfinished and self._more():
                    continue
                raise
            self._move(end)
            return value

    def enter(self, opening: re.Pattern[str]) -> bool:
        """Step over what the pattern matches here."""
        match = opening.match(self._text, self._at)
        if match:
            self._move(match.end())
        return match is not None

    def lines_to(self, position: int) -> int:
        """The line of a position in the text at hand."""
        return self.line + self._text.count("\n", self._at, position)

    def torn(self, error: json.JSONDecodeError) -> bool:
        """The value did not end because the file did."""
        return self._ended and error.pos >= len(self._text.rstrip()) - 1

    def skip_record(self) -> bool:
        """Go to the next object after the broken one; False at the end."""
        while True:
            match = NEXT_OBJECT.search(self._text, self._at + 1)
            if match:
                self._move(match.end())
                return True
            keep = max(self._at + 1, len(self._text) - 256)
            self._move(min(keep, len(self._text)))
            if not self._more():
                self._move(len(self._text))
                return False


def read_document(file: IO[str]) -> Iterator[Record | LineProblem]:
    """The records of a JSON document: an array, objects one after the other, a list inside an object, or columns."""
    window = _Window(file)
    if window.take("["):
        yield from _elements(window)
        return
    file.seek(0)
    whole = _whole(file)
    file.seek(0)
    window = _Window(file)
    if whole is None:
        yield from _sequence(window)
    elif key := _list_key(whole):
        yield from _inside(window, key)
        yield from _left_out(whole, key)
    elif _is_columns(whole):
        yield from _columns(whole)
    else:
        yield _record(1, whole)


def _elements(window: _Window) -> Iterator[Record | LineProblem]:
    """The elements of an array whose bracket was stepped over."""
    while not window.take("]"):
        if not window.peek():
            yield LineProblem(line=window.line, what="The file ends in the middle of its list.", fix=TORN_FIX)
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


def _torn(window: _Window, error: ValueError | RecursionError) -> bool:
    return isinstance(error, json.JSONDecodeError) and window.torn(error)


def _broken(window: _Window, error: ValueError | RecursionError) -> LineProblem:
    if isinstance(error, json.JSONDecodeError):
        if _torn(window, error):
            return LineProblem(line=window.line, what="The file ends in the middle of this record.", fix=TORN_FIX)
        where = window.lines_to(error.pos)
        what = f"This record is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}."
        return LineProblem(line=where, what=what, fix=_json_fix(error))
    return LineProblem(line=window.line, what="A value is nested too deeply, or too long.", fix="Shorten it.")


def _whole(file: IO[str]) -> dict[str, JsonValue] | None:
    """The document as one object, or None when it is several, or broken."""
    try:
        value = json.load(file)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _sequence(window: _Window) -> Iterator[Record | LineProblem]:
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


def _list_key(whole: dict[str, JsonValue]) -> str:
    """The field with the longest list of objects, unless that list is one conversation."""
    lists = {key: value for key, value in whole.items() if isinstance(value, list) and value and _objects(value)}
    if not lists:
        return ""
    key = max(lists, key=lambda name: len(lists[name]))
    return "" if key.lower() in CHAT_KEYS else key


def _objects(values: list[JsonValue]) -> bool:
    return sum(isinstance(each, dict) for each in values) * 2 > len(values)


def _inside(window: _Window, wanted: str) -> Iterator[Record | LineProblem]:
    """The elements of one field of the outer object."""
    window.take("{")
    while not window.take("}"):
        key = window.value()
        window.take(":")
        if key == wanted and window.take("["):
            yield from _elements(window)
            return
        window.value()
        window.take(",")


def _left_out(whole: dict[str, JsonValue], read: str) -> Iterator[LineProblem]:
    """Other lists of such records (train and test in one file): only one is read, and that is said."""
    names = _names(whole[read])
    for key, value in whole.items():
        if key != read and isinstance(value, list) and names & _names(value):
            what = f"The list “{key}” with {len(value):,} records is not read; “{read}” is the longest one."
            yield LineProblem(line=1, what=what, fix="Put all records into one list, or into two files.")


def _names(values: JsonValue) -> set[str]:
    objects = [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
    return {name for each in objects[:1] for name in each}


def _is_columns(whole: dict[str, JsonValue]) -> bool:
    """Every field is a list, or a table from row number to value, all of the same length."""
    sizes = {len(value) for value in whole.values() if isinstance(value, list | dict)}
    even = len(sizes) == 1 and all(isinstance(value, list | dict) for value in whole.values())
    return even and not any(key.lower() in CHAT_KEYS for key in whole)


def _columns(whole: dict[str, JsonValue]) -> Iterator[Record]:
    lists = [list(value.values()) if isinstance(value, dict) else value for value in whole.values()]
    columns = [column for column in lists if isinstance(column, list)]
    for number, values in enumerate(zip(*columns, strict=True), start=1):
        yield Record(number, dict(zip(whole, values, strict=True)))
