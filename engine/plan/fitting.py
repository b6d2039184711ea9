"""Making a plan fit the memory: 4 bits, then a smaller micro-batch, then checkpointing, each with its reason.

Where the model takes less than half of the memory, the micro-batch comes first: that costs no quality, and 4 bits do.
The batch size is never touched, so what is learned stays the same; nor is anything that the user set. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.plan.defaults import Value
from engine.plan.estimate import Estimate

Judge = Callable[[str, dict[str, Value]], Estimate]
"""The estimate for a method and values."""


def size(amount: float) -> str:
    """Bytes as people say them: 1.2 GB."""
    if amount >= 1e9:
        return f"{amount / 1e9:.1f} GB"
    return f"{amount / 1e6:.0f} MB"


def fit(
    method: str, values: dict[str, Value], judge: Judge, *, may_quantize: bool, fixed: frozenset[str]
) -> tuple[str, dict[str, Value], Estimate]:
    """The method and values changed as little as needed, and their estimate, which may still not fit."""
    first = result = judge(method, values)
    short = f"It would need {size(first.memory_peak)} of {size(first.memory_budget)}."
    weights = next(part.amount for part in first.memory if part.name == "weights")
    if not result.fits and may_quantize and method == "lora" and weights > 0.5 * first.memory_budget:
        method, values = "qlora", _quantized(values, short)
        result = judge(method, values)
    if not result.fits and "micro_batch" not in fixed:
        values, result = _smaller(method, values, judge, short)
    if not result.fits and "gradient_checkpointing" not in fixed:
        reason = f"{short} Computing values twice holds fewer of them, for about a third more time."
        values = {**values, "gradient_checkpointing": _by_memory("gradient_checkpointing", True, reason)}
        result = judge(method, values)
    return method, values, result


def _by_memory(name: str, value: str | int | bool, reason: str) -> Value:
    return Value(name=name, value=value, reason=reason, source="hardware")


def _quantized(values: dict[str, Value], short: str) -> dict[str, Value]:
    added = (
        _by_memory("quantization", "nf4", f"{short} In 4 bits the base model takes a quarter of its memory."),
        _by_memory("double_quantization", True, "Saves about 0.4 bits a weight for free."),
    )
    return {**{each.name: each for each in added}, **values}


def _smaller(method: str, values: dict[str, Value], judge: Judge, short: str) -> tuple[dict[str, Value], Estimate]:
    """Halve the micro-batch until it fits or is one."""
    result = judge(method, values)
    while not result.fits and (micro := int(str(values["micro_batch"].value))) > 1:
        reason = f"{short} Fewer examples at once need less; what is learned stays the same."
        values = {**values, "micro_batch": _by_memory("micro_batch", micro // 2, reason)}
        result = judge(method, values)
    return values, result
