"""The detector that compares validation with training: what is learned from here on is learned by rote."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from engine.monitor.anomaly import Anomaly, Do, Evidence, Kind, Level, action, number
from engine.monitor.observation import Observation
from engine.monitor.robust import median

KEPT = 12
TRAIN_WINDOW = 16
RISES = ((3, 0.03), (2, 0.08), (1, 0.2))
"""So many validations in a row must lie above the best one by this share of it."""
NOISE_FACTOR = 4.0
QUARTILE = 0.32
"""Lower quartile of the absolute value of a standard normal variable."""
TRAIN_FALL = 0.02


class Reading(NamedTuple):
    """One validation, and the median training loss around it."""

    step: int
    loss: float
    training: float


class Overfitting(msgspec.Struct, frozen=True):
    """The validation loss turned up while the training loss went on falling.

    Three validations in a row lie 3 % above the best one, or two 8 %, or one 20 %, and all of them by more than 4
    times the noise of the validation curve itself; the training loss fell by 2 % of itself or more since the best
    one.
    """

    recent: tuple[float, ...] = ()
    readings: tuple[Reading, ...] = ()
    best: Reading | None = None
    told: bool = False

    def after(self, seen: Observation) -> tuple[Overfitting, Anomaly | None]:
        recent = (*self.recent[1 - TRAIN_WINDOW :], seen.loss) if math.isfinite(seen.loss) else self.recent
        loss = seen.validation_loss
        if loss is None or not math.isfinite(loss) or not recent:
            return Overfitting(recent, self.readings, self.best, self.told), None
        reading = Reading(seen.step, loss, median(recent))
        readings = (*self.readings[1 - KEPT :], reading)
        if self.best is None or loss <= self.best.loss:
            return Overfitting(recent, readings, reading), None
        turned = _turned(readings, self.best)
        now = Overfitting(recent, readings, self.best, turned or self.told)
        return now, _overfitting(self.best, reading, readings) if turned and not self.told else None


def _turned(readings: tuple[Reading, ...], best: Reading) -> bool:
    if readings[-1].training > (1 - TRAIN_FALL) * best.training:
        return False
    noise = NOISE_FACTOR * _noise(readings)
    since = [reading.loss - best.loss for reading in readings if reading.step > best.step]
    return any(len(since) >= count and min(since[-count:]) > max(share * best.loss, noise) for count, share in RISES)


def _noise(readings: tuple[Reading, ...]) -> float:
    """Standard deviation of one validation, from how far each lies off the line between its neighbours.

    The lower quartile of these bends: most of them at the start of a run are the curve's own.
    """
    triples = zip(readings, readings[1:], readings[2:], strict=False)
    bends = sorted(abs(a.loss - 2 * b.loss + c.loss) for a, b, c in triples)
    return bends[len(bends) // 4] / QUARTILE / 6**0.5 if len(bends) >= 3 else 0.0


def _overfitting(best: Reading, now: Reading, readings: tuple[Reading, ...]) -> Anomaly:
    count = sum(reading.step > best.step for reading in readings)
    return Anomaly(
        name=Kind.OVERFITTING,
        level=Level.WARNING,
        step=now.step,
        began=best.step,
        what=f"The model begins to learn by rote: on held-out rows the loss was {number(best.loss)} at step "
        f"{best.step} and is {number(now.loss)} now.",
        why=f"On the rows that it trains on it fell from {number(best.training)} to {number(now.training)} meanwhile. "
        "What it learns now holds for those rows alone: they are few for so many passes, or the rate is high.",
        evidence=(
            Evidence("validation loss now", now.loss, "nats"),
            Evidence("lowest validation loss", best.loss, "nats"),
            Evidence("lowest at", best.step, "step"),
            Evidence("validations above it", count),
            Evidence("training loss now", now.training, "nats"),
            Evidence("training loss then", best.training, "nats"),
        ),
        actions=(
            action(f"Stop here and keep the checkpoint of about step {best.step}.", Do.KEEP_BEST),
            action("Train for fewer epochs, or add rows."),
            action("Choose a lower rank or more dropout."),
        ),
    )
