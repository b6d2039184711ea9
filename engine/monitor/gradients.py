"""Detectors that read gradients and weights: a gradient far out of its usual range, and an adapter that does not
move."""

from __future__ import annotations

import math

import msgspec

from engine.monitor.anomaly import Anomaly, Do, Evidence, Kind, Level, action, number
from engine.monitor.observation import Observation
from engine.monitor.robust import median, spread

HISTORY = 40
LEAST_HISTORY = 8
DEVIATIONS = 6.0
LEAST_SPREAD = 0.25
TIMES_USUAL = 12.0
TIMES_LARGEST = 2.0
IN_A_ROW = 3
AMONG_LAST_20 = 5
NEW_NORMAL = 12
QUIET_AFTER = 5

STILL_STEPS = 20
STILL_READINGS = 3
STILL = 1e-7
"""Relative change of a norm that is none: single precision holds 6e-8."""


class Explosion(msgspec.Struct, frozen=True):
    """A gradient norm far above what is usual: a robust z-score of its logarithm (median and MAD of the last 40).

    It must be 6 deviations and 12 times above the median, twice the largest of late, and twice what the run began
    with, so that the ordinary outlier of a converged run with tiny gradients is none. Told when it begins, and
    again when it goes on (3 in a row, or 5 of 20). After 12 in a row the new range is taken as usual.
    """

    logs: tuple[float, ...] = ()
    early: float | None = None
    hits: tuple[int, ...] = ()
    in_a_row: int = 0
    told: bool = False
    insisted: bool = False

    def after(self, seen: Observation) -> tuple[Explosion, Anomaly | None]:
        norm = seen.gradient_norm
        if norm is None or not math.isfinite(norm) or norm <= 0 or not math.isfinite(seen.loss):
            return self, None
        limit = self.limit()
        if limit is None or norm <= limit:
            return self._usual(math.log(norm), seen.step), None
        return self._hit(norm, limit, seen)

    def limit(self) -> float | None:
        """The largest norm that would not be an explosion now; None while too little has been seen."""
        if len(self.logs) < LEAST_HISTORY or self.early is None:
            return None
        centre = median(self.logs)
        apart = max(DEVIATIONS * max(spread(self.logs, centre), LEAST_SPREAD), math.log(TIMES_USUAL))
        ceiling = max(max(self.logs), self.early) + math.log(TIMES_LARGEST)
        return math.exp(min(max(centre + apart, ceiling), 700.0))

    def _usual(self, log: float, step: int) -> Explosion:
        logs = (*self.logs[1 - HISTORY :], log)
        early = median(logs) if self.early is None and len(logs) >= LEAST_HISTORY else self.early
        if self.hits and step - self.hits[-1] > QUIET_AFTER:
            still = tuple(hit for hit in self.hits if hit > step - 20)
            return Explosion(logs, early, still, 0, False, self.insisted and bool(still))
        return Explosion(logs, early, self.hits, 0, self.told, self.insisted)

    def _hit(self, norm: float, limit: float, seen: Observation) -> tuple[Explosion, Anomaly | None]:
        hits = (*(hit for hit in self.hits if hit > seen.step - 20), seen.step)
        row = self.in_a_row + 1
        if row >= NEW_NORMAL:
            return Explosion((math.log(norm),), self.early), None
        persists = row >= IN_A_ROW or len(hits) >= AMONG_LAST_20
        news = not self.told or (persists and not self.insisted)
        now = Explosion(self.logs, self.early, hits, row, True, self.insisted or persists)
        return now, _explosion(now, norm, limit, seen.step, persists) if news else None


def _explosion(now: Explosion, norm: float, limit: float, step: int, persists: bool) -> Anomaly:
    usual = math.exp(median(now.logs))
    again = f" {len(now.hits)} times in 20 steps" if persists else ""
    return Anomaly(
        name=Kind.EXPLOSION,
        level=Level.SERIOUS if persists else Level.WARNING,
        step=step,
        began=now.hits[0] - 1,
        what=f"The gradient exploded{again}: its norm was {number(norm)} at step {step}, {number(norm / usual)} times "
        "as large as usual.",
        why=f"Usually it is about {number(usual)}, and up to {number(limit)} would have been nothing special. A step "
        "this large can undo what was learned; an odd row or a high learning rate brings it about.",
        evidence=(
            Evidence("gradient norm", norm),
            Evidence("usual gradient norm", usual),
            Evidence("limit", limit),
            Evidence("explosions in the last 20 steps", len(now.hits)),
        ),
        actions=(
            action("Go back to the last stable checkpoint, at half the learning rate.", Do.ROLL_BACK),
            action("Halve the learning rate and go on.", Do.LOWER_RATE),
            action("Look at the rows of this step.", Do.SHOW_ROWS),
        ),
        recovers=True,
        persists=persists,
    )


