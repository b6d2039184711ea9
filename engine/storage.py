"""What the folders of a Home take on the disk, and how room is made: only what can be made again is ever removed.

Prepared data goes when no run and no version names it, kept answers and uploads as they are; nothing goes that was
written within the last hour, for somebody may be at work with it. Counting and removing happen in a thread.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import anyio.to_thread
import msgspec

from engine.core.errors import from_os
from engine.core.home import Home

T = TypeVar("T")
FRESH_SECONDS = 3600.0
"""Younger than this is left alone."""
NAMED = re.compile(rb"prepared[/\\\\]+([0-9A-Za-z_-]+)")
"""How records of runs and versions name prepared data."""
Part = Literal[
    "runs", "versions", "datasets", "models", "exports", "capsules", "environments", "logs", "prepared", "answers",
    "uploads", "rest",
]  # fmt: skip
PARTS: tuple[Part, ...] = (
    "runs", "versions", "datasets", "models", "exports", "capsules", "environments", "logs", "prepared", "answers",
    "uploads",
)  # fmt: skip
REMAKABLE: tuple[Part, ...] = ("prepared", "answers", "uploads")
"""Parts that are made again when they are needed, or that somebody has elsewhere."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of the Home takes, and how much of that can be freed, in bytes. Files that two parts share count
    for the first of them."""

    part: Part
    bytes: int
    freeable: int = 0


class Storage:
    """The disk under one Home."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def taken(self) -> tuple[Taken, ...]:
        """Each part of the Home with its size, the files beside the folders last. Raises StorageError."""
        return await anyio.to_thread.run_sync(_careful, partial(_taken, self._home), "counting files")

    async def free(self, part: Part) -> int:
        """Remove what of this part can be made again; answers with the bytes that are free now. Raises StorageError."""
        return await anyio.to_thread.run_sync(_careful, partial(_free, self._home, part), "making room")


def _careful(work: Callable[[], T], doing: str) -> T:
    try:
        return work()
    except OSError as error:
        raise from_os(error, doing) from error


def _taken(home: Home) -> tuple[Taken, ...]:
    seen: set[tuple[int, int]] = set()
    found = [
        Taken(part=part, bytes=_size(home.path / part, seen), freeable=sum(_size(each) for each in _spare(home, part)))
        for part in PARTS
    ]
    others = (each for each in home.path.iterdir() if each.name not in PARTS)
    return (*found, Taken(part="rest", bytes=sum(_size(each, seen) for each in others)))


def _free(home: Home, part: Part) -> int:
    freed = 0
    for path in _spare(home, part):
        size = _size(path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        freed += size
    return freed


def _spare(home: Home, part: Part) -> list[Path]:
    """What can be removed of a part; nothing of one that cannot be made again."""
    folder = home.path / part
    if part not in REMAKABLE or not folder.is_dir():
        return []
    used = _named(home) if part == "prepared" else frozenset[str]()
    old = time.time() - FRESH_SECONDS
    return [each for each in folder.iterdir() if each.name not in used and each.lstat().st_mtime < old]


def _named(home: Home) -> frozenset[str]:
    """The prepared data that a run or a version names: a paused run goes on with it, a version is measured on it."""
    records = (*home.runs.glob("*/spec.json"), *home.versions.glob("*/*.json"))
    return frozenset(name.decode() for record in records for name in NAMED.findall(record.read_bytes()))


def _size(path: Path, seen: set[tuple[int, int]] | None = None) -> int:
    """Bytes of a file or of everything below a folder; a file that was `seen` counts once, a link never."""
    total = 0
    for state in _states(path):
        if seen is None or (state.st_dev, state.st_ino) not in seen:
            total += state.st_size
        if seen is not None and state.st_nlink > 1:
            seen.add((state.st_dev, state.st_ino))
    return total


def _states(path: Path) -> Iterator[os.stat_result]:
    """The files at or below a path; what goes while one looks is left out."""
    if path.is_symlink():
        return
    if path.is_file():
        yield path.lstat()
        return
    folders = [os.fspath(path)]
    while folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not entry.is_symlink():
                    with contextlib.suppress(FileNotFoundError):
                        # on Windows the entry's own has neither the file's number nor how many names it has
                        yield entry.stat(follow_symlinks=False) if os.name != "nt" else os.lstat(entry.path)
