"""The members of a ZIP archive that can be read as data. Nothing is unpacked to the disk and no path in it is followed.

Raises nothing for single members: those that cannot be read are reported.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from engine.core.errors import DataError
from engine.data.nouns import BadRow, Limits
from engine.data.packing import Piece

MOST_MEMBERS = 10_000
MOST_SQUEEZED = 1_000
"""How much smaller packing makes data at the most; text shrinks to a tenth, zeros to a thousandth."""
REAL_BYTES = 50_000_000
"""Below this size a member may be as squeezed as it likes."""


def members_of(path: Path, limits: Limits) -> tuple[list[Piece], list[BadRow]]:
    """What can be read, and what cannot with its reason. Raises DataError for archives that are none of both."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [each for each in archive.infolist() if not each.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise _damaged(path) from error
    if any(each.filename == "[Content_Types].xml" for each in infos):
        raise _office(path)
    if len(infos) > MOST_MEMBERS:
        raise _too_many(path, len(infos))
    pieces: list[Piece] = []
    bad: list[BadRow] = []
    left = limits.refuse_bytes
    for info in sorted(infos, key=lambda each: each.filename):
        name = printable(info.filename)
        why = _refused(info, left)
        if why:
            bad.append(BadRow(line=1, problem=f"“{name}” in the archive is not read: {why[0]}", remedy=why[1]))
        elif not is_sidecar(info.filename):
            left -= info.file_size
            pieces.append(Piece(path=path, member=info.filename, name=name))
    return pieces, bad


def is_sidecar(name: str) -> bool:
    """A file that stands beside data and holds none: hidden, a readme, a licence, a description of the data."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    last = parts[-1].lower() if parts else ""
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    described = last in ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json")
    return (
        hidden or described or last.startswith(("readme", "license")) or last.endswith((".md", ".py", ".yaml", ".yml"))
    )


def printable(name: str) -> str:
    """A foreign name without characters that could disturb a screen."""
    return "".join(each if each.isprintable() else "\ufffd" for each in name)[:200]


def _refused(info: zipfile.ZipInfo, left: int) -> tuple[str, str] | None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "its path leads out of the archive.", "Make the archive again with plain file names."
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        return "it is a link to another file.", "Put the file itself into the archive."
    if info.flag_bits & 1:
        return "it is encrypted.", "Make the archive without a password."
    if path.suffix.lower() in (".zip", ".7z", ".rar", ".tar", ".tgz"):
        return "it is an archive in an archive.", "Unpack it first."
    if info.file_size > left:
        return f"it unpacks to {info.file_size / 1e6:,.0f} MB, over the limit.", "Take it out, or raise the limit."
    if info.file_size > REAL_BYTES and info.file_size > MOST_SQUEEZED * max(1, info.compress_size):
        return "it unpacks to over a thousand times its size, as no real data does.", "Take it out of the archive."
    return None


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path.name} is cut off or damaged.",
        "It begins as a ZIP archive, but its list of contents, which stands at the end, cannot be read.",
        "Make the archive again, or download it again.",
        "Choose another file.",
    )


def _office(path: Path) -> DataError:
    return DataError(
        f"{path.name} is not a data file.",
        "Its content is a document or sheet of an office program.",
        "Save the sheet as CSV.",
        "Choose another file.",
    )


def _too_many(path: Path, count: int) -> DataError:
    return DataError(
        f"{path.name} holds {count:,} files.",
        f"An archive may hold up to {MOST_MEMBERS:,}.",
        "Put the rows into fewer files.",
    )
