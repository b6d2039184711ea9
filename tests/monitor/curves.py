"""Training curves to judge the anomaly detectors by: recorded from real runs (build/bench/record_curves.py).

A curve carries the label that its run was set up to have; the detectors had no say in it. Made-up curves are in
tests/monitor/generated.py.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar

import msgspec

from engine.monitor.observation import Observation
from engine.monitor.watch import Watch

RECORDED = Path(__file__).parent / "curves.jsonl.gz"
DIGITS = {"adapter_norm": 10, "tokens_per_second": 3, "step_seconds": 2}
"""Significant digits that a column is recorded with; 4 where it is not named."""
Column = tuple[float | str | None, ...]


class Curve(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run's numbers by step (from 1), None where not measured. `label` is `healthy` or a kind of anomaly."""

    COLUMNS: ClassVar = (
        "loss", "gradient_norm", "learning_rate", "step_seconds", "tokens_per_second", "adapter_norm",
        "validation_loss",
        "data_wait_share", "memory_bytes", "memory_limit", "gpu_temperature", "gpu_clock_share",
    )  # fmt: skip

    label: str
    source: str
    seed: int
    loss: Column
    part: str = ""
    gradient_norm: Column | None = None
    learning_rate: Column | None = None
    step_seconds: Column | None = None
    tokens_per_second: Column | None = None
    adapter_norm: Column | None = None
    validation_loss: Column | None = None
    data_wait_share: Column | None = None
    memory_bytes: Column | None = None
    memory_limit: Column | None = None
    gpu_temperature: Column | None = None
    gpu_clock_share: Column | None = None

    @property
    def name(self) -> str:
        return f"{self.source} {self.label} {self.seed}"

    def observations(self) -> Iterator[Observation]:
        """The curve as a watch sees it."""
        columns = {name: column for name in self.COLUMNS if (column := getattr(self, name)) is not None}
        for step, row in enumerate(zip(*columns.values(), strict=True), 1):
            values = {name: None if value is None else float(value) for name, value in zip(columns, row, strict=True)}
            yield Observation(step=step, **values)  # type: ignore[arg-type]


@cache
def recorded(part: str) -> tuple[Curve, ...]:
    """The real curves of one part: `tuning` was looked at while thresholds were chosen, `final` was not."""
    with gzip.open(RECORDED) as lines:
        curves = (msgspec.json.decode(line, type=Curve) for line in lines)
        return tuple(curve for curve in curves if curve.part == part)


def alarms(curve: Curve) -> dict[str, int]:
    """Every kind of anomaly that the detectors found in the curve, and the step at which it was told first."""
    watch, found = Watch(), dict[str, int]()
    for seen in curve.observations():
        for anomaly in watch.see(seen):
            found.setdefault(anomaly.name, anomaly.step)
    return found
