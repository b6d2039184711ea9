"""What a detector says: a pattern in a run's numbers, with its evidence, in plain words, and what can be done about
it.

Knows the words and the verbs, not how a pattern is found nor what the run then does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from engine.spec.records import Action


class Kind(StrEnum):
    """Every pattern that can be seen. The values are the names in events."""

    NON_FINITE = "non-finite"
    DIVERGENCE = "divergence"
    EXPLOSION = "gradient-explosion"
    PLATEAU = "plateau"
    OVERFITTING = "overfitting"
    DEAD_ADAPTER = "dead-adapter"
    OUT_OF_MEMORY = "out-of-memory"
    MEMORY_FULL = "memory-full"
    MEMORY_CREEP = "memory-creep"
    THROUGHPUT_COLLAPSE = "throughput-collapse"
    DATA_STARVATION = "data-starvation"
    THERMAL_THROTTLING = "thermal-throttling"
    BATTERY_LOW = "battery-low"


class Do(StrEnum):
    """Verbs of `Action.do` that detectors and recoveries use. `resume` and `retry-lower-rate` are known elsewhere
    too."""

    RESUME = "resume"
    RETRY_LOWER_RATE = "retry-lower-rate"
    ROLL_BACK = "roll-back"
    LOWER_RATE = "lower-rate"
    RAISE_RATE = "raise-rate"
    STOP = "stop"
    KEEP_BEST = "keep-best"
    SMALLER_MICRO_BATCH = "smaller-micro-batch"
    CHECKPOINT_ACTIVATIONS = "checkpoint-activations"
    QUANTIZE = "quantize"
    SHOW_ROWS = "show-rows"


class Level(StrEnum):
    """How much it matters: worth knowing, wastes or endangers the run, or ruins it if nothing is done."""

    NOTICE = "notice"
    WARNING = "warning"
    SERIOUS = "serious"


class Evidence(NamedTuple):
    """One number that the finding rests on. `unit` is empty for a plain ratio or count."""

    label: str
    value: float
    unit: str = ""


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern that began. `began` is the last step before it: checkpoints up to that step are stable.

    `persists` marks the second report of a pattern that leaving out single steps did not end. `recovers` says that
    the run should do something about it now (engine.monitor.recovery decides what).
    """

    name: Kind
    level: Level
    step: int
    began: int
    what: str
    why: str
    evidence: tuple[Evidence, ...]
    actions: tuple[Action, ...]
    recovers: bool = False
    persists: bool = False


def action(label: str, do: Do | None = None) -> Action:
    """Something a person can do; with a verb, something a face can do for them."""
    return Action(label=label, do=do or "")


def number(value: float) -> str:
    """Three significant digits, without an exponent where a person would not write one."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def size(count: float) -> str:
    """Bytes as people write them."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if abs(count) >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
