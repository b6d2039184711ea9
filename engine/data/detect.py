"""What a file is, judged by its content and never by its name: format, encoding, delimiter, header.

Knows nothing of what the columns mean.
"""

from __future__ import annotations

import difflib
import gzip
import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.nouns import Format, FormatName, Limits
from engine.data.tables import sniff

SAMPLE = 256 * 1024
CHUNK = 1 << 20
PARQUET = b"PAR1"

KNOWN_BINARY = (
    (b"PK\x03\x04", "a ZIP archive (Excel and Word files are ones)", "Save the sheet as CSV, or unpack the archive."),
    (b"%PDF", "a PDF document", "Copy the text out into a plain text, CSV or JSON file."),
    (b"\x89PNG", "a picture (PNG)", "Choose a file with text in it."),
    (b"\xff\xd8\xff", "a picture (JPEG)", "Choose a file with text in it."),
    (b"GIF8", "a picture (GIF)", "Choose a file with text in it."),
    (b"RIFF", "sound or a film", "Choose a file with text in it."),
    (b"MZ", "a Windows program", "Choose a file with text in it."),
    (b"\x7fELF", "a program", "Choose a file with text in it."),
    (b"SQLite format 3", "an SQLite database", "Export the table you need as CSV."),
    (b"ARROW1", "an Arrow file", "Save it as Parquet."),
    (b"GGUF", "a model (GGUF)", "Choose a file with examples in it."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "a file packed with zstd", "Unpack it first."),
    (b"BZh", "a file packed with bzip2", "Unpack it first."),
    (b"Rar!", "a RAR archive", "Unpack it first."),
)


def detect(path: Path, limits: Limits) -> Format:
    """What the file is. Raises DataError when it is missing, empty, binary, too large or cut off."""
    size = _size(path, limits)
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(PARQUET):
        return _parquet(path, size)
    packed = head.startswith(b"\x1f\x8b")
    if packed:
        head = _unpacked_head(path)
    _refuse_binary(path, head)
    encoding, size = _encoding(path, packed, limits)
    text, whole = _sample(path, packed, encoding)
    if not text.strip():
        raise _empty(path)
    return msgspec.structs.replace(_structure(path, text, whole), encoding=encoding, gzip=packed, bytes=size)


def open_text(path: Path, format: Format) -> IO[str]:
    """The file as text, line ends untouched. Bytes that are not of its encoding come out as lone surrogates."""
    errors = "surrogateescape" if format.encoding.startswith("utf-8") else "replace"
    if format.gzip:
        return gzip.open(path, "rt", encoding=format.encoding, errors=errors, newline="")
    return path.open("r", encoding=format.encoding, errors=errors, newline="")


def _size(path: Path, limits: Limits) -> int:
    try:
        if path.is_dir():
            raise DataError(
                f"{path.name} is a folder.", "Data is read from one file.", "Choose one of the files in the folder."
            )
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise from_os(error, f"opening {path.name}") from error
    if size == 0:
        raise _empty(path)
    if size > limits.refuse_bytes:
        raise too_large(path, size, limits)
    return size


def _missing(path: Path) -> DataError:
    names = [each.name for each in path.parent.iterdir() if each.is_file()][:2000] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 1)
    hint = f"Did you mean {near[0]}?" if near else "Check the path and its spelling."
    return DataError(f"There is no file {path.name}.", f"Nothing was found at {path}.", hint, "Choose another file.")


def _empty(path: Path) -> DataError:
    return DataError(
        f"{path.name} is empty.",
        "There is not one row in it to learn from.",
        "Check that the export or download that made it was finished.",
        "Choose another file.",
    )


def too_large(path: Path, size: int, limits: Limits) -> DataError:
    """The card for a file over the limit."""
    return DataError(
        f"{path.name} is too large: {size / 1e6:,.0f} MB.",
        f"Data files may have up to {limits.refuse_bytes / 1e6:,.0f} MB (unpacked).",
        "Split it into several files, or take a part of it.",
        "Or raise “Largest data file” in the settings.",
    )


def cut_off(path: Path, format: str) -> DataError:
    """The card for a file whose end is missing."""
    return DataError(
        f"{path.name} is cut off.",
        f"It begins as {format}, but its end is missing or damaged, and no whole row could be read.",
        "Make the file again, or download it again.",
        "Choose another file.",
    )


def _parquet(path: Path, size: int) -> Format:
    with path.open("rb") as file:
        file.seek(-4, 2)
        if size < 12 or file.read(4) != PARQUET:
            raise cut_off(path, "Parquet")
    return Format(name="parquet", bytes=size)


def _unpacked_head(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(4096)
    except (OSError, EOFError) as error:
        raise cut_off(path, "a gzip file") from error


def _refuse_binary(path: Path, head: bytes) -> None:
    for magic, what, fix in KNOWN_BINARY:
        if head.startswith(magic):
            raise _not_text(path, what, fix)
    if head.startswith(PARQUET):
        raise _not_text(path, "a Parquet file inside a gzip file", "Unpack it first.")
    if head.lstrip()[:64].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise _not_text(path, "a web page or XML", "Download the data itself, not the page that shows it.")
    if _looks_utf16(head) or head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return
    odd = sum(byte < 9 or 14 <= byte < 32 for byte in head)
    if b"\0" in head or odd > 0.3 * len(head):
        raise _not_text(path, "binary", "Choose a file with text in it.")


def _not_text(path: Path, what: str, fix: str) -> DataError:
    return DataError(
        f"{path.name} is not a data file.",
        f"Its content is {what}. CSV, TSV, JSON, JSON lines, Parquet and plain text can be read.",
        fix,
        "Choose another file.",
    )


def _looks_utf16(head: bytes) -> str:
    """The byte order of UTF-16 without a mark, seen from where its zero bytes are; "" when it is something else."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even + odd < 0.02 * len(head) or min(even, odd) * 10 > max(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _chunks(path: Path, packed: bool, limits: Limits) -> Iterator[bytes]:
    """The unpacked bytes. Raises DataError when a gzip file is cut off or unpacks to more than the limit."""
    total = 0
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            while chunk := file.read(CHUNK):
                total += len(chunk)
                if total > limits.refuse_bytes:
                    raise too_large(path, total, limits)
                yield chunk
    except EOFError as error:
        raise cut_off(path, "a gzip file") from error
    except OSError as error:
        raise from_os(error, f"reading {path.name}") from error


def _encoding(path: Path, packed: bool, limits: Limits) -> tuple[str, int]:
    """The encoding and the unpacked size, from the whole file: one byte at its end can tell."""
    decoder = getincrementaldecoder("utf-8")("surrogateescape")
    marked, size, several, damaged, undefined = "", 0, 0, 0, False
    for chunk in _chunks(path, packed, limits):
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


def _sample(path: Path, packed: bool, encoding: str) -> tuple[str, bool]:
    """The first whole lines, and whether that is all of the file."""
    with open_text(path, Format(name="text", encoding=encoding, gzip=packed)) as file:
        text = file.read(SAMPLE)
        whole = not file.read(1)
    if not whole and (end := text.rfind("\n")) > 0:
        text = text[: end + 1]
    return text, whole


def _structure(path: Path, text: str, whole: bool) -> Format:
    start = text.lstrip()
    if start[:1] in "{[" and (form := _json_form(start, whole)):
        return Format(name=form)
    dialect = sniff(text)
    if dialect is not None:
        return Format(name="csv", delimiter=dialect.delimiter, escape=dialect.escape, header=dialect.header)
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
