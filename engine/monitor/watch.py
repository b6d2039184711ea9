"""All detectors together, fed one optimizer step at a time.

Knows the detectors, not what the run does about what they say (engine.monitor.recovery). What is remembered is one
frozen, bounded struct that a checkpoint can keep: a run that resumes from it is judged like one that was never
interrupted.
"""

from __future__ import annotations

from typing import Protocol, Self

import msgspec

from engine.monitor.anomaly import Anomaly
from engine.monitor.gradients import DeadAdapter, Explosion
from engine.monitor.loss import Divergence, NonFinite, Plateau
from engine.monitor.machine import DataStarvation, MemoryCreep, MemoryFull, ThermalThrottling, ThroughputCollapse
from engine.monitor.observation import Observation
from engine.monitor.power import BatteryLow
from engine.monitor.validation import Overfitting


class Detector(Protocol):
    """What one detector remembers. Each kind of anomaly is told when it begins, and not again until it was over."""

    def after(self, seen: Observation) -> tuple[Self, Anomaly | None]:
        """The memory after one more step, and what is news in it. Pure."""
        ...


class WatchState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a Watch remembers; finite numbers only, a few kilobytes as JSON."""

    step: int = 0
    non_finite: NonFinite = NonFinite()
    explosion: Explosion = Explosion()
    divergence: Divergence = Divergence()
    plateau: Plateau = Plateau()
    overfitting: Overfitting = Overfitting()
    dead_adapter: DeadAdapter = DeadAdapter()
    memory_full: MemoryFull = MemoryFull()
    memory_creep: MemoryCreep = MemoryCreep()
    throughput: ThroughputCollapse = ThroughputCollapse()
    starvation: DataStarvation = DataStarvation()
    thermal: ThermalThrottling = ThermalThrottling()
    battery: BatteryLow = BatteryLow()


class Watch:
    """Sees each optimizer step and says what began to go wrong.

    A step that was seen before (a roll-back without `restored`) starts all memory anew, so that numbers from the
    time that was taken back are not compared with.
    """

    def __init__(self) -> None:
        self._take(WatchState())

    @classmethod
    def restored(cls, state: WatchState) -> Watch:
        """A watch that goes on where the one whose `state()` this is left off."""
        watch = cls()
        watch._take(state)
        return watch

    def state(self) -> WatchState:
        """What is remembered now; equal for equal histories."""
        return WatchState(step=self._step, **self._detectors)  # type: ignore[arg-type]

    def see(self, seen: Observation) -> tuple[Anomaly, ...]:
        """What began at this step, the most urgent first; mostly nothing."""
        if seen.step <= self._step:
            self._take(WatchState())
        self._step = seen.step
        found: list[Anomaly] = []
        for name, detector in self._detectors.items():
            self._detectors[name], anomaly = detector.after(seen)
            if anomaly is not None:
                found.append(anomaly)
        return tuple(found)

    def gradient_limit(self) -> float | None:
        """The largest gradient norm that would not be an explosion in the next step; None while too little was seen.

        Asked before the optimizer steps, so that an exploding step can be left out.
        """
        explosion = self._detectors["explosion"]
        assert isinstance(explosion, Explosion)
        return explosion.limit()

    def _take(self, state: WatchState) -> None:
        self._step = state.step
        self._detectors: dict[str, Detector] = {
            name: value for name, value in msgspec.structs.asdict(state).items() if name != "step"
        }
