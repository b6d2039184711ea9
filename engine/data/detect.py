"""What a file is, judged by its content and never by its name: format, encoding, delimiter, header.

Knows nothing of what the columns mean.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO
from zipfile import BadZipFile

import msgspec

from engine.core.errors import DataError, StudioError, from_os
from engine.data.nouns import Format, FormatName, Limits, Packing, TextRows
from engine.data.packing import NAMES, Piece, Unpacked, open_bytes, packing_of
from engine.data.tables import sniff

SAMPLE = 256 * 1024
LONG_LINE = 16 * 1024 * 1024
CHUNK = 1 << 20
PARQUET, ARROW, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
BINARY_TABLES: tuple[tuple[bytes, FormatName], ...] = ((PARQUET, "parquet"), (ARROW, "arrow"), (ARROW_STREAM, "arrow"))
MOST_CONTROL = 0.1
"""Share of control characters over which a file is no text."""

KNOWN_BINARY = (
    (b"PK\x03\x04", "a ZIP archive in another archive", "Unpack the archive."),
    (b"%PDF", "a PDF document", "Copy the text out into a plain text, CSV or JSON file."),
    (b"\x89PNG", "a picture (PNG)", "Choose a file with text in it."),
    (b"\xff\xd8\xff", "a picture (JPEG)", "Choose a file with text in it."),
    (b"GIF8", "a picture (GIF)", "Choose a file with text in it."),
    (b"RIFF", "sound or a film", "Choose a file with text in it."),
    (b"MZ\x90", "a Windows program", "Choose a file with text in it."),
    (b"\x7fELF", "a program", "Choose a file with text in it."),
    (b"SQLite format 3", "an SQLite database", "Export the table you need as CSV."),
    (b"GGUF", "a model (GGUF)", "Choose a file with examples in it."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first."),
    (b"BZh", "a file packed with bzip2", "Unpack it first."),
    (b"Rar!", "a RAR archive", "Unpack it first."),
    (b"\xfd7zXZ", "a file packed with xz", "Unpack it first."),
)


def detect(piece: Piece, limits: Limits, text_rows: TextRows = "auto") -> Format:
    """What the file is. Raises DataError when it is empty, binary or too large."""
    size = _size(piece, limits)
    head = _head(piece, "")
    packing = packing_of(head)
    if packing:
        head = _head(piece, packing)
        if not head:
            raise cut_off(piece.name, f"a {NAMES[packing]}")
    if form := _binary_table(piece, head, packing):
        unpacked = sum(map(len, _chunks(piece, packing, limits))) if packing or piece.member else size
        return msgspec.structs.replace(form, bytes=unpacked, packing=packing)
    _refuse_binary(piece.name, head)
    encoding, size = _encoding(piece, packing, limits)
    text, whole = _sample(piece, packing, encoding)
    if not text.strip():
        raise _empty(piece.name)
    found = _structure(text, whole)
    return msgspec.structs.replace(found, encoding=encoding, packing=packing, bytes=size, text_rows=text_rows)


def open_text(piece: Piece, format: Format) -> tuple[IO[str], Unpacked]:
    """The file as text, line ends untouched, and the stream below it.

    Bytes that are not of its encoding come out as lone surrogates.
    """
    errors = "surrogateescape" if format.encoding.startswith("utf-8") else "replace"
    stream = Unpacked(piece, format.packing)
    buffered = BufferedReader(stream, CHUNK)
    return TextIOWrapper(buffered, encoding=format.encoding, errors=errors, newline=""), stream


def _size(piece: Piece, limits: Limits) -> int:
    if piece.member:
        return 1
    try:
        size = piece.path.stat().st_size
    except OSError as error:
        raise from_os(error, f"opening {piece.name}") from error
    if size == 0:
        raise _empty(piece.name)
    if size > limits.refuse_bytes:
        raise too_large(piece.name, size, limits)
    return size


def _head(piece: Piece, packing: Packing) -> bytes:
    try:
        with open_bytes(piece, packing) as file:
            return file.read(4096)
    except (OSError, BadZipFile) as error:
        raise _unread(piece, error) from error


def _unread(piece: Piece, error: OSError | BadZipFile) -> StudioError:
    if isinstance(error, BadZipFile):
        return cut_off(piece.name, "a member of an archive")
    return from_os(error, f"reading {piece.name}")


def _empty(name: str) -> DataError:
    return DataError(
        f"{name} is empty.",
        "There is not one row in it to learn from.",
        "Check that the export or download that made it was finished.",
        "Choose another file.",
    )


def too_large(name: str, size: int, limits: Limits) -> DataError:
    """The card for a file over the limit."""
    return DataError(
        f"{name} is too large: {size / 1e6:,.0f} MB.",
        f"Data files may have up to {limits.refuse_bytes / 1e6:,.0f} MB (unpacked).",
        "Split it into several files, or take a part of it.",
        "Or raise “Largest data file” in the settings.",
    )


def cut_off(name: str, format: str) -> DataError:
    """The card for a file whose end is missing."""
    return DataError(
        f"{name} is cut off.",
        f"It begins as {format}, but its end is missing or damaged, and no whole row could be read.",
        "Make the file again, or download it again.",
        "Choose another file.",
    )


def _binary_table(piece: Piece, head: bytes, packing: Packing) -> Format | None:
    """Parquet and Arrow, by their first bytes; Parquet and Arrow files say at their end that they are whole."""
    name: FormatName | None = next((name for magic, name in BINARY_TABLES if head.startswith(magic)), None)
    if name is None:
        return None
    magic = {"parquet": PARQUET, "arrow": ARROW}[name]
    if head.startswith(magic) and not packing and not piece.member and not _ends_with(piece.path, magic):
        raise cut_off(piece.name, name.capitalize())
    return Format(name=name)


def _ends_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - len(magic)))
        return size >= 12 and file.read() == magic


def _refuse_binary(name: str, head: bytes) -> None:
    for magic, what, fix in KNOWN_BINARY:
        if head.startswith(magic):
            raise _not_text(name, what, fix)
    if head.lstrip()[:64].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise _not_text(name, "a web page or XML", "Download the data itself, not the page that shows it.")
    if _looks_utf16(head) or head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return
    odd = sum(byte < 9 or 14 <= byte < 32 for byte in head)
    if odd > MOST_CONTROL * len(head):
        raise _not_text(name, "binary", "Choose a file with text in it.")


def _not_text(name: str, what: str, fix: str) -> DataError:
    return DataError(
        f"{name} is not a data file.",
        f"Its content is {what}. CSV, TSV, JSON, JSON lines, Parquet, Arrow and plain text can be read.",
        fix,
        "Choose another file.",
    )


def _looks_utf16(head: bytes) -> str:
    """The byte order of UTF-16 without a mark, seen from where its zero bytes are; "" when it is something else."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    rest = head.replace(b"\0", b"")
    if even + odd < 0.25 * len(head) and sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in rest) > 0.9 * len(rest):
        return ""  # plain text with a stray NUL
    if even + odd < 0.02 * len(head) or min(even, odd) * 10 > max(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _chunks(piece: Piece, packing: Packing, limits: Limits) -> Iterator[bytes]:
    """The unpacked bytes, up to where the file is torn. Raises DataError when they are more than the limit."""
    total = 0
    try:
        with open_bytes(piece, packing) as file:
            while chunk := file.read(CHUNK):
                total += len(chunk)
                if total > limits.refuse_bytes:
                    raise too_large(piece.name, total, limits)
                yield chunk
    except (OSError, BadZipFile) as error:
        raise _unread(piece, error) from error


def _encoding(piece: Piece, packing: Packing, limits: Limits) -> tuple[str, int]:
    """The encoding and the unpacked size, from the whole file: one byte at its end can tell."""
    decoder = getincrementaldecoder("utf-8")("surrogateescape")
    marked, size, several, damaged, undefined = "", 0, 0, 0, False
    for chunk in _chunks(piece, packing, limits):
        if size == 0:
            marked = _marked(chunk)
        size += len(chunk)
        if not marked and not chunk.isascii():
            text = decoder.decode(chunk)
            broken = sum("\udc80" <= each <= "\udcff" for each in text) if not _clean(text) else 0
            damaged += broken
            several += sum(each > "\x7f" for each in text) - broken
            undefined = undefined or any(byte in chunk for byte in b"\x81\x8d\x8f\x90\x9d")
    if marked:
        return marked, size
    if damaged > 0 and damaged >= several:
        return ("latin-1" if undefined else "cp1252"), size
    return "utf-8", size


def _clean(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _marked(head: bytes) -> str:
    if head.startswith(BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    return _looks_utf16(head[:4096])


def _sample(piece: Piece, packing: Packing, encoding: str) -> tuple[str, bool]:
    """The first whole lines, and whether that is all of the file."""
    file, _ = open_text(piece, Format(name="text", encoding=encoding, packing=packing))
    with file:
        text = file.read(SAMPLE)
        if "\n" not in text:
            text += file.readline(LONG_LINE)
        whole = not file.read(1)
    if not whole and (end := text.rfind("\n")) > 0:
        text = text[: end + 1]
    return text, whole


def _structure(text: str, whole: bool) -> Format:
    start = text.lstrip()
    if start[:1] in "{[" and (form := _json_form(start, whole)):
        return Format(name=form)
    dialect = sniff(text)
    if dialect is not None:
        name: FormatName = "tsv" if dialect.delimiter == "\t" else "csv"
        return Format(name=name, delimiter=dialect.delimiter, escape=dialect.escape, header=dialect.header)
    return Format(name="text")


def _json_form(text: str, whole: bool) -> FormatName | None:
    """json or jsonl; None when the bracket only opens a sentence."""
    lines = [line for line in text.split("\n") if line.strip()]
    single = len(lines) == 1 and whole
    tried = lines[:20]
    if not single and sum(_is_json(line) for line in tried) * 2 >= max(2, len(tried)):
        return "jsonl"
    inside = text[1:].lstrip()[:1]
    allowed = '"}' if text[0] == "{" else '{["]'
    return "json" if inside and inside in allowed else None


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False
