"""How fast a device trains: published peak speeds of cards and what of it training reaches; assumptions, and said so.

Processors: measured on AVX-512 cores with LoRA on a model of 6.5 M weights (4,000 to 4,240 tokens/s on two cores).
"""

from __future__ import annotations

import msgspec

from engine.plan.hardware import Gpu, Hardware

CARDS: tuple[tuple[str, float], ...] = (
    ("B200", 2250e12),
    ("H200", 989e12),
    ("H100", 989e12),
    ("A100", 312e12),
    ("L40", 362e12),
    ("L4", 121e12),
    ("A10", 125e12),
    ("A6000", 155e12),
    ("RTX 6000", 182e12),
    ("5090", 210e12),
    ("5080", 112e12),
    ("4090", 165e12),
    ("4080", 97e12),
    ("4070", 58e12),
    ("4060", 30e12),
    ("3090", 71e12),
    ("3080", 60e12),
    ("3070", 41e12),
    ("3060", 25e12),
    ("V100", 112e12),
    ("T4", 65e12),
)
"""Peak 16-bit matrix operations per second, dense, from NVIDIA's data sheets; the first name found counts."""
REACHED = 0.4
CORE_FP32, CORE_BF16, CORE_EMULATED = 50e9, 150e9, 12e9
SMALL_MODEL = 50_000_000


class Speed(msgspec.Struct, frozen=True):
    """Operations per second that training is assumed to reach, and why."""

    device: str
    flops: float
    known: bool
    reason: str


def speed_of(hardware: Hardware, precision: str, parameters: int) -> Speed:
    """The assumed speed on this machine's best device."""
    gpu = hardware.gpu
    return _gpu(gpu, precision) if gpu else _cpu(hardware, precision, parameters)


def _gpu(gpu: Gpu, precision: str) -> Speed:
    peak = next((speed for name, speed in CARDS if name in gpu.name), 0.0)
    known = peak > 0
    if not known:
        peak = 40e12 if gpu.capability < 8 else 60e12 if gpu.capability < 9 else 500e12
    share = REACHED if precision != "fp32" else REACHED / 4
    source = "by its data sheet" if known else "guessed from its generation"
    reason = f"{gpu.name} {source} does {peak / 1e12:,.0f} TFLOP/s, of which training reaches about {share:.0%}"
    return Speed(gpu.name, peak * share, known, reason)


def _cpu(hardware: Hardware, precision: str, parameters: int) -> Speed:
    if precision == "fp32":
        core = CORE_FP32
    else:
        core = CORE_BF16 if hardware.bf16 and parameters > SMALL_MODEL else CORE_EMULATED
        core = CORE_FP32 / 2 if hardware.bf16 and parameters <= SMALL_MODEL else core
    flops = core * max(1, hardware.cores)
    reason = f"{hardware.cores} processor cores at about {core / 1e9:.0f} GFLOP/s each in {precision}"
    return Speed(hardware.cpu or "processor", flops, False, reason)
