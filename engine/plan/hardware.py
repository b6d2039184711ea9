"""What this machine has: graphics cards, processor, memory, disk, power. The one part of planning that looks around.

A missing NVIDIA driver is normal and means that there is no NVIDIA card to use.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

"""How long a look at the hardware is good for (requirement F1)."""
BF16_FLAGS = ("avx512_bf16", "amx_bf16")


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """One NVIDIA card. Memory in bytes; `capability` is CUDA's, such as 8.9."""

    name: str
    memory_total: int
    memory_free: int
    capability: float
    driver: str


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """This machine. `cores` are physical, `threads` those this process may use; memory and disk in bytes.

    `bf16` says that the processor multiplies 16-bit floats natively; `on_battery` is None when there is none.
    """

    gpus: tuple[Gpu, ...]
    cpu: str
    cores: int
    threads: int
    memory_total: int
    memory_free: int
    disk_free: int
    bf16: bool
    on_battery: bool | None

    @property
    def gpu(self) -> Gpu | None:
        """The card a run would use: the one with the most free memory."""
        return max(self.gpus, key=lambda each: each.memory_free, default=None)


def detect(folder: Path) -> Hardware:
    """Look at this machine; `folder` says which disk counts. Never raises: what cannot be seen is left out."""
    import psutil

    memory = psutil.virtual_memory()
    threads = _threads()
    cpu, flags = _processor()
    return Hardware(
        gpus=_gpus(),
        cpu=cpu,
        cores=min(psutil.cpu_count(logical=False) or threads, threads),
        threads=threads,
        memory_total=memory.total,
        memory_free=memory.available,
        disk_free=_disk_free(folder),
        bf16=any(flag in flags for flag in BF16_FLAGS),
        on_battery=on_battery(),
    )


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux alone can say what a container was given
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> tuple[str, frozenset[str]]:
    """The processor's name and the instructions it knows (Linux; elsewhere only the name)."""
    name, flags = platform.processor() or platform.machine(), frozenset[str]()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return name, flags
    for line in text.split("\n\n", 1)[0].splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() in ("flags", "Features"):
            flags = frozenset(value.split())
    return name, flags


def _disk_free(folder: Path) -> int:
    import psutil

    existing = next((each for each in (folder, *folder.absolute().parents) if each.exists()), None)
    return psutil.disk_usage(str(existing)).free if existing else 0


def on_battery() -> bool | None:
    """Whether the machine runs on its battery; None where it has none or does not say."""
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


def _gpus() -> tuple[Gpu, ...]:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        return tuple(_gpu(number, str(driver)) for number in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _gpu(number: int, driver: str) -> Gpu:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(number)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Gpu(
        name=str(pynvml.nvmlDeviceGetName(handle)),
        memory_total=int(memory.total),
        memory_free=int(memory.free),
        capability=float(f"{major}.{minor}"),
        driver=driver,
    )
