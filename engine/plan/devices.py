"""How fast devices compute: data sheets of cards (`assets/devices.json`), what of it training reaches, and processors.

Assumptions, and said so: only a measured step knows better (engine/plan/calibration.py). Pure.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources

import msgspec

from engine.core.errors import PlanError
from engine.plan.hardware import Gpu, Hardware

REACHED = 0.4
"""Share of a card's peak that training reaches: with flash attention and no compiling, published runs of Llama-2-7B
LoRA reached 0.33 (LLaMA-Factory, A100) and of 3B models 0.45 to 0.6 (torchtune, A100, compiled)."""
CORE_FP32, CORE_BF16, CORE_EMULATED = 50e9, 150e9, 12e9
"""Operations a second of one core in training: measured on AVX-512 cores with LoRA; 16-bit sums emulated without it."""
SMALL_MODEL = 50_000_000
CORE_BANDWIDTH = 8e9
CORE_WATTS, SYSTEM_WATTS = 12.0, 60.0
"""Power of a busy core, and of the rest of a machine (board, memory, fans, losses)."""
GPU_LOAD = 0.85
"""Share of a card's power limit that training draws."""
KERNEL_SECONDS = 2.5e-4
"""Per block and micro-batch on a GPU: about fifty kernels of 5 microseconds, forward and backward."""
CORE_SECONDS = 3e-4
"""The same on a processor: PyTorch's own time per block."""
UNKNOWN_DISK = 10**15


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card by its data sheet. Dense 16-bit matrix operations; `match` is what its name must contain, without case."""

    name: str
    match: str
    kind: str
    memory_gb: float
    tflops_16bit: float
    bandwidth_gb: float
    watts: float
    capability: float


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """What training is assumed to reach on a device: operations and bytes a second, watts, and why.

    `launch` is the time a block costs per micro-batch however little it computes.
    """

    device: str
    flops: float
    bandwidth: float
    watts: float
    launch: float
    known: bool
    reason: str


@cache
def devices() -> tuple[Device, ...]:
    """Every card there is a data sheet of; the first whose name fits counts."""
    data = (resources.files("assets") / "devices.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Device, ...])


def device_named(words: str) -> Device | None:
    """The card that this name means."""
    return next((each for each in devices() if each.match.lower() in words.lower()), None)


def imagined(words: str, memory: float | None) -> Hardware:
    """A machine that is not here: a card of the table by name, or any card of so many bytes. Raises PlanError."""
    card = device_named(words) if words else None
    if words and card is None:
        names = [each.name for each in devices()]
        near = difflib.get_close_matches(words, names, 1)
        raise PlanError(
            f"There is no device “{words}” in the table.",
            f"There are: {', '.join(names)}.",
            f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
            "Or give its memory alone, for example --memory 24GB.",
        )
    size = int(memory if memory is not None else (card.memory_gb if card else 24) * 1e9)
    gpu = Gpu(
        name=card.name if card else "a CUDA card of this memory",
        memory_total=size,
        memory_free=size,
        capability=card.capability if card else 8.0,
        driver="",
    )
    return Hardware(
        gpus=(gpu,),
        cpu="",
        cores=8,
        threads=8,
        memory_total=64 * 10**9,
        memory_free=64 * 10**9,
        disk_free=UNKNOWN_DISK,
        bf16=True,
        on_battery=None,
    )


def speed_of(hardware: Hardware, precision: str, parameters: int) -> Speed:
    """The assumed speed of this machine's best device."""
    gpu = hardware.gpu
    return _gpu(gpu, precision) if gpu else _cpu(hardware, precision, parameters)


def _gpu(gpu: Gpu, precision: str) -> Speed:
    card = device_named(gpu.name)
    generation = 40e12 if gpu.capability < 8 else 60e12 if gpu.capability < 9 else 500e12
    peak = card.tflops_16bit * 1e12 if card else generation
    share = REACHED if precision != "fp32" else REACHED / 4
    source = "by its data sheet" if card else "guessed from its generation"
    return Speed(
        device=gpu.name,
        flops=peak * share,
        bandwidth=0.7 * (card.bandwidth_gb * 1e9 if card else 500e9),
        watts=GPU_LOAD * (card.watts if card else 250.0) + SYSTEM_WATTS,
        launch=KERNEL_SECONDS,
        known=card is not None,
        reason=f"{gpu.name} {source} does {peak / 1e12:,.0f} TFLOP/s, of which training reaches about {share:.0%}",
    )


def _cpu(hardware: Hardware, precision: str, parameters: int) -> Speed:
    core = _core(hardware, precision, parameters)
    cores = max(1, hardware.cores)
    return Speed(
        device=hardware.cpu or "processor",
        flops=core * cores,
        bandwidth=CORE_BANDWIDTH * cores,
        watts=CORE_WATTS * cores + SYSTEM_WATTS / 2,
        launch=CORE_SECONDS,
        known=False,
        reason=f"{hardware.cores} processor cores at about {core / 1e9:.0f} GFLOP/s each in {precision}",
    )


def _core(hardware: Hardware, precision: str, parameters: int) -> float:
    if precision == "fp32":
        return CORE_FP32
    if not hardware.bf16:
        return CORE_EMULATED
    return CORE_BF16 if parameters > SMALL_MODEL else CORE_FP32 / 2
