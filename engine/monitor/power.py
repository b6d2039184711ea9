"""The detector of a machine that runs its battery down."""

from __future__ import annotations

import msgspec

from engine.monitor.anomaly import Anomaly, Do, Evidence, Kind, Level, action
from engine.monitor.observation import Observation

LOW = 0.15
LOW_OVER = 0.25


class BatteryLow(msgspec.Struct, frozen=True):
    """The machine runs on its battery, and 15 % or less is left; over when it is plugged in, or above 25 %."""

    told: bool = False

    def after(self, seen: Observation) -> tuple[BatteryLow, Anomaly | None]:
        if seen.battery is None:
            return self, None
        told = seen.battery <= (LOW_OVER if self.told else LOW)
        return BatteryLow(told), _low(seen.step, seen.battery) if told and not self.told else None


def _low(step: int, left: float) -> Anomaly:
    return Anomaly(
        name=Kind.BATTERY_LOW,
        level=Level.WARNING,
        step=step,
        began=step,
        what=f"The battery is at {left:.0%}, and the machine is not plugged in.",
        why="Training empties a battery quickly, and a machine that goes out loses what was not saved.",
        evidence=(Evidence("charge left", left),),
        actions=(
            action("Plug the machine in, and resume the run.", Do.RESUME),
            action("Or stop it here: what was learned so far can be tried.", Do.STOP),
        ),
    )
