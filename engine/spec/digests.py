"""Which bytes files are: a digest that is quick for large ones too. Standard library alone; travels to the worker."""

from __future__ import annotations

import hashlib
from pathlib import Path

WHOLE_BYTES = 64_000_000
SAMPLE_BYTES = 4_000_000
MODEL_FILES = ("config.json", "*.safetensors", "*.safetensors.index.json")
"""What a base model is by."""


def digests(folder: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    """The digest of every file in the folder that one of the patterns names. Raises OSError."""
    return {path.name: digest(path) for pattern in patterns for path in sorted(folder.glob(pattern))}


def digest(path: Path) -> str:
    """BLAKE2b of a file's size and bytes; of a large one four megabytes at its beginning, middle and end."""
    size = path.stat().st_size
    found = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            found.update(file.read())
        else:
            for start in (0, size // 2, size - SAMPLE_BYTES):
                file.seek(start)
                found.update(file.read(SAMPLE_BYTES))
    return found.hexdigest()
