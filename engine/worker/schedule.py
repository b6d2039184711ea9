"""The learning rate of each step, as a pure function: its state is the step itself, so a resume cannot get it wrong."""

from __future__ import annotations

import math

from engine.spec.runspec import Training


def learning_rate(training: Training, step: int, total: int) -> float:
    """The rate of optimizer step `step` (from 0): linear warm-up, then cosine or linear to zero, or constant."""
    if step < training.warmup_steps:
        return training.learning_rate * (step + 1) / training.warmup_steps
    if training.schedule == "constant":
        return training.learning_rate
    through = (step - training.warmup_steps) / max(1, total - training.warmup_steps)
    left = 0.5 * (1 + math.cos(math.pi * through)) if training.schedule == "cosine" else 1 - through
    return training.learning_rate * max(0.0, left)
