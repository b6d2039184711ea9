"""Detectors that read the training loss: no number any more, climbing for good, or no longer falling."""

from __future__ import annotations

import math

import msgspec

from engine.monitor.anomaly import Anomaly, Do, Evidence, Kind, Level, action, number
from engine.monitor.observation import Observation
from engine.monitor.robust import Blocks, line, median

IN_A_ROW = 3
AMONG_LAST_20 = 6
QUIET_AFTER = 10
"""Sound steps after which the next step without a number is news again."""

WINDOW = 8
HIGH_FOR = 8
NOISE_FACTOR = 3.0
SHARE_OF_BEST = 0.35
SHARE_OF_START = 0.04
LEAST_RISE = 0.1

FLAT_BLOCKS = 8
FIRST = 30
FLAT_SHARE = 0.035
HIGH_SHARE = 0.9
DECAYED = 0.5


class NonFinite(msgspec.Struct, frozen=True):
    """Steps whose loss or gradient is not a finite number: told when they begin, and again when they go on."""

    bad: tuple[int, ...] = ()
    in_a_row: int = 0
    told: bool = False
    insisted: bool = False

    def after(self, seen: Observation) -> tuple[NonFinite, Anomaly | None]:
        if math.isfinite(seen.loss) and math.isfinite(seen.gradient_norm or 0.0):
            return self._sound(seen.step), None
        bad = (*(step for step in self.bad if step > seen.step - 20), seen.step)
        row = self.in_a_row + 1
        persists = row >= IN_A_ROW or len(bad) >= AMONG_LAST_20
        news = not self.told or (persists and not self.insisted)
        now = NonFinite(bad, row, True, self.insisted or persists)
        return now, _non_finite(seen, bad, persists) if news else None

    def _sound(self, step: int) -> NonFinite:
        if not self.bad:
            return self
        if step - self.bad[-1] > QUIET_AFTER:
            return NonFinite()
        return NonFinite(self.bad, 0, self.told, self.insisted)


def _non_finite(seen: Observation, bad: tuple[int, ...], persists: bool) -> Anomaly:
    many = f"{len(bad)} of the last 20 steps, the first at step {bad[0]}, gave a loss or gradient that is no number."
    return Anomaly(
        name=Kind.NON_FINITE,
        level=Level.SERIOUS if persists else Level.WARNING,
        step=seen.step,
        began=bad[0] - 1,
        what=many if persists else f"Step {seen.step} gave a loss or gradient that is no number.",
        why="The arithmetic overflowed. Mostly the learning rate is too high; now and then a row is damaged.",
        evidence=(Evidence("steps without a number", len(bad)), Evidence("first of them", bad[0], "step")),
        actions=(
            action("Go back to the last stable checkpoint, at half the learning rate.", Do.ROLL_BACK),
            action("Start again with a tenth of the learning rate.", Do.RETRY_LOWER_RATE),
            action("Look at the rows of this step.", Do.SHOW_ROWS),
        ),
        recovers=True,
        persists=persists,
    )


class Divergence(msgspec.Struct, frozen=True):
    """The loss climbs away from its best level and stays there; one spike, or a hard batch, does not count.

    The level is the median of the last 8 losses, the noise the typical jump from step to step. It diverged when for 8
    steps in a row the level lay above the best by more than 3 times the noise, and by more than 35 % of the best and
    4 % of the start together (0.1 nats at least).
    """

    recent: tuple[float, ...] = ()
    start: float | None = None
    noise: float = 0.0
    best: float = 0.0
    best_step: int = 0
    high_for: int = 0
    told: bool = False

    def after(self, seen: Observation) -> tuple[Divergence, Anomaly | None]:
        if not math.isfinite(seen.loss):
            return self, None
        recent = (*self.recent[1 - WINDOW :], seen.loss)
        if len(recent) < 3:
            return Divergence(recent), None
        level = median(recent)
        if self.start is None or level <= self.best:
            start = level if self.start is None else self.start
            return Divergence(recent, start, self._noise(recent), level, seen.step), None
        return self._above(recent, level, seen)

    def _noise(self, recent: tuple[float, ...]) -> float:
        """A slow mean of the jumps, each held to three times what is usual, so that a divergence does not excuse
        itself."""
        jump = abs(recent[-1] - recent[-2])
        if self.start is None:
            return max(jump, abs(recent[-2] - recent[-3]))
        return self.noise + 0.05 * (min(jump, 3 * self.noise + 0.01) - self.noise)

    def bound(self) -> float:
        """How far above the best level is too far."""
        share = SHARE_OF_BEST * self.best + SHARE_OF_START * (self.start or 0.0)
        return max(NOISE_FACTOR * self.noise, share, LEAST_RISE)

    def _above(self, recent: tuple[float, ...], level: float, seen: Observation) -> tuple[Divergence, Anomaly | None]:
        rise, bound = level - self.best, self.bound()
        high_for = self.high_for + 1 if rise > bound else 0
        noise = self.noise if rise > bound else self._noise(recent)
        told = rise > bound / 2 if self.told else high_for >= HIGH_FOR
        now = Divergence(recent, self.start, noise, self.best, self.best_step, high_for, told)
        return now, _divergence(now, level, seen.step) if told and not self.told else None


