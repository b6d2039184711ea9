"""JSON read piece by piece: arrays of records, lines of records, an object with a list of records inside, or columns.

A broken record costs itself and not the file; each record knows its line. Knows nothing of what its fields mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

import msgspec

from engine.data.nouns import BadRow, JsonValue, Record

CHUNK = 1 << 20
SPACE = re.compile(r"\s*")
NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")
FIRST_LIST = re.compile(r'\{\s*"(?!messages|conversation)(?:[^"\\]|\\.)*"\s*:\s*\[\s*(?=\{)')
CHAT_KEYS = ("messages", "conversations", "conversation", "chat", "dialog", "dialogue", "turns")
TOO_DEEP = "A value is nested too deeply, or a number is too long."
COLUMN_CELLS = 4_000_000
"""Values that a document by columns may have: it is held in memory, a few hundred bytes a value."""
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


class _Window:
    """A text read as far as it is needed, with the line at which the reader stands."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._ended = False
        self._before = 0
        self.line = 1

    def _more(self) -> bool:
        chunk = "" if self._ended else self._file.read(max(CHUNK, len(self._text) - self._at))
        self._ended = not chunk
        if chunk:
            passed = self._text[: self._at]
            self._before = len(passed) - passed.rfind("\n") - 1 if "\n" in passed else self._before + len(passed)
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

    def column_of(self, position: int) -> int:
        """The character in its line, from 1, of a position in the text at hand."""
        start = self._text.rfind("\n", 0, position)
        return position - start if start >= 0 else self._before + position + 1

    def torn(self, error: json.JSONDecodeError) -> bool:
        """The value did not end because the file did."""
        at_end = error.pos >= len(self._text.rstrip()) - 1 or "Unterminated string" in error.msg
        return self._ended and at_end

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


def read_document(file: IO[str]) -> Iterator[Record | BadRow]:
    """The records of a JSON document: an array, objects one after the other, a list inside an object, or columns.

    Read as a stream, twice where an object must be known whole; only columns are held in memory.
    """
    window = _Window(file)
    if window.take("["):
        yield from _elements(window)
        return
    fields = _outline(window)
    file.seek(0)
    window = _Window(file)
    if fields is None:
        yield from _sequence(window)
    elif key := _list_key(fields):
        yield from _inside(window, key)
        yield from _left_out(fields, key)
    elif _is_split(fields):
        yield from _split(window)
    elif _is_columns(fields):
        yield from _columns(window, fields)
    else:
        yield _record(window.line, window.value())


def _elements(window: _Window) -> Iterator[Record | BadRow]:
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


def _torn(window: _Window, error: ValueError | RecursionError) -> bool:
    return isinstance(error, json.JSONDecodeError) and window.torn(error)


def _broken(window: _Window, error: ValueError | RecursionError) -> BadRow:
    if not isinstance(error, json.JSONDecodeError):
        return BadRow(line=window.line, problem=TOO_DEEP, remedy="Shorten it.")
    if _torn(window, error):
        return BadRow(line=window.line, problem="The file ends in the middle of this record.", remedy=TORN_FIX)
    column = window.column_of(error.pos)
    problem = f"This record is not valid JSON: {_say(error.msg)} (character {column})."
    return BadRow(line=window.lines_to(error.pos), column=column, problem=problem, remedy=_json_fix(error))


def _sequence(window: _Window) -> Iterator[Record | BadRow]:
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


def _outline(window: _Window) -> list[_Field] | None:
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


def _field(key: str, window: _Window) -> _Field:
    if not window.take("["):
        value = window.value()
        nested = isinstance(value, dict)
        return _Field(key, len(value) if isinstance(value, dict) else 0, 0, frozenset(), False, nested)
    size = objects = 0
    names: frozenset[str] = frozenset()
    while not window.take("]"):
        value = window.value()
        size += 1
        if isinstance(value, dict):
            names = names or frozenset(value)
            objects += 1
        if not window.take(",") and window.peek() != "]":
            raise ValueError("no comma between two values")
    return _Field(key, size, objects, names, True, False)


def _list_key(fields: list[_Field]) -> str:
    """The field with the longest list of objects, unless that list is one conversation."""
    lists = [each for each in fields if each.listed and each.objects * 2 > each.size]
    longest = max(lists, key=lambda each: each.size, default=None)
    return "" if longest is None or longest.key.lower() in CHAT_KEYS else longest.key


def _inside(window: _Window, wanted: str) -> Iterator[Record | BadRow]:
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


def _split(window: _Window) -> Iterator[Record | BadRow]:
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
    return even and not any(each.key.lower() in CHAT_KEYS for each in fields)


def _columns(window: _Window, fields: list[_Field]) -> Iterator[Record | BadRow]:
    """Rows out of columns, as pandas writes them."""
    cells = sum(each.size for each in fields)
    if cells > COLUMN_CELLS:
        problem = f"The document is written by columns and has {cells:,} values, too many to turn into rows here."
        yield BadRow(line=1, problem=problem, remedy="Save it by rows: df.to_json(…, orient='records', lines=True).")
        return
    whole = window.value()
    assert isinstance(whole, dict)
    lists = [list(value.values()) if isinstance(value, dict) else value for value in whole.values()]
    columns = [column for column in lists if isinstance(column, list)]
    for number, values in enumerate(zip(*columns, strict=True), start=1):
        yield Record(number, dict(zip(whole, values, strict=True)))
