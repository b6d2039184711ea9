"""Rows out of plain text: paragraphs, lines, or windows of some thousand characters that end between words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from engine.data.nouns import Record, TextRows

WINDOW = 4_000
"""Characters of a window: about a thousand tokens."""


def read_text(file: IO[str], rows: TextRows) -> Iterator[Record]:
    """The rows of a text, each with the line it starts on. auto: paragraphs, or lines where nothing parts them."""
    if rows == "auto":
        parted = any(not line.strip() for line in _inner_lines(file))
        file.seek(0)
        rows = "paragraphs" if parted else "lines"
    if rows == "windows":
        return _windows(file)
    return _paragraphs(file, by_line=rows == "lines")


def _lines(file: IO[str]) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(file, start=1):
        yield number, raw.rstrip("\r\n").lstrip("\ufeff" if number == 1 else "")


def _paragraphs(file: IO[str], *, by_line: bool) -> Iterator[Record]:
    start, lines = 1, list[str]()
    for number, line in _lines(file):
        if line.strip():
            start = start if lines else number
            lines.append(line)
        if lines and (by_line or not line.strip()):
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


def _windows(file: IO[str]) -> Iterator[Record]:
    """Text of any length in rows of up to `WINDOW` characters; nothing is lost but the white space between them."""
    rest, line = "", 1
    while chunk := file.read(WINDOW):
        rest += chunk
        while len(rest) > WINDOW:
            end = _end_of(rest)
            if rest[:end].strip():
                yield Record(line + _blank_lines(rest[:end]), {"text": rest[:end].strip().lstrip("\ufeff")})
            line += rest.count("\n", 0, end)
            rest = rest[end:]
    if rest.strip():
        yield Record(line + _blank_lines(rest), {"text": rest.strip().lstrip("\ufeff")})


def _blank_lines(text: str) -> int:
    """Line breaks before the first word."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def _end_of(text: str) -> int:
    """Where a window ends: after a paragraph, a line or a word in its second half, or at its full length."""
    for mark in ("\n\n", "\n", " "):
        at = text.rfind(mark, WINDOW // 2, WINDOW)
        if at > 0:
            return at + len(mark)
    return WINDOW
