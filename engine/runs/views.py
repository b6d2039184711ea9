"""What a face sees of a run: a frozen view, and the growing series of a run that is being watched."""

from __future__ import annotations

from array import array

import msgspec

from engine.spec.records import Card, RunState


class Eta(msgspec.Struct, frozen=True):
    """Seconds to the end: the middle estimate and the bounds of a 90 % interval."""

    low: float
    expected: float
    high: float


class RunView(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # ten thousand cost the collector 20 ms
    """One run at one moment. Times are seconds since the epoch; numbers not measured yet are None.

    `quality` is the score of its reading, 0 to 100, once it has one; `expected_memory` the peak in bytes that its plan
    expected; `waits_for` says what keeps a waiting run in the queue; `sweep` is the id of the sweep it belongs to;
    `asks` is what it proposes while it goes on, and `asked` when it did.
    """

    id: str
    kind: str
    name: str
    state: RunState
    created: float
    updated: float
    model: str = ""
    dataset: str = ""
    method: str = ""
    profile: str = ""
    attempt: int = 0
    step: int = 0
    total_steps: int = 0
    epochs: int = 0
    loss: float | None = None
    validation_loss: float | None = None
    best_validation: float | None = None
    tokens_per_second: float | None = None
    memory: float | None = None
    eta: Eta | None = None
    queue_position: int | None = None
    waits_for: str = ""
    priority: int = 0
    sweep: str = ""
    expected_memory: int | None = None
    quality: float | None = None
    error: Card | None = None
    asks: str = ""
    asked: float = 0.0
    message: str = ""
    seconds: float = 0.0

    @property
    def progress(self) -> float:
        """Share of the steps done, 0 to 1."""
        return self.step / self.total_steps if self.total_steps else 0.0

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.progress * self.epochs


class Series:
    """One metric of one run, by step; for one step the highest attempt counts, so a resumed run has one curve."""

    __slots__ = ("attempts", "steps", "times", "values")

    def __init__(self) -> None:
        self.steps = array("q")
        self.values = array("d")
        self.times = array("d")
        self.attempts = array("i")

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: int, value: float, time: float, attempt: int) -> None:
        """Put one number where it belongs; nearly always at the end."""
        while self.steps and self.steps[-1] >= step and self.attempts[-1] < attempt:
            self._drop_last()  # a new attempt goes over these steps again
        if not self.steps or step > self.steps[-1]:
            self.steps.append(step)
            self.values.append(value)
            self.times.append(time)
            self.attempts.append(attempt)
        elif attempt >= self.attempts[-1]:
            self._replace(step, value, time, attempt)

    def _replace(self, step: int, value: float, time: float, attempt: int) -> None:
        """The same step again (validation repeated, or a line that the ring already brought)."""
        for position in range(len(self.steps) - 1, -1, -1):
            if self.steps[position] == step:
                self.values[position], self.times[position], self.attempts[position] = value, time, attempt
                return
            if self.steps[position] < step:
                for column, item in ((self.steps, step), (self.attempts, attempt)):
                    column.insert(position + 1, item)
                self.values.insert(position + 1, value)
                self.times.insert(position + 1, time)
                return

    def _drop_last(self) -> None:
        for column in (self.steps, self.values, self.times, self.attempts):
            column.pop()

    @property
    def last(self) -> float | None:
        """The newest value."""
        return self.values[-1] if self.values else None
