"""The metrics ring: records a second from one writer, and a reader that looks only ten times a second."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.report import Measure, report
from engine.spec import ring

RECORDS = 1_000_000
PACE = 10_000
SECONDS = 5


def written_per_second(path: Path) -> float:
    """A writer alone, as fast as it goes."""
    ring.create(path)
    writer = ring.RingWriter(path)
    started = time.perf_counter()
    for step in range(RECORDS):
        writer.write("loss", step, 1.0, 0.0)
    return RECORDS / (time.perf_counter() - started)


def yardstick_per_second() -> float:
    """The same number of plain list appends: how fast this interpreter is at all."""
    found: list[tuple[int, float]] = []
    started = time.perf_counter()
    for step in range(RECORDS):
        found.append((step, 1.0))
    return RECORDS / (time.perf_counter() - started)


def lost_by_a_slow_reader(path: Path) -> tuple[int, int]:
    """Records lost and torn for a reader 100 ms behind a writer of 10,000 a second."""
    ring.create(path)
    writer, reader = ring.RingWriter(path), ring.RingReader(path)
    done = threading.Event()

    def write() -> None:
        started, count = time.perf_counter(), 0
        while count < PACE * SECONDS:
            due = int((time.perf_counter() - started) * PACE)
            for _ in range(due - count):
                writer.write("loss", count, 1.0)
                count += 1
            time.sleep(0.001)
        done.set()

    threading.Thread(target=write).start()
    seen = 0
    while not done.is_set():
        time.sleep(0.1)
        seen += len(reader.read().samples)
    seen += len(reader.read().samples)
    return reader.lapped + (reader.pulse().count - seen - reader.lapped), reader.torn


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "metrics.ring"
        speed, plain = written_per_second(path), yardstick_per_second()
        lost, torn = lost_by_a_slow_reader(path)
    return report(
        "ring",
        [
            Measure("records written", speed, "records/s", 1_000_000, most=False),
            Measure("against a list append", speed / plain, "times"),
            Measure("lost by a reader 100 ms behind, 10,000 records/s", lost, "records", 0),
            Measure("torn reads noticed meanwhile", torn, "records"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
