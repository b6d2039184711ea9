"""The metrics ring: a memory-mapped file with one writer and any number of readers, in any processes.

    header (64 bytes)                                records (32 bytes each, capacity of them)
    magic version size capacity count heartbeat ...  | crc seq time step metric attempt value | ...

The writer fills a slot, then publishes the count. A record carries its own sequence number and a checksum over it and
its payload, so that a reader notices on any processor, however it orders its stores, that a slot is half written
(torn) or already holds a later record (lapped). What a reader loses here is in `metrics.jsonl`.
The file is readable after the writer is dead. Not `multiprocessing.shared_memory`: on Python 3.11 a process that
merely attached unlinks the segment when it exits (https://github.com/python/cpython/issues/82300).
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from zlib import crc32

import msgspec

from engine.spec.records import METRIC_IDS, METRICS, Sample

MAGIC = b"PSTRING1"
HEADER = struct.Struct("<8sIIQQdQQ8x")
BODY = struct.Struct("<IdIHHd")
RECORD = struct.Struct("<I28s")
COUNT = struct.Struct("<Q")
BEAT = struct.Struct("<dQQ")
COUNT_AT = 24
BEAT_AT = 32
DEFAULT_CAPACITY = 65_536
"""2 MiB a run; at ten metrics and ten steps a second a reader may sleep for eleven minutes."""


class RingDamaged(ValueError):
    """The file is not a ring, or is cut short."""


class Pulse(msgspec.Struct, frozen=True):
    """The writer's signs of life: wall-clock seconds of the last beat, the step reached, the steps in all."""

    heartbeat: float
    step: int
    total: int
    count: int


class Batch(msgspec.Struct, frozen=True):
    """What one read brought: samples in order, and how many were overwritten (lapped) or half written (torn)."""

    samples: list[Sample]
    lapped: int
    torn: int


def create(path: Path, capacity: int = DEFAULT_CAPACITY) -> None:
    """Make an empty ring. Raises OSError; an existing file is replaced."""
    size = HEADER.size + capacity * RECORD.size
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(HEADER.pack(MAGIC, 1, RECORD.size, capacity, 0, 0.0, 0, 0))
        file.truncate(size)
    beside.replace(path)


def _map(path: Path, access: int) -> tuple[mmap.mmap, int]:
    """The mapped file and its capacity. Raises OSError or RingDamaged."""
    with path.open("rb" if access == mmap.ACCESS_READ else "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if size < HEADER.size:
            raise RingDamaged(f"{path.name} has {size} bytes, less than a header")
        memory = mmap.mmap(file.fileno(), 0, access=access)
    magic, version, record_size, capacity, *_ = HEADER.unpack_from(memory)
    if (magic, version, record_size) != (MAGIC, 1, RECORD.size) or size < HEADER.size + capacity * RECORD.size:
        memory.close()
        raise RingDamaged(f"{path.name} is not a metrics ring of this version, or is cut short")
    return memory, capacity


class RingWriter:
    """The one writer. An existing ring is continued: the count goes on, records carry their attempt."""

    def __init__(self, path: Path, attempt: int = 0) -> None:
        self._memory, self._capacity = _map(path, mmap.ACCESS_WRITE)
        (self._count,) = COUNT.unpack_from(self._memory, COUNT_AT)
        self._attempt = attempt

    def write(self, metric: str, step: int, value: float, when: float | None = None) -> None:
        """Write one sample and publish it. Raises KeyError for a metric that METRICS does not name."""
        count = self._count
        body = BODY.pack(
            (count + 1) & 0xFFFFFFFF,
            time.time() if when is None else when,
            step,
            METRIC_IDS[metric],
            self._attempt,
            value,
        )
        RECORD.pack_into(self._memory, 64 + count % self._capacity * 32, crc32(body), body)
        self._count = count = count + 1
        COUNT.pack_into(self._memory, COUNT_AT, count)

    def beat(self, step: int, total: int) -> None:
        """Say that the writer lives, and where it is."""
        BEAT.pack_into(self._memory, BEAT_AT, time.time(), step, total)

    def close(self) -> None:
        self._memory.close()


class RingReader:
    """A reader with its own cursor. `cursor` may be kept and given again; `read` never blocks and never waits."""

    def __init__(self, path: Path, cursor: int = 0) -> None:
        self._memory, self._capacity = _map(path, mmap.ACCESS_READ)
        self.cursor = cursor
        self.lapped = 0
        self.torn = 0

    def pulse(self) -> Pulse:
        """The writer's signs of life."""
        heartbeat, step, total = BEAT.unpack_from(self._memory, BEAT_AT)
        return Pulse(heartbeat, step, total, self._published())

    def _published(self) -> int:
        return COUNT.unpack_from(self._memory, COUNT_AT)[0]

    def read(self, limit: int = DEFAULT_CAPACITY) -> Batch:
        """The samples since the last read, at most `limit`, oldest first."""
        count = self._published()
        start = max(self.cursor, count - self._capacity)
        lapped, torn = start - self.cursor, 0
        samples: list[Sample] = []
        end = min(count, start + limit)
        for index in range(start, end):
            sample = self._record(index)
            if sample is not None:
                samples.append(sample)
            elif index < self._published() - self._capacity:
                lapped += 1
            else:
                torn += 1
        self.cursor = end
        self.lapped += lapped
        self.torn += torn
        return Batch(samples, lapped, torn)

    def _record(self, index: int) -> Sample | None:
        """The record with this number, or None when its slot holds anything else; looked at three times."""
        offset = 64 + index % self._capacity * 32
        for _ in range(3):
            check, body = RECORD.unpack_from(self._memory, offset)
            sequence, when, step, metric, attempt, value = BODY.unpack(body)
            if sequence == (index + 1) & 0xFFFFFFFF and crc32(body) == check and metric < len(METRICS):
                return Sample(METRICS[metric], step, value, when, attempt)
        return None

    def close(self) -> None:
        self._memory.close()
