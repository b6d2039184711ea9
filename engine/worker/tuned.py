"""What of the recipe a person changed while the run is at work, and what follows from it for a step.

It is kept in checkpoints, and whoever resumes the run goes on with what was wished last.
"""

from __future__ import annotations

from engine.spec.records import Live
from engine.spec.runspec import Training
from engine.worker.schedule import learning_rate


class Tuned:
    """The recipe's rate and intervals, as planned or as changed. `factor` is what recoveries left of the rate."""

    def __init__(self, numbers: Training, total: int) -> None:
        self._numbers = numbers
        self._total = total
        self.changed = Live()
        self.factor = 1.0

    def take(self, wished: Live) -> None:
        """Change what is wished to be changed; nothing goes back to what was planned."""
        self.changed = self.changed.with_changes(wished)

    def restore(self, changed: Live, factor: float) -> None:
        """Be as a checkpoint was."""
        self.changed, self.factor = changed, factor

    def rate(self, step: int) -> float:
        """The learning rate of the step after `step`: the planned course, with another peak where one was wished."""
        planned = learning_rate(self._numbers, step, self._total) * self.factor
        peak = self.changed.learning_rate
        return planned if peak is None else planned / self._numbers.learning_rate * peak

    def validates(self, step: int) -> bool:
        """Whether the held-out rows are measured after this step; always after the last."""
        return step == self._total or step % (self.changed.validate_every or self._numbers.validate_every) == 0

    def saves(self, step: int) -> bool:
        """Whether a checkpoint is due after this step; always after the last."""
        return step == self._total or step % (self.changed.checkpoint_every or self._numbers.checkpoint_every) == 0
