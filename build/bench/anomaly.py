"""The anomaly detectors, all together, on 1,000 healthy and 400 sick curves that no threshold was chosen on.

Half of the healthy curves and 150 of the sick ones were recorded from real runs (bench.record_curves); the others
come from a generator that knows nothing of the detectors. Thresholds were chosen on the recorded part `tuning` and
on generated seeds below 200,000; what is measured here is the part `final` and seeds from 500,000 on. A false alarm
is a healthy curve in which anything at all is reported. A miss is a sick curve whose own kind is not reported;
finding another kind does not count.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence

from bench.report import Measure, report
from tests.monitor.curves import Curve, alarms, recorded
from tests.monitor.generated import SICKNESSES, healthy, sick

FIRST_SEED = 500_000
HEALTHY = 1000
SICK = 400


def healthy_curves() -> list[Curve]:
    """Recorded ones, filled up with generated ones."""
    real = [curve for curve in recorded("final") if curve.label == "healthy"][: HEALTHY // 2]
    return [*real, *(healthy(FIRST_SEED + i) for i in range(HEALTHY - len(real)))]


def sick_curves() -> list[Curve]:
    """Recorded ones, filled up so that every kind is there about equally often."""
    real = [curve for curve in recorded("final") if curve.label != "healthy"]
    counts = Counter(curve.label for curve in real)
    made: list[Curve] = []
    while len(real) + len(made) < SICK:
        label = min(SICKNESSES, key=lambda kind: counts[kind])
        counts[label] += 1
        made.append(sick(label, FIRST_SEED + len(made)))
    return [*real, *made]


def false_alarms(curves: Sequence[Curve]) -> list[str]:
    """The healthy curves in which something was reported, with what and when."""
    return [f"{curve.name}: {dict(found)}" for curve in curves if (found := alarms(curve))]


def missed(curves: Sequence[Curve]) -> list[str]:
    """The sick curves whose own kind was not reported."""
    return [curve.name for curve in curves if curve.label not in alarms(curve)]


def of_source(names: Sequence[str], source: str) -> float:
    return sum(name.startswith(source) for name in names)


def microseconds(curves: Sequence[Curve]) -> float:
    """Time of one step of all detectors, best of three passes."""
    observations = [list(curve.observations()) for curve in curves]
    from engine.monitor.watch import Watch

    def once() -> float:
        started = time.perf_counter()
        for each in observations:
            watch = Watch()
            for seen in each:
                watch.see(seen)
        return (time.perf_counter() - started) / sum(map(len, observations)) * 1e6

    return min(once() for _ in range(3))


def main() -> int:
    well, ill = healthy_curves(), sick_curves()
    wrong, lost = false_alarms(well), missed(ill)
    for line in [f"  false alarm in {each}" for each in wrong] + [f"  missed {each}" for each in lost]:
        print(line)
    of = Counter(curve.source for curve in well) + Counter(f"sick {curve.source}" for curve in ill)
    kinds = [
        Measure(
            f"missed, {kind}, of {sum(c.label == kind for c in ill)}", sum(f" {kind} " in n for n in lost), "curves"
        )
        for kind in SICKNESSES
    ]
    return report(
        "anomaly",
        [
            Measure("healthy curves", len(well), "curves", HEALTHY, most=False),
            Measure("sick curves", len(ill), "curves", SICK, most=False),
            Measure("false alarms, all detectors together", 100 * len(wrong) / len(well), "%", 0.999),
            Measure(f"false alarms, of {of['real']} recorded", of_source(wrong, "real"), "curves"),
            Measure(f"false alarms, of {of['generated']} generated", of_source(wrong, "generated"), "curves"),
            Measure("sick curves missed", 100 * len(lost) / len(ill), "%", 4.999),
            Measure(f"missed, of {of['sick real']} recorded", of_source(lost, "real"), "curves"),
            Measure(f"missed, of {of['sick generated']} generated", of_source(lost, "generated"), "curves"),
            *kinds,
            Measure("one step of all detectors", microseconds(well[::20]), "microseconds", 50.0),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
