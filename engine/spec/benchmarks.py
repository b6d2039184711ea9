"""Public benchmarks: what a model got in each task of lm-evaluation-harness, as the worker writes it."""

from __future__ import annotations

import msgspec


class TaskScore(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `results.jsonl`: one model's value of one metric in one task.

    `rows` are its values example by example, where the harness tells them; `error` is the standard error it gives.
    """

    model: str
    task: str
    metric: str
    value: float
    error: float | None
    higher_is_better: bool
    rows: tuple[float, ...]
