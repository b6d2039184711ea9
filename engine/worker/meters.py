"""What the run's own process uses: memory, processor, and its GPU. Read every two seconds by the reporter's thread."""

from __future__ import annotations

import os

import psutil

from engine.worker import nvidia


class Meters:
    """Readings of this process. GPU readings appear only where NVML answers."""

    def __init__(self) -> None:
        self._process = psutil.Process(os.getpid())
        self._process.cpu_percent()
        self._gpu = nvidia.first_gpu()

    def read(self) -> dict[str, float]:
        """Readings by metric name (engine.spec.records.METRICS gives the units)."""
        readings = {
            "worker_memory": float(self._process.memory_info().rss),
            "worker_cpu": self._process.cpu_percent() / 100,
        }
        return readings | (self._gpu.read() if self._gpu else {})
