"""What several processes change: each keeps a shard of the weights, and gathers whole layers while it computes.

FSDP2 cuts every decoder layer, and the rest of the model (Zhao et al. 2023, arXiv:2304.11277). Whole at a time are the
layer in work, the one that is fetched ahead, and the rest: token tables and output layer. Every process loads the whole
model before it is cut. On GPUs the figures are those of one card; on a processor all processes share one memory, and
the cores too, so that sharing costs memory there and gains no time. Pure.
"""

from __future__ import annotations

import msgspec

from engine.plan.memory import OURS, OVERHEADS, Device, Load, Part, Practice, memory_parts
from engine.plan.models import BaseModel
from engine.spec.methods import Method
from engine.spec.runspec import Training

SHARDED = ("weights", "adapter", "gradients", "optimizer")
GATHERED_LAYERS = 2
EFFICIENCY = 0.85
"""Share of the cards' speed that is left after they have sent each other layers and gradients."""


def gain(device: Device, processes: int) -> float:
    """How many times as fast several processes are as one."""
    return 1.0 if device == "cpu" or processes == 1 else EFFICIENCY * processes


def shared_parts(
    model: BaseModel,
    method: Method,
    training: Training,
    load: Load,
    device: Device,
    practice: Practice = OURS,
    processes: int = 1,
) -> tuple[Part, ...]:
    """Peak memory in bytes by component: of one card, or of all processes on a processor (see `memory_parts`)."""
    alone = {part.name: part for part in memory_parts(model, method, training, load, device, practice)}
    if processes == 1:
        return tuple(alone.values())
    cut = [_shard(part, processes) if part.name in SHARDED else part for part in alone.values()]
    parts = [part for part in cut if part.name != "loading"]
    parts.append(_gathered(model, alone["weights"].amount))
    parts.append(_loading(model, alone["weights"].amount, device, sum(part.amount for part in parts)))
    if device == "gpu":
        return tuple(parts)
    return tuple(msgspec.structs.replace(part, amount=processes * part.amount) for part in parts)


def _shard(part: Part, processes: int) -> Part:
    reason = f"{part.reason}; a process keeps one part in {processes}"
    return msgspec.structs.replace(part, amount=part.amount / processes, reason=reason)


def _gathered(model: BaseModel, weights: float) -> Part:
    layers = min(1.0, model.linear_parameters / max(1, model.parameters))
    amount = weights * (layers * min(1.0, GATHERED_LAYERS / max(1, model.layers)) + 1 - layers)
    reason = "two layers, and the token tables, are put together from all processes while they are used"
    return Part(name="gathered", title="Gathered layers", amount=amount, reason=reason)


def _loading(model: BaseModel, weights: float, device: Device, training: float) -> Part:
    """What loading takes above training, in each process: the whole model, and on a processor its file's pages."""
    whole = weights + OVERHEADS[device].fixed + (model.weight_bytes if device == "cpu" else 0)
    reason = "each process reads the whole model before it is cut"
    return Part(name="loading", title="Loading", amount=max(0.0, whole - training), reason=reason)
