"""A fast version of build/bench/anomaly.py: part of the recorded curves, and generated ones with seeds of their own."""

from __future__ import annotations

from collections import Counter

from tests.monitor.curves import Curve, alarms, recorded
from tests.monitor.generated import SICKNESSES, healthy, sick

FIRST_SEED = 800_000


def test_the_recorded_curves_are_enough_for_the_benchmark() -> None:
    counts = Counter(curve.label for curve in recorded("final"))
    assert counts["healthy"] == 500
    assert sum(counts.values()) - 500 >= 120
    assert not {curve.seed for curve in recorded("tuning")} & {curve.seed for curve in recorded("final")}


def test_healthy_curves_hardly_ever_raise_an_alarm() -> None:
    real = [curve for curve in recorded("final") if curve.label == "healthy"][::4]
    curves = [*real, *(healthy(FIRST_SEED + i, steps=150) for i in range(125))]
    wrong = [curve.name for curve in curves if alarms(curve)]
    assert len(wrong) < 0.01 * len(curves), wrong


def test_sick_curves_are_hardly_ever_missed() -> None:
    real = [curve for curve in recorded("final") if curve.label != "healthy"][::2]
    curves: list[Curve] = [*real, *(sick(kind, FIRST_SEED + i) for kind in SICKNESSES for i in range(6))]
    missed = [curve.name for curve in curves if curve.label not in alarms(curve)]
    assert len(missed) < 0.05 * len(curves), missed
