"""A JSON text read as far as it is needed, value by value. Knows nothing of records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

from engine.data.nouns import JsonValue

CHUNK = 1 << 20
SPACE = re.compile(r"\s*")
NEXT_OBJECT = re.compile(r"\}\s*,?\s*(?=\{)")


class Window:
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

    def members(self) -> Iterator[JsonValue]:
        """The values of the list or object that comes next. Raises ValueError or RecursionError."""
        closing = "]" if self.take("[") else "}"
        if closing == "}" and not self.take("{"):
            raise ValueError("neither a list nor an object")
        while not self.take(closing):
            if closing == "}":
                self.value()
                if not self.take(":"):
                    raise ValueError("no colon after a name")
            yield self.value()
            if not self.take(",") and self.peek() != closing:
                raise ValueError("no comma between two values")

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
