"""How a file is written so that a crash at any moment leaves the old one or the new one, never half of one.

Knows nothing of what the files mean. Standard library and msgspec only: this module travels to the worker.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")
WINDOWS = sys.platform == "win32"


def sync_folder(folder: Path) -> None:
    """Make a rename inside the folder durable. Windows has no such call and needs none: its journal orders metadata."""
    if WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(source: Path, target: Path, *, patience: float = 2.0) -> None:
    """Put `source` in `target`'s place; on Windows wait up to `patience` seconds for a reader to close it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:  # another process has the target open (Windows only)
            if not WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace a file's whole content: write beside it, fsync, rename. Raises OSError and leaves the old content.

    A `private` file can be read by its owner only (on Windows as its folder says).
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(beside, "wb", opener=_owner_only if private else None) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        rename(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_folder(path.parent)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def encode(value: object) -> bytes:
    """A struct as readable JSON, fields in their order, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def read_struct(path: Path, kind: type[T]) -> T:
    """Read and validate one struct. Raises OSError, or msgspec.ValidationError naming the path inside the JSON."""
    return msgspec.json.decode(path.read_bytes(), type=kind)


def write_struct(path: Path, value: object) -> None:
    """Write one struct as JSON, atomically."""
    write_atomically(path, encode(value))


class LineWriter:
    """Appends one JSON line per record and hands it to the operating system at once, so that kill -9 loses none.

    A torn last line left by an earlier writer is ended first, so that it spoils only itself.
    """

    def __init__(self, path: Path) -> None:
        torn = path.exists() and path.stat().st_size > 0 and _last_byte(path) != b"\n"
        self._file = path.open("ab", buffering=0)
        if torn:
            self._file.write(b"\n")

    def write(self, record: object) -> None:
        """Append one record. Raises OSError when the disk is full."""
        self._file.write(msgspec.json.encode(record) + b"\n")

    def sync(self) -> None:
        """Ask the operating system to put everything on the disk (power loss, not only a crash)."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


class LineReader(Generic[T]):
    """Reads a growing file of JSON lines from where it last stopped; an unfinished last line waits for its end.

    `skipped` counts lines that were complete but not readable (a torn line that a later attempt ended). `behind`: the
    last call stopped at its limit, and there may be more to read at once.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(kind)
        self.offset = 0
        self.skipped = 0
        self.behind = False

    def read(self, limit: int | None = None) -> list[T]:
        """The records that are new since the last call; none when the file does not exist yet.

        With a `limit` not much more than so many bytes are read.
        """
        self.behind = False
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(limit)
                if limit is not None and len(data) == limit:
                    data += file.readline()
                    self.behind = data.endswith(b"\n")
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self.offset += end
        return list(self._decode(data[:end]))

    def _decode(self, data: bytes) -> Iterator[T]:
        for line in data.splitlines():
            if not line.strip():
                continue
            try:
                yield self._decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):  # ValidationError is a DecodeError
                self.skipped += 1


def number(value: float) -> float | str:
    """A float as JSON can hold it: finite numbers as they are, the others as "nan", "inf", "-inf"."""
    return value if math.isfinite(value) else str(float(value))
