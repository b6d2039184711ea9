"""What a run will need: memory by component, time, energy, disk; each part with its reason, and how sure the whole is.

Memory follows what is really allocated (engine/plan/memory.py), time is operations over an assumed speed
(engine/plan/duration.py). All are ranges: only a measured step knows better, and corrects them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from engine.plan.calibration import Calibration, Expected, Score, score_of
from engine.plan.costs import USUAL_TARIFF, Energy, Tariff, disk_parts, energy
from engine.plan.devices import speed_of
from engine.plan.duration import time_parts
from engine.plan.facts import DataFacts
from engine.plan.hardware import Hardware
from engine.plan.memory import OURS, Device, Part, Practice, load_of
from engine.plan.models import BaseModel
from engine.plan.sharing import gain, shared_parts
from engine.plan.solver import Limits
from engine.plan.states import state_of
from engine.spec.methods import Method
from engine.spec.objectives import Imitate, Objective
from engine.spec.runspec import Training

MEMORY_RANGE, MEASURED_MEMORY = (0.85, 1.2), (0.95, 1.08)
"""Low and high over expected: published peaks lie 17 % below to 24 % above; a measured step leaves the allocator's
gaps."""
SHARED_MEMORY = (0.85, 1.6)
"""The same for several processes: measured on a processor only, 1.05 (every weight), 1.2 (LoRA) and 1.6 (QLoRA)."""
TIME_RANGE, MEASURED_TIME = (0.5, 2.5), (0.85, 1.2)
"""The share of a device's peak that training reaches differs by such factors; measured, only the rows' lengths do."""

ALIKE = 1.5
"""Measurements within this factor of each other make an estimate sure."""

Confidence = Literal["low", "medium", "high"]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Peak memory: the range, what may be used of the device, and the components, which add up to what is expected.

    Going through it gives the components.
    """

    peak_bytes: Expected
    budget_bytes: int
    components: tuple[Part, ...]

    def __iter__(self) -> Iterator[Part]:
        return iter(self.components)


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Memory in bytes, time in seconds. The middle value is the expected one. `limits` is what would fit at most."""

    device: str
    memory: Memory
    seconds_min: float
    seconds: float
    seconds_max: float
    tokens_per_second: float
    time: tuple[Part, ...]
    disk: tuple[Part, ...]
    disk_bytes: int
    energy: Energy
    trainable: int
    limits: Limits
    calibrated: bool
    confidence: Confidence
    confidence_reason: str

    @property
    def memory_low(self) -> int:
        """The least that the peak may be."""
        return int(self.memory.peak_bytes.low)

    @property
    def memory_peak(self) -> int:
        """The expected peak."""
        return int(self.memory.peak_bytes.expected)

    @property
    def memory_high(self) -> int:
        """The most that the peak may be."""
        return int(self.memory.peak_bytes.high)

    @property
    def memory_budget(self) -> int:
        """Bytes that may be used."""
        return self.memory.budget_bytes

    @property
    def fits(self) -> bool:
        """The expected peak is within the memory that can be used."""
        return self.memory_peak <= self.memory_budget


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an estimate depends on."""

    model: BaseModel
    data: DataFacts
    method: Method
    training: Training
    hardware: Hardware
    total_steps: int
    processes: int = 1
    objective: Objective = Imitate()
    practice: Practice = OURS
    calibration: Calibration | None = None
    tariff: Tariff = USUAL_TARIFF

    @property
    def device(self) -> Device:
        """What it runs on."""
        return "gpu" if self.hardware.gpu is not None else "cpu"

    @property
    def memory_ratio(self) -> float:
        """Measured over predicted memory; 1 when nothing was measured."""
        return self.calibration.memory if self.calibration else 1.0


def estimate(job: Job) -> Estimate:
    """Everything but the limits, which take a search of their own (`engine.plan.solver`), in 0.1 ms."""
    speed = speed_of(job.hardware, job.training.precision, job.model.parameters)
    state = state_of(job.model, job.method, job.training, masters=job.practice.masters)
    ratio = (job.calibration.seconds if job.calibration else 1.0) / gain(job.device, job.processes)
    time = time_parts(job.model, job.data, job.method, job.objective, job.training, speed, job.total_steps, ratio)
    seconds = sum(part.amount for part in time)
    disk = disk_parts(state, job.method, job.training)
    low, high = _time_range(job.calibration)
    start = time[0].amount
    return Estimate(
        device=speed.device,
        memory=memory_of(job),
        seconds_min=start / 2 + (seconds - start) * low,
        seconds=seconds,
        seconds_max=start * 3 + (seconds - start) * high,
        tokens_per_second=job.data.tokens * job.training.epochs / max(1e-9, time[2].amount),
        time=time,
        disk=disk,
        disk_bytes=int(sum(part.amount for part in disk)),
        energy=energy(speed.watts, seconds, job.tariff),
        trainable=state.trainable,
        limits=Limits(micro_batch=0, max_length=0),
        calibrated=job.calibration is not None,
        confidence=_sureness(job.calibration, speed.known),
        confidence_reason=_confidence(job, speed.reason),
    )


def _time_range(measured: Calibration | None) -> tuple[float, float]:
    """Low and high over expected, never wider than without a measurement."""
    if measured is None:
        return TIME_RANGE
    low, high, spread = *MEASURED_TIME, measured.seconds_spread
    return max(TIME_RANGE[0], low / spread), min(TIME_RANGE[1], high * spread)


def _memory_range(measured: Calibration | None, processes: int) -> tuple[float, float]:
    if processes > 1:
        return SHARED_MEMORY
    if measured is None:
        return MEMORY_RANGE
    low, high, spread = *MEASURED_MEMORY, measured.memory_spread
    return max(MEMORY_RANGE[0], low / spread), min(MEMORY_RANGE[1], high * spread)


def _sureness(measured: Calibration | None, known: bool) -> Confidence:
    if measured is not None:
        return "high" if measured.seconds_spread <= ALIKE else "medium"
    return "medium" if known else "low"


def _confidence(job: Job, assumed: str) -> str:
    if job.calibration is None:
        return assumed
    return f"{job.calibration.steps} steps were measured on this device, and the estimate corrected by them"


def memory_of(job: Job) -> Memory:
    """Peak memory alone."""
    load = load_of(job.data, job.training, job.method)
    parts = shared_parts(job.model, job.method, job.training, load, job.device, job.practice, job.processes)
    ratio = job.memory_ratio
    if ratio != 1:
        parts = tuple(msgspec.structs.replace(part, amount=ratio * part.amount) for part in parts)
    peak = sum(part.amount for part in parts)
    low, high = _memory_range(job.calibration, job.processes)
    return Memory(
        peak_bytes=Expected(low=int(peak * low), expected=int(peak), high=int(peak * high)),
        budget_bytes=memory_budget(job.hardware),
        components=parts,
    )


def memory_budget(hardware: Hardware) -> int:
    """Bytes a run may plan with: nine tenths of a card's free memory, or eight tenths of the machine's."""
    gpu = hardware.gpu
    return int(gpu.memory_free * 0.9) if gpu else int(hardware.memory_free * 0.8)


def score(made: Estimate, seconds: float, peak_bytes: float) -> Score:
    """How good an estimate was, once it is known what happened. Raises ValueError for numbers that are not above 0."""
    time = Expected(low=made.seconds_min, expected=made.seconds, high=made.seconds_max)
    return score_of(time, made.memory.peak_bytes, seconds, peak_bytes)