class DeadAdapter(msgspec.Struct, frozen=True):
    """What is trained does not change: its norm stands still over 20 steps with a real learning rate, or its
    gradient is zero as long, and the loss does not fall. Steps at under a tenth of the highest rate do not
    count."""

    anchor: float | None = None
    readings: int = 0
    still: int = 0
    zeros: int = 0
    peak: float = 0.0
    first: tuple[float, ...] = ()
    recent: tuple[float, ...] = ()
    told: bool = False

    def after(self, seen: Observation) -> tuple[DeadAdapter, Anomaly | None]:
        rate = 1.0 if seen.learning_rate is None else seen.learning_rate
        peak = max(rate, self.peak)
        if not math.isfinite(seen.loss) or rate <= 0.1 * peak or rate == 0:
            return self, None
        zeros = self.zeros + 1 if seen.gradient_norm is not None and seen.gradient_norm < 1e-12 else 0
        if not _moved(seen.adapter_norm, self.anchor):
            return self._stood_still(seen, zeros, peak)
        if zeros == 0:
            return DeadAdapter(seen.adapter_norm, 1, 0, 0, peak), None
        decaying = DeadAdapter(None, 0, 0, self.zeros, self.peak, self.first, self.recent, self.told)
        return decaying._stood_still(seen, zeros, peak)

    def _stood_still(self, seen: Observation, zeros: int, peak: float) -> tuple[DeadAdapter, Anomaly | None]:
        taken = seen.adapter_norm is not None
        first = (*self.first, seen.loss) if len(self.first) < 8 else self.first
        recent = (*self.recent[-7:], seen.loss)
        anchor = seen.adapter_norm if self.anchor is None else self.anchor
        now = DeadAdapter(
            anchor, self.readings + taken, self.still + (anchor is not None), zeros, peak, first, recent, self.told
        )
        dead = now._dead()
        now = msgspec.structs.replace(now, told=dead or self.told)
        return now, _dead_adapter(now, seen.step) if dead and not self.told else None

    def _dead(self) -> bool:
        static = self.still >= STILL_STEPS and self.readings >= STILL_READINGS
        if not (static or self.zeros >= STILL_STEPS) or len(self.recent) < 8:
            return False
        return median(self.recent) > 0.9 * median(self.first)


def _moved(norm: float | None, anchor: float | None) -> bool:
    """Whether a reading differs from the one that it is compared with; no reading says nothing."""
    return norm is not None and (anchor is None or abs(norm - anchor) > STILL * abs(anchor))


def _dead_adapter(now: DeadAdapter, step: int) -> Anomaly:
    steps = max(now.still, now.zeros)
    anchor = now.anchor
    norm = "" if anchor is None else f" and the norm of what is trained is {number(anchor)} all along"
    gradient = "The gradient is zero" if now.zeros >= STILL_STEPS else "The optimizer changes nothing"
    return Anomaly(
        name=Kind.DEAD_ADAPTER,
        level=Level.SERIOUS,
        step=step,
        began=max(0, step - steps),
        what=f"Nothing is being learned: for {steps} steps the trained weights have not changed.",
        why=f"{gradient}{norm}, while the loss stays at {number(median(now.recent))}. The target modules may not be "
        "reached by the data, or the steps may be too small for the number format.",
        evidence=(
            Evidence("steps without change", steps),
            *(() if anchor is None else (Evidence("norm of the trained weights", anchor),)),
            Evidence("loss now", median(now.recent), "nats"),
        ),
        actions=(
            action("Stop the run; as it is, it changes nothing.", Do.STOP),
            action("Choose other target modules, `all-linear` for instance."),
            action("Raise the learning rate.", Do.RAISE_RATE),
        ),
    )
