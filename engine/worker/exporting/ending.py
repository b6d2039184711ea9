"""How an export ends that cannot go on. Libraries tell of a full disk in many ways, so the disk itself is looked at."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.spec.exits import Exit
from engine.worker.fault import Fault, fault_from

FULL = re.compile(r"no space left|not enough space|quota exceeded|os error (28|112|122)\b", re.IGNORECASE)
TOO_LARGE = re.compile(r"file too large|os error 27\b|\d+ requested and \d+ written", re.IGNORECASE)
"""What the systems say, safetensors in the words of Rust. numpy tells of a short write, not why: there was room."""
ROOM_BYTES = 500_000
"""A disk with less room than this is full, whatever the error says."""


def export_fault(error: Exception, target: Path, beside: Path) -> Fault:
    """The fault behind an error; ask before what was written so far (`beside`) is removed."""
    if isinstance(error, Fault):
        return error
    if _says(error, FULL, errno.ENOSPC, errno.EDQUOT) or _no_room(beside):
        return _disk_full(target)
    if _says(error, TOO_LARGE, errno.EFBIG):
        return _too_large(target)
    found = fault_from(error)
    if found.exit_code is not Exit.CRASHED:
        return found
    return Fault(
        Exit.CRASHED,
        "The export stopped because of an unexpected error.",
        f"{found.card.why.rstrip('.')}. What was written of it was removed.",
        "Export it again.",
        "Open the run's log; its last lines say more.",
    )


def _says(error: BaseException, words: re.Pattern[str], *numbers: int) -> bool:
    return any(
        (isinstance(each, OSError) and each.errno in numbers) or words.search(str(each)) for each in _behind(error)
    )


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _no_room(beside: Path) -> bool:
    try:
        return shutil.disk_usage(beside if beside.exists() else beside.parent).free < ROOM_BYTES
    except OSError:
        return False


def _disk_full(target: Path) -> Fault:
    return Fault(
        Exit.DISK_FULL,
        "The disk is full.",
        f"There was no space to finish the export to {target.name}. What was written of it was removed.",
        "Free some space, or delete exports and versions you no longer need, and export again.",
        "Or choose a folder on another disk with --into.",
    )


def _too_large(target: Path) -> Fault:
    return Fault(
        Exit.DISK_FULL,
        "A file of the export is too large for this disk.",
        f"The file system, or a limit set for you, does not let a file of {target.name} grow as large as it has to. "
        "What was written of it was removed.",
        "Choose a folder on another disk with --into; disks formatted as FAT32 hold 4 GB in a file.",
        "Or choose a smaller number format.",
    )
