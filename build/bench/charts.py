"""Drawing a curve: Python's time for one redraw of a run of 100,000 steps, beside a pass over the same numbers."""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Callable

from bench.report import Measure, report
from studio.charts import Curve, loss_chart, zones
from studio.theme import LIGHT

POINTS = 100_000


def milliseconds(work: Callable[[], object]) -> float:
    """The best of fifteen."""
    spent = []
    for _ in range(15):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return 1000 * min(spent)


def main() -> int:
    steps = array("q", range(POINTS))
    values = array("d", (2.0 / (1 + step / 5000) + step % 7 * 0.01 for step in steps))
    line = Curve("train", steps, values, LIGHT.primary, smooth=True)

    def draw() -> str:
        return loss_chart([line], width=900, height=320, total_steps=POINTS, palette=LIGHT, bands=zones(values))

    drawn, passed = milliseconds(draw), milliseconds(lambda: (min(values), max(values)))
    return report(
        "charts",
        [
            Measure("redraw of 100,000 points", drawn, "ms", 10),
            Measure("least and greatest of them (yardstick)", passed, "ms"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
