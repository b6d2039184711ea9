"""What a version's files were when it was kept, and whether they still are: sha256 and size of each, on every load.

A file is read again only when its size or time changed since it was last found sound, so that a version that was looked
at once attaches in milliseconds.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.spec.files import read_struct, write_struct

FILE = "integrity.json"
_seen: dict[tuple[str, int, int], str] = {}


class FileHash(msgspec.Struct, frozen=True, kw_only=True):
    """One file: bytes and sha256."""

    size: int
    sha256: str


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """`integrity.json`: every file below the folder, by its path with slashes."""

    files: dict[str, FileHash]


class Tampered(DataError):
    """A file is not what it was when the version was kept."""


def hashes_of(folder: Path) -> dict[str, FileHash]:
    """Every file below a folder. Raises OSError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_of(path) for path in files}


def hash_of(path: Path) -> FileHash:
    """A file's size and sha256. Raises OSError."""
    state = path.stat()
    key = (str(path), state.st_size, state.st_mtime_ns)
    if key not in _seen:
        with path.open("rb") as file:
            _seen[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return FileHash(size=state.st_size, sha256=_seen[key])


def write_integrity(version_folder: Path, folder: Path) -> None:
    """Note what the files of `folder` are. Raises OSError."""
    write_struct(version_folder / FILE, Integrity(files=hashes_of(folder)))


def recorded(version_folder: Path, called: str) -> Integrity:
    """What was noted. Raises Tampered when the note is gone or damaged: every version was kept with one."""
    try:
        return read_struct(version_folder / FILE, Integrity)
    except (OSError, msgspec.MsgspecError) as error:
        how = "is gone" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise Tampered(
            f"{called} cannot be trusted.",
            f"Its list of files ({FILE}) {how}, so nobody can tell whether its weights are those that were trained.",
            "Put it back from a backup.",
            "Train it again from its recipe.",
            "Or delete it.",
        ) from error


def check(version_folder: Path, folder: Path, called: str) -> None:
    """Raises Tampered naming the first file of `folder` that is not as the version was kept: changed, gone, or new."""
    known = recorded(version_folder, called)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name, wanted in known.files.items():
        if name not in found:
            raise _tampered(called, name, "is gone")
        if hash_of(folder / name) != wanted:
            raise _tampered(called, name, "was changed")
    for name in sorted(found - known.files.keys()):
        raise _tampered(called, name, "was added")


def _tampered(called: str, name: str, how: str) -> Tampered:
    return Tampered(
        f"{called} is not what was trained.",
        f"Its file {name} {how} since the version was kept, so it is not loaded.",
        "Put the file back from a backup or a capsule.",
        "Or train the version again and delete this one.",
    )
