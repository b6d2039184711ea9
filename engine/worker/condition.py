"""The state of the device that training runs in: how full its memory is, how hot it is, what its battery holds.

Without a GPU the memory is the process's part of the machine.
"""

from __future__ import annotations

import os

import psutil
import torch

from engine.worker import nvidia


class Condition:
    """Reads one device. Costs a system call; asked every few steps."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process(os.getpid())
        self._gpu = nvidia.first_gpu() if device.type == "cuda" else None

    def heat(self) -> nvidia.Heat:
        """How hot the GPU is; nothing without one."""
        return self._gpu.heat() if self._gpu else nvidia.Heat()

    def battery(self) -> float | None:
        """The share of the battery's charge that is left, 1 while it is plugged in; None where there is no battery."""
        found = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        if found is None:
            return None
        return 1.0 if found.power_plugged is not False else found.percent / 100

    def read(self) -> tuple[float, float]:
        """Bytes in use and bytes there are."""
        if self._device.type == "cuda":
            free, total = torch.cuda.mem_get_info(self._device)
            return float(total - free), float(total)
        return float(self._process.memory_info().rss), float(psutil.virtual_memory().total)
