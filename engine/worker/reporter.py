"""Everything a run says about itself: ring, metrics.jsonl, events.jsonl, state.json, and a heartbeat from a thread.

The heartbeat does not come from the step: a step may take minutes and the run still lives.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from engine.spec import ring
from engine.spec.files import LineWriter, number
from engine.spec.folder import RunFolder
from engine.spec.records import Card, Event, Fact, MetricLine, RunState, StateRecord
from engine.worker.meters import Meters

BEAT_SECONDS = 0.5
METER_SECONDS = 2.0
RESERVE_BYTES = 65_536


class Reporter:
    """The one writer of a run's records. Safe to call from the training thread and its own meter thread."""

    def __init__(self, folder: RunFolder, attempt: int) -> None:
        self._folder = folder
        self._attempt = attempt
        self._lock = threading.Lock()
        self._ring = _open_ring(folder.ring_file, attempt)
        self._metrics = LineWriter(folder.metrics_file)
        self._events = LineWriter(folder.events_file)
        self._reserve = folder.path / ".reserve"
        self._step = 0
        self._total = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._pulse, name="heartbeat", daemon=True)
        self.state = StateRecord(state=RunState.INITIALIZING, attempt=attempt)
        self.asks: Card | None = None
        """What a person is asked when the run ends paused by itself."""

    def start(self) -> None:
        """Say that the worker lives, before anything heavy is imported."""
        self._reserve.write_bytes(bytes(RESERVE_BYTES))
        self.event("started", f"Attempt {self._attempt + 1} started.")
        self.enter(RunState.INITIALIZING)
        self._thread.start()

    def at(self, step: int, total: int) -> None:
        """Where the run is now; goes out with the next heartbeat and state."""
        self._step, self._total = step, total

    def metrics(self, step: int, **values: float) -> None:
        """Record numbers of one step: the file first, then the ring, so that the file has them all."""
        now = time.time()
        line = {name: number(value) for name, value in values.items()}
        with self._lock:
            self._metrics.write(MetricLine(attempt=self._attempt, step=step, time=now, values=line))
            for name, value in values.items():
                self._ring.write(name, step, value, now)
            self._ring.beat(self._step, self._total)

    def event(self, kind: str, message: str = "", **facts: Fact) -> None:
        """Record a fact."""
        event = Event(kind=kind, time=time.time(), attempt=self._attempt, step=self._step, message=message, facts=facts)
        with self._lock:
            self._events.write(event)

    def enter(self, state: RunState, *, exit_code: int | None = None, error: Card | None = None) -> None:
        """Move to a state: state.json is replaced, and the transition is an event (requirement G3)."""
        self.state = StateRecord(
            state=state,
            attempt=self._attempt,
            step=self._step,
            total_steps=self._total,
            exit=exit_code,
            error=error,
        )
        self._folder.write_state(self.state)
        self.event("state", state.value)

    def sync(self) -> None:
        """Put what was recorded on the disk; called with each checkpoint, so that the two agree after a power cut."""
        with self._lock:
            self._metrics.sync()
            self._events.sync()

    def free_reserve(self) -> None:
        """Give back the space kept for last words on a full disk."""
        self._reserve.unlink(missing_ok=True)

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self.free_reserve()
        self._ring.close()
        self._metrics.close()
        self._events.close()

    def _pulse(self) -> None:
        meters, next_reading = Meters(), time.monotonic()
        while not self._ended.wait(BEAT_SECONDS):
            with self._lock:
                self._ring.beat(self._step, self._total)
            if time.monotonic() >= next_reading:
                next_reading = time.monotonic() + METER_SECONDS
                self._record(meters.read())

    def _record(self, readings: dict[str, float]) -> None:
        try:
            self.metrics(self._step, **readings)
        except OSError:  # a full disk: the training thread meets it too, and ends the run with a card
            self._ended.set()


class Silent(Reporter):
    """A reporter of a process that shares a run but does not write: rank 0 does."""

    def __init__(self) -> None:
        self.asks = None

    def start(self) -> None:
        pass

    def at(self, step: int, total: int) -> None:
        pass

    def metrics(self, step: int, **values: float) -> None:
        pass

    def event(self, kind: str, message: str = "", **facts: Fact) -> None:
        pass

    def enter(self, state: RunState, *, exit_code: int | None = None, error: Card | None = None) -> None:
        pass

    def sync(self) -> None:
        pass

    def free_reserve(self) -> None:
        pass

    def close(self) -> None:
        pass


def _open_ring(path: Path, attempt: int) -> ring.RingWriter:
    """Continue the run's ring, or make a new one where it is missing or damaged (the file has the numbers)."""
    try:
        return ring.RingWriter(path, attempt)
    except (OSError, ring.RingDamaged):
        ring.create(path)
        return ring.RingWriter(path, attempt)


def next_attempt(folder: RunFolder) -> int:
    """The attempt the launcher wrote down; 0 when started by hand."""
    launch = folder.launch()
    return launch.attempt if launch else 0
