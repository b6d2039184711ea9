"""What a worker's exit code means. Part of the contract with every launcher, local or remote."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `python -P -m engine.worker`. Anything else, and any signal, is a crash."""

    COMPLETED = 0
    CRASHED = 1
    STOPPED = 10
    PAUSED = 11
    OUT_OF_MEMORY = 12
    BAD_DATA = 13
    MISSING_FILES = 14
    DISK_FULL = 15
    BAD_SPEC = 16
    BAD_MODEL = 17
    MISSING_LIBRARY = 18
    NOT_EQUAL = 19
