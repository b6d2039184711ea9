"""Folders in one zip file and out again, for archives and capsules. What comes out stays inside the folder given.

Refused are names with path tricks, links, names that a file system takes for the same, and more bytes than announced.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from engine.core.errors import DataError

PIECE = 1 << 20
RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))))


class BadPackage(DataError):
    """The file is no package of ours, or one that would write where it must not."""


def pack(target: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write files, under the names given, into one compressed zip; whole or not at all. Raises OSError."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as package:
            for name, path in files:
                package.write(path, name)
        with beside.open("rb+") as written:
            os.fsync(written.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def below(folder: Path, under: str = "") -> list[tuple[str, Path]]:
    """Every file of a folder with the name it gets: its path with slashes, below `under`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(PurePosixPath(under) / path.relative_to(folder).as_posix()), path) for path in files]


def names_in(package: zipfile.ZipFile, called: str) -> dict[str, zipfile.ZipInfo]:
    """The files of a package by name. Raises BadPackage for the first name that could do harm."""
    found: dict[str, zipfile.ZipInfo] = {}
    same: set[str] = set()
    for entry in package.infolist():
        if entry.is_dir():
            continue
        if problem := _trick(entry):
            raise _bad(called, f"Its file “{entry.filename[:100]}” {problem}.")
        if entry.filename.casefold() in same:
            raise _bad(called, f"It has the file “{entry.filename[:100]}” twice.")
        same.add(entry.filename.casefold())
        found[entry.filename] = entry
    return found


def _trick(entry: zipfile.ZipInfo) -> str:
    """What is wrong with a name; empty for a plain one."""
    name = entry.filename
    path = PurePosixPath(name)
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if not name or "\\" in name or ":" in name or any(ord(letter) < 32 for letter in name):
        return "has a name that is not allowed"
    if path.is_absolute() or ".." in path.parts or path.as_posix() != name:
        return "leads out of its folder"
    if any(part.split(".")[0].casefold() in RESERVED or part != part.rstrip(" .") for part in path.parts):
        return "has a name that Windows keeps for itself"
    return ""


def unpack(package: zipfile.ZipFile, entries: Iterable[zipfile.ZipInfo], folder: Path, called: str) -> None:
    """Write entries (of `names_in`) below the folder; no more bytes than each announced (zipfile reads no further, and
    compares checksums). Raises BadPackage, OSError.
    """
    for entry in entries:
        target = folder / entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with package.open(entry) as source, target.open("xb") as file:
                shutil.copyfileobj(source, file, PIECE)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise _bad(called, f"Its file {entry.filename} is damaged ({error}).") from error


def opened(path: Path) -> zipfile.ZipFile:
    """The package at a path. Raises BadPackage or OSError."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError) as error:
        raise _bad(path.name, f"It is not a zip file, or not a whole one ({error}).") from error


def _bad(called: str, why: str) -> BadPackage:
    return BadPackage(
        f"{called} cannot be used.", why, "Get the file again from where it came.", "Do not use it if it stays so."
    )
