"""The first NVIDIA GPU's meters through NVML; absent without a driver, which is no error."""

from __future__ import annotations

import os


class Gpu:
    """One device. Metrics it does not offer are left out."""

    def __init__(self, handle: object) -> None:
        self._handle = handle

    def read(self) -> dict[str, float]:
        import pynvml

        readings: dict[str, float] = {}
        for name, ask in (
            ("gpu_memory", lambda: float(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)),
            ("gpu_utilization", lambda: float(pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu) / 100),
            ("gpu_temperature", lambda: float(pynvml.nvmlDeviceGetTemperature(self._handle, 0))),
            ("gpu_power", lambda: pynvml.nvmlDeviceGetPowerUsage(self._handle) / 1000),
        ):
            try:
                readings[name] = ask()
            except pynvml.NVMLError:
                continue
        return readings


def first_gpu() -> Gpu | None:
    """The device that torch calls cuda:0, by CUDA_VISIBLE_DEVICES where it is a number; None without a driver."""
    try:
        import pynvml
    except ImportError:
        return None
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    try:
        pynvml.nvmlInit()
        return Gpu(pynvml.nvmlDeviceGetHandleByIndex(int(first) if first.isdigit() else 0))
    except (OSError, pynvml.NVMLError):
        return None
