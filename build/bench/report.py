"""What a benchmark says: a table for people and one line of JSON for machines."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measure:
    """One figure. `target` is a bound in the same unit; `most` says that smaller is better."""

    name: str
    value: float
    unit: str
    target: float | None = None
    most: bool = True

    @property
    def good(self) -> bool | None:
        """Within the target; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.most else self.value >= self.target


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not pass; not a number without two of them."""
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else float("nan")


def report(title: str, measures: Sequence[Measure]) -> int:
    """Print both forms; 1 when a target was missed."""
    print(f"\n{title}")
    for each in measures:
        bound = "" if each.target is None else f"{'at most' if each.most else 'at least'} {each.target:g} {each.unit}"
        mark = {True: "ok", False: "MISSED", None: ""}[each.good]
        print(f"  {each.name:<52} {each.value:>14,.3f} {each.unit:<10} {bound:<24} {mark}")
    print(json.dumps({"benchmark": title, "measures": [asdict(each) | {"good": each.good} for each in measures]}))
    sys.stdout.flush()
    return 1 if any(each.good is False for each in measures) else 0
