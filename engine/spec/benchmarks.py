"""Public benchmarks: what a model got in each task of lm-evaluation-harness, as the worker writes it, and where the
harness is kept."""

from __future__ import annotations

from pathlib import Path

import msgspec

LIBRARY = "lm-eval==0.4.13"
MARK = "installed.txt"
"""In the harness's environment, once it is complete: what was installed."""


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


def installed(environment: Path) -> bool:
    """Whether this environment has the harness, complete and of the version that is asked for."""
    try:
        return (environment / MARK).read_text(encoding="utf-8") == LIBRARY
    except (OSError, UnicodeDecodeError):
        return False