def _divergence(now: Divergence, level: float, step: int) -> Anomaly:
    return Anomaly(
        name=Kind.DIVERGENCE,
        level=Level.SERIOUS,
        step=step,
        began=now.best_step,
        what=f"The loss is climbing: {number(level)} now, {number(now.best)} at step {now.best_step}.",
        why=f"It rose by {number(level - now.best)} and stays there, while from step to step it usually changes by "
        f"{number(now.noise)}. Steps that are too large undo what was learned; mostly the learning rate is too high.",
        evidence=(
            Evidence("loss now (median of 8 steps)", level, "nats"),
            Evidence("lowest before", now.best, "nats"),
            Evidence("lowest at", now.best_step, "step"),
            Evidence("usual change from step to step", now.noise, "nats"),
        ),
        actions=(
            action(
                f"Go back to a checkpoint from before step {now.best_step}, at half the learning rate.", Do.ROLL_BACK
            ),
            action("Start again with a tenth of the learning rate.", Do.RETRY_LOWER_RATE),
            action("Stop here and keep the best checkpoint.", Do.KEEP_BEST),
        ),
        recovers=True,
    )


class Plateau(msgspec.Struct, frozen=True):
    """No progress for long, although the loss is near where it started and the rate has not been lowered yet.

    Over the last 8 blocks (80 steps at first, then more) a line through the losses must change by under 3 % of
    them, its own uncertainty included, and the loss be above 90 % of its start: a flat end of a run that learned is
    no plateau.
    """

    first: tuple[float, ...] = ()
    start: float | None = None
    blocks: Blocks = Blocks()
    peak: float = 0.0
    told: bool = False

    def after(self, seen: Observation) -> tuple[Plateau, Anomaly | None]:
        rate = 1.0 if seen.learning_rate is None else seen.learning_rate
        if not math.isfinite(seen.loss) or rate < DECAYED * self.peak:
            return self, None
        first = (*self.first, seen.loss) if len(self.first) < FIRST else self.first
        start = _start(first) if len(self.first) == FIRST - 1 else self.start
        if rate > self.peak:  # warming up, or the very first step
            return Plateau(first, start, self.blocks, rate, self.told), None
        blocks, closed = self.blocks.after(seen.loss)
        flat = _flat(blocks, start, self.told) if closed and start is not None else self.told
        now = Plateau(first, start, blocks, self.peak, flat)
        return now, _plateau(now, seen.step) if flat and not self.told else None


def _start(first: tuple[float, ...]) -> float:
    """The highest of the first three medians of ten, so that one lucky stretch does not make the start look low."""
    return max(median(first[at : at + 10]) for at in range(0, FIRST, 10))


def _flat(blocks: Blocks, start: float, told: bool) -> bool:
    """A plateau that was told is over once the loss falls by twice what would have kept it from being one."""
    if len(blocks.done) < FLAT_BLOCKS:
        return False
    last = blocks.done[-FLAT_BLOCKS:]
    level, fitted = sum(last[-3:]) / 3, line(last)
    if told:
        return level > HIGH_SHARE * start and -fitted.rise < 2 * FLAT_SHARE * level
    return level > HIGH_SHARE * start and 1.6 * fitted.error + abs(fitted.rise) < FLAT_SHARE * level


def _plateau(now: Plateau, step: int) -> Anomaly:
    start, steps = now.start or 0.0, FLAT_BLOCKS * now.blocks.width
    level = sum(now.blocks.done[-3:]) / 3
    fall = max(0.0, -line(now.blocks.done[-FLAT_BLOCKS:]).rise)
    return Anomaly(
        name=Kind.PLATEAU,
        level=Level.NOTICE,
        step=step,
        began=max(0, step - steps),
        what=f"The loss has hardly moved for {steps} steps: it fell by {number(fall)}, to {number(level)}.",
        why=f"It began at {number(start)}, so little has been learned yet. The learning rate may be too low, the "
        "adapter too small, or the answers may not follow from the questions.",
        evidence=(
            Evidence("loss now", level, "nats"),
            Evidence("loss at the start", start, "nats"),
            Evidence("fall over the last stretch", fall, "nats"),
            Evidence("length of that stretch", steps, "steps"),
        ),
        actions=(
            action("Double the learning rate.", Do.RAISE_RATE),
            action("Look at some rows: does each answer follow from its question?", Do.SHOW_ROWS),
            action("Stop the run and choose a higher rank.", Do.STOP),
        ),
    )
