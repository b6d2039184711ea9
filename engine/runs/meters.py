"""What the machine has left: processor, memory, disk and the first GPU, read every few seconds for the status strip."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil

from engine.plan.hardware import on_battery
from engine.runs.queue import Room


class Meters(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. Memory and disk in bytes; `cpu` and `gpu_utilization` are shares from 0 to 1; `on_battery` is None
    where there is none."""

    cpu: float = 0.0
    memory_used: int = 0
    memory_total: int = 1
    disk_free: int = 0
    gpu_memory_used: int | None = None
    gpu_memory_total: int | None = None
    gpu_utilization: float | None = None
    on_battery: bool | None = None


def read(folder: Path) -> Meters:
    """Read all meters; the first call's `cpu` is 0 because it is measured between calls."""
    memory = psutil.virtual_memory()
    gpu = _gpu()
    return Meters(
        cpu=psutil.cpu_percent() / 100,
        memory_used=memory.total - memory.available,
        memory_total=memory.total,
        disk_free=psutil.disk_usage(str(folder)).free,
        gpu_memory_used=gpu[0] if gpu else None,
        gpu_memory_total=gpu[1] if gpu else None,
        gpu_utilization=gpu[2] if gpu else None,
        on_battery=on_battery(),
    )


def own_memory() -> int:
    """Bytes of memory that this process takes."""
    return psutil.Process().memory_info().rss


def room() -> Room:
    """The memory that runs share: the first GPU's, or the machine's where there is none."""
    gpu = _gpu()
    if gpu:
        return Room(total=gpu[1], free=gpu[1] - gpu[0])
    memory = psutil.virtual_memory()
    return Room(total=memory.total, free=memory.available)


def _gpu() -> tuple[int, int, float] | None:
    """Memory used and in all, and the share at work, of the first NVIDIA GPU."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        share = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
        return int(memory.used), int(memory.total), share
    except (pynvml.NVMLError, OSError):
        return None
