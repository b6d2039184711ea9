"""A run's curves read off its files: whole series, for whoever comes when the run is over. Knows no live run."""

from __future__ import annotations

from collections.abc import Sequence

from engine.runs.views import Series
from engine.spec.files import LineReader
from engine.spec.folder import RunFolder
from engine.spec.records import MetricLine


def curves(folder: RunFolder, names: Sequence[str]) -> dict[str, Series]:
    """These metrics by step; for one step the highest attempt counts. What was never recorded is an empty series."""
    found = {name: Series() for name in names}
    for line in LineReader(folder.metrics_file, MetricLine).read():
        for name, series in found.items():
            if name in line.values:
                series.add(line.step, float(line.values[name]), line.time, line.attempt)
    return found
