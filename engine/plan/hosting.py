"""How a model is held for conversations: in 32, 16, 8 or 4 bits, by the memory that is free. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.core.errors import ModelError
from engine.plan.estimate import memory_budget
from engine.plan.fitting import size
from engine.plan.hardware import Hardware
from engine.plan.memory import CODE_BITS, OVERHEADS, SCALE_BITS
from engine.plan.models import BaseModel
from engine.plan.states import NUMBER_BYTES

SMALL_MODEL = 500_000_000
"""Weights up to which a model is held in fp32."""
TALK_TOKENS = 4096
"""Tokens of a conversation that are counted with, for each of those who answer side by side."""
SIDE_BY_SIDE = 4
Precision = Literal["fp32", "bf16"]
Quantization = Literal["none", "nf4", "int8"]
WAYS: tuple[tuple[Precision, Quantization], ...] = (
    ("fp32", "none"),
    ("bf16", "none"),
    ("bf16", "int8"),
    ("bf16", "nf4"),
)
"""The ways to hold a model, the most exact first."""


def held_in(precision: str, quantization: str) -> str:
    """How many bits a weight has: 16 bits."""
    bits = {"nf4": 4, "int8": 8}.get(quantization, 32 if precision == "fp32" else 16)
    return f"{bits} bits"


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is held, and what that takes of what may be used, in bytes."""

    precision: Precision
    quantization: Quantization
    memory: int
    budget: int


def holding(model: BaseModel, hardware: Hardware) -> Holding:
    """The most exact way that fits. Raises ModelError with what to do when none does."""
    budget = memory_budget(hardware)
    ways = [way for way in WAYS if way != ("fp32", "none") or model.parameters < SMALL_MODEL]
    needs = [memory_for(model, hardware, *way) for way in ways]
    for way, memory in zip(ways, needs, strict=True):
        if memory <= budget:
            return Holding(precision=way[0], quantization=way[1], memory=memory, budget=budget)
    raise ModelError(
        f"There is not enough memory to talk to {model.name}.",
        f"Even in 4 bits it needs about {size(needs[-1])}, and {size(budget)} can be used now.",
        "Close other programs, or wait until a run has ended.",
        "Talk to a version of a smaller base model.",
    )


def memory_for(model: BaseModel, hardware: Hardware, precision: Precision, quantization: Quantization) -> int:
    """Weights, what the conversations keep, and the libraries; on a processor the file's pages stand beside them."""
    width, over = NUMBER_BYTES[precision], OVERHEADS["gpu" if hardware.gpu else "cpu"]
    tables = model.parameters - model.linear_parameters
    bits = CODE_BITS[quantization] + SCALE_BITS if quantization != "none" else 8 * width
    weights = model.linear_parameters * bits / 8 + tables * width
    kept = 2 * model.layers * model.kv_heads * model.head_dim * width
    talks = SIDE_BY_SIDE * min(model.context, TALK_TOKENS) * kept
    loading = 0 if hardware.gpu else max(0, model.weight_bytes - talks)
    return int(weights + talks + loading + over.fixed)
