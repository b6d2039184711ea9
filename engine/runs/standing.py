"""What the engine keeps beside a run that waits: what it was expected to need, its place in the queue, its sweep.

`estimate.json` and `queue.json` are the engine's; the spec itself is frozen, and the worker reads neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from engine.plan.calibration import Calibration, Expected
from engine.plan.estimate import Estimate
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder

T = TypeVar("T")
ESTIMATE_FILE = "estimate.json"
QUEUE_FILE = "queue.json"
MEASURED_PARTS = ("training", "validation")


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """`estimate.json`: the plan's estimate as it was when the run was queued. Seconds and bytes.

    `work_seconds` is the part in training and validation alone, which calibration is about; `calibration` is what the
    estimate was already corrected by. `flops` and `watts` are what the device is assumed to reach and to take; 0 in
    estimates from before they were kept.
    """

    device: str
    on_gpu: bool
    method: str
    parameters: int
    seconds: Expected
    memory: Expected
    work_seconds: float
    calibration: Calibration | None = None
    flops: float = 0.0
    watts: float = 0.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """`queue.json`: a priority given after the spec was frozen, and the sweep that the run belongs to."""

    priority: int | None = None
    sweep: str = ""


def expectation_of(
    made: Estimate, *, on_gpu: bool, method: str, parameters: int, calibration: Calibration | None, flops: float
) -> Expectation:
    """What is kept of an estimate."""
    return Expectation(
        device=made.device,
        on_gpu=on_gpu,
        method=method,
        parameters=parameters,
        seconds=Expected(low=made.seconds_min, expected=made.seconds, high=made.seconds_max),
        memory=made.memory.peak_bytes,
        work_seconds=sum(part.amount for part in made.time if part.name in MEASURED_PARTS),
        calibration=calibration,
        flops=flops,
        watts=made.energy.watts,
    )


def keep_expectation(folder: RunFolder, expected: Expectation) -> None:
    """Write `estimate.json`. Raises OSError."""
    write_struct(folder.path / ESTIMATE_FILE, expected)


def expectation(folder: RunFolder) -> Expectation | None:
    """What the run was expected to need; None for runs that nothing was estimated for."""
    return _read(folder.path / ESTIMATE_FILE, Expectation)


def standing(folder: RunFolder) -> Standing:
    """The run's place; an empty one where nothing was said."""
    return _read(folder.path / QUEUE_FILE, Standing) or Standing()


def keep_standing(folder: RunFolder, place: Standing) -> None:
    """Write `queue.json`. Raises OSError."""
    write_struct(folder.path / QUEUE_FILE, place)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return read_struct(path, kind)
    except (OSError, msgspec.MsgspecError):
        return None
