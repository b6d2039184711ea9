"""The first NVIDIA GPU's meters through NVML; absent without a driver, which is no error."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, TypeVar

Answer = TypeVar("Answer")


class Heat(NamedTuple):
    """Degrees Celsius, the present clock over the highest one, and whether the driver slows down for heat."""

    temperature: float | None = None
    clock_share: float | None = None
    throttled: bool | None = None


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

    def heat(self) -> Heat:
        """How hot it is, as far as the device tells."""
        import pynvml

        def ask(question: Callable[[], Answer]) -> Answer | None:
            try:
                return question()
            except pynvml.NVMLError:
                return None

        slowed = pynvml.nvmlClocksThrottleReasonSwThermalSlowdown | pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
        clock = pynvml.NVML_CLOCK_SM
        return Heat(
            ask(lambda: float(pynvml.nvmlDeviceGetTemperature(self._handle, 0))),
            ask(
                lambda: (
                    pynvml.nvmlDeviceGetClockInfo(self._handle, clock)
                    / pynvml.nvmlDeviceGetMaxClockInfo(self._handle, clock)
                )
            ),
            ask(lambda: bool(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle) & slowed)),
        )


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
