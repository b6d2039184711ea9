"""What the forward pass keeps for the backward pass, and what that needs besides: bytes per token and block.

The terms are the tensors that PyTorch's autograd saves for a decoder block with fused (flash or SDPA) attention, which
keeps no `length x length` matrix. They were read off the operations, not fitted:

    norms       each keeps its input in fp32                                      2 x 4 x hidden
    attention   queries, keys, values and the result                              query + 2 keys + query
    inner part  a gated one keeps gate, its activation, and the other branch      3 x mlp; a plain one 2 x mlp
    adapters    their input where nothing else keeps it, and the small product    see `_adapters`
    full        the inputs of layers that are frozen otherwise, and what norms make before their weights

A frozen linear layer keeps nothing: its input gradient needs its weight alone. Sources: PyTorch autograd; Korthikanti
et al. 2022 (arXiv:2205.05198) for the way of counting.
"""

from __future__ import annotations

import msgspec

from engine.plan.layers import Linear
from engine.plan.models import BaseModel
from engine.plan.states import NUMBER_BYTES, adapted_layers
from engine.spec.methods import Dora, Full, Ia3, LowRank, Method, Tuner
from engine.spec.runspec import Training


class PerToken(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes per token: `block` that one block keeps, `stream` between two blocks, `working` while one goes back."""

    block: float
    stream: float
    working: float


def per_token(model: BaseModel, method: Method, training: Training) -> PerToken:
    """The three figures for a model, method and precision."""
    size = NUMBER_BYTES[training.precision]
    widths, used = model.widths, max(1, model.experts_used)
    inner = (3 if model.family.gated else 2) * widths.mlp * used
    own = 2 * widths.query + 2 * widths.keys + inner
    norms = 2 * 4 * widths.hidden
    block = size * own + norms + _of_method(model, method, size)
    working = size * (inner + widths.mlp * used) + 4 * widths.hidden
    return PerToken(block=block, stream=size * widths.hidden, working=working)


def _of_method(model: BaseModel, method: Method, size: int) -> float:
    """What the method keeps beyond a frozen block."""
    layers = adapted_layers(model, method)
    match method:
        case Full():
            return size * (4 * model.hidden + model.mlp * max(1, model.experts_used))
        case LowRank():
            return _adapters(layers, size, method.rank, method.dropout) + _directions(layers, method, size)
        case Ia3():
            return size * sum(each.inputs if each.inner else each.outputs for each in layers)
        case Tuner():
            return _adapters(layers, size, 8, 0.0)
        case _:
            return 0.0


def _adapters(layers: tuple[Linear, ...], size: int, rank: int, dropout: float) -> float:
    """Inputs and small products of low-rank adapters.

    Layers that read the same tensor share it. With dropout each keeps a copy of its own besides, and a mask of one byte
    a number.
    """
    seen = {(each.inner, each.inputs) for each in layers}
    shared = size * (rank * len(layers) + sum(inputs for _, inputs in seen))
    return shared + (sum(each.inputs * (size + 1) for each in layers) if dropout else 0)


def _directions(layers: tuple[Linear, ...], method: Method, size: int) -> float:
    """DoRA scales the outputs of base and adapter apart: two more tensors of each layer's output are kept."""
    return 2 * size * sum(each.outputs for each in layers) if isinstance(method, Dora) else 0.0
