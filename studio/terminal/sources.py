"""Where a data command reads from: the files named, or what is pasted into standard input."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def sources(files: list[Path]) -> Iterator[list[Path]]:
    """The files, their `~` resolved; for `-` a copy of standard input that lasts as long as the context."""
    if files != [Path("-")]:
        yield [each.expanduser() for each in files]
        return
    with tempfile.TemporaryDirectory(prefix="peft-studio-") as folder:
        pasted = Path(folder) / "pasted"
        pasted.write_bytes(sys.stdin.buffer.read())
        yield [pasted]
