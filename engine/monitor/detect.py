"""What can be seen to go wrong in a run, step by step, with its reason in plain words.

Pure: numbers in, findings out.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean

import msgspec

NOT_A_NUMBER_LIMIT = 3
DIVERGENCE_FACTOR = 3.0
WINDOW = 20


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern with its evidence. A fatal one ends the run before it costs more."""

    name: str
    what: str
    why: str
    fatal: bool = False


class Watch:
    """Sees the loss and gradient norm of each step. Remembers the best stretch, so that divergence shows."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._best = math.inf
        self._not_numbers = 0
        self._diverged = False

    def see(self, step: int, loss: float, gradient_norm: float) -> Anomaly | None:
        """What is wrong now, if anything; each kind is reported when it begins, not at every step."""
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            return self._not_a_number(step)
        self._not_numbers = 0
        self._recent.append(loss)
        return self._divergence(step)

    def _not_a_number(self, step: int) -> Anomaly:
        self._not_numbers += 1
        fatal = self._not_numbers >= NOT_A_NUMBER_LIMIT
        return Anomaly(
            name="not-a-number",
            what="The loss is no longer a number." if fatal else f"Step {step} gave no number and was left out.",
            why="The steps became so large that the arithmetic overflowed; mostly the learning rate is too high.",
            fatal=fatal,
        )

    def _divergence(self, step: int) -> Anomaly | None:
        if len(self._recent) < WINDOW:
            return None
        mean = fmean(self._recent)
        self._best = min(self._best, mean)
        apart = mean > DIVERGENCE_FACTOR * self._best and mean > self._best + 1.0
        news, self._diverged = apart and not self._diverged, apart
        if not news:
            return None
        return Anomaly(
            name="divergence",
            what="The loss is climbing instead of falling.",
            why=f"Over the last {WINDOW} steps it was {mean:.2f} on average, and {self._best:.2f} at its best before.",
        )
