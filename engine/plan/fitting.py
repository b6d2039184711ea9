"""Making a plan fit the memory: 4 bits, then a smaller micro-batch, then checkpointing, each with its reason.

Where the model takes less than half of the memory, the micro-batch comes first: that costs no quality, and 4 bits do.
The batch size is never touched, so what is learned stays the same; nor is anything that the user set. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from engine.plan.estimate import Memory
from engine.plan.solver import largest
from engine.plan.values import Value

Judge = Callable[[str, dict[str, Value]], Memory]
"""The memory that a method's kind and values need."""


def size(amount: float) -> str:
    """Bytes as people say them: 1.2 GB."""
    if amount >= 1e9:
        return f"{amount / 1e9:.1f} GB"
    return f"{amount / 1e6:.0f} MB"


def fits(memory: Memory) -> bool:
    """The expected peak is within the budget."""
    return memory.peak_bytes.expected <= memory.budget_bytes


def fit(
    kind: str,
    values: dict[str, Value],
    judge: Judge,
    *,
    may_quantize: bool,
    may_checkpoint: bool,
    fixed: frozenset[str],
) -> tuple[str, dict[str, Value]]:
    """The method's kind and values, changed as little as needed; they may still not fit."""
    first = result = judge(kind, values)
    short = f"It would need {size(first.peak_bytes.expected)} of {size(first.budget_bytes)}."
    weights = next(part.amount for part in first.components if part.name == "weights")
    if not fits(result) and may_quantize and kind == "lora" and weights > 0.5 * first.budget_bytes:
        kind, values = "qlora", _quantized(values, short)
        result = judge(kind, values)
    if not fits(result) and "micro_batch" not in fixed:
        values = _smaller(kind, values, judge, short)
        result = judge(kind, values)
    if not fits(result) and may_checkpoint and "gradient_checkpointing" not in fixed:
        values = _checkpointed(kind, values, judge, short, "micro_batch" not in fixed)
    return kind, values


def _by_memory(name: str, value: str | int | bool, reason: str) -> Value:
    return Value(name=name, value=value, reason=reason, source="hardware")


def _quantized(values: dict[str, Value], short: str) -> dict[str, Value]:
    added = (
        _by_memory("quantization", "nf4", f"{short} In 4 bits the base model takes a quarter of its memory."),
        _by_memory("double_quantization", True, "Saves about 0.4 bits a weight for free."),
    )
    return {**{each.name: each for each in added}, **values}


def _checkpointed(kind: str, values: dict[str, Value], judge: Judge, short: str, may_shrink: bool) -> dict[str, Value]:
    """Checkpointing on, and the micro-batch as large as then fits."""
    reason = f"{short} Computing values twice holds fewer of them, for about a third more time."
    values = {**values, "gradient_checkpointing": _by_memory("gradient_checkpointing", True, reason)}
    return _smaller(kind, values, judge, short) if may_shrink else values


def _smaller(kind: str, values: dict[str, Value], judge: Judge, short: str) -> dict[str, Value]:
    """The largest micro-batch that fits, evened out so that the last one of a step is not small; or one."""
    wanted = int(str(values["micro_batch"].value))

    def with_micro(micro: int) -> dict[str, Value]:
        reason = f"{short} Fewer examples at once need less; what is learned stays the same."
        return {**values, "micro_batch": _by_memory("micro_batch", micro, reason)}

    most = largest(lambda micro: fits(judge(kind, with_micro(micro))), wanted)
    if most == wanted:
        return values
    batch = int(str(values["batch_size"].value))
    return with_micro(max(1, ceil(batch / ceil(batch / max(1, most)))))
