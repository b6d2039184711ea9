"""What a run writes about itself: samples, events, its state, and how an error is put to a person.

Knows nothing of who reads them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import msgspec

T = TypeVar("T")

Fact = str | int | float | bool

METRICS = (
    "loss",
    "validation_loss",
    "learning_rate",
    "gradient_norm",
    "tokens_per_second",
    "rows_per_second",
    "step_seconds",
    "worker_memory",
    "worker_cpu",
    "gpu_memory",
    "gpu_utilization",
    "gpu_temperature",
    "gpu_power",
    "padding_share",
    "trained_tokens",
    "data_wait_share",
    "progress",
    "compute_seconds",
    "adapter_norm",
    "preference_accuracy",
    "preference_margin",
    "validation_preference_accuracy",
    "validation_preference_margin",
)
"""Names of the metrics a ring can carry; the position is the id, so new ones are only ever added at the end.

Units: losses in nats per trained token; rates per second; memory in bytes; shares 0 to 1; temperature in degrees
Celsius; power in watts; `worker_cpu` in cores;
`compute_seconds` is the part of `step_seconds` in forward, backward and optimizer; a preference margin is in nats.
"""
METRIC_IDS = {name: position for position, name in enumerate(METRICS)}


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One number at one optimizer step."""

    metric: str
    step: int
    value: float
    time: float
    attempt: int = 0


class MetricLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `metrics.jsonl`: all numbers of one step. Non-finite values are the strings nan, inf, -inf."""

    attempt: int
    step: int
    time: float
    values: dict[str, float | str]

    def samples(self) -> list[Sample]:
        return [Sample(name, self.step, float(value), self.time, self.attempt) for name, value in self.values.items()]


class RunState(StrEnum):
    """Where a run stands (requirement G3). `lost` is a judgement of the engine and never written by a worker."""

    CREATED = "created"
    INITIALIZING = "initializing"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"

    active: bool
    """A process is, or should be, at work."""
    resumable: bool
    """A new attempt can go on from the last checkpoint."""

    def __init__(self, value: str) -> None:  # noted once: ten thousand runs are asked at every drawing
        self.active = value in ("initializing", "running")
        self.resumable = value in ("paused", "failed", "lost", "stopped")


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person can do about it. `do` names an automatic one (a verb the faces know), with its subject."""

    label: str
    do: str = ""
    subject: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An error as people see it (requirement R1): what happened, why, what to do, where to read more."""

    what: str
    why: str
    actions: tuple[Action, ...] = ()
    help: str = "troubleshooting"
    code: str = "error"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact at a time: one line of `events.jsonl`.

    Kinds: started, loaded, state, checkpoint, acknowledged, validation, resumed, anomaly, recovery, proposal, note,
    error, finished.
    """

    kind: str
    time: float
    attempt: int = 0
    step: int = 0
    message: str = ""
    facts: dict[str, Fact] = {}


class StateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`state.json`: written by the worker alone, replaced atomically at each transition and each checkpoint."""

    state: RunState
    attempt: int = 0
    step: int = 0
    total_steps: int = 0
    time: float = 0.0
    exit: int | None = None
    error: Card | None = None


class LaunchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`launch.json`: written by the launcher alone. `process_started` tells a reused pid from the right one."""

    attempt: int
    pid: int
    process_started: float
    host: str
    time: float
    threads: int


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What of a run can be changed while it is at work, from its next step on; None leaves it as it is.

    `learning_rate` is the peak of the planned course; the intervals are in steps.
    """

    learning_rate: float | None = None
    validate_every: int | None = None
    checkpoint_every: int | None = None

    def with_changes(self, other: Live) -> Live:
        """This with what `other` changes."""
        return Live(**{name: _first(getattr(other, name), getattr(self, name)) for name in Live.__struct_fields__})

    def changes(self) -> dict[str, float]:
        """What is changed, by name."""
        return {name: value for name in Live.__struct_fields__ if (value := getattr(self, name)) is not None}


def _first(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value


class Control(Live, frozen=True, kw_only=True):
    """`control.json`: what the engine wants; `seq` rises and the worker acknowledges it in an event.

    Wishes belong to an attempt: a later one ignores them, but goes on with what was changed. `resume` asks for a new
    attempt, and so waits in the queue; `accept` with it means that the proposal of the attempt before (`proposal.json`)
    is to be carried out.
    """

    seq: int
    attempt: int
    pause: bool = False
    stop: bool = False
    checkpoint: bool = False
    resume: bool = False
    accept: bool = False
