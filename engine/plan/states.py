"""What a method trains: how many weights, and what training keeps for each of them.

Counts follow PEFT 0.21 from the widths of the layers alone.
"""

from __future__ import annotations

import msgspec

from engine.plan.layers import Linear, adapted
from engine.plan.models import BaseModel
from engine.spec.methods import Dora, Full, Ia3, LowRank, Method, Prefix, Tuner
from engine.spec.runspec import Training

NUMBER_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
TUNER_RANK = 8
"""Most further tuners train about as many weights as LoRA of this rank, which is their usual setting."""
LEARNED_POSITIONS = 20
"""Positions before the text that p- and prompt tuning and cartridges learn (engine/worker/methods.py)."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes kept for the trained weights: `weights` beside the base, gradients, optimizer."""

    trainable: int
    weights: float
    gradients: float
    optimizer: float


def adapted_layers(model: BaseModel, method: Method) -> tuple[Linear, ...]:
    """The linear layers of a block that the method attaches to; none for prefix tuning, all for full fine-tuning."""
    if isinstance(method, Full):
        return model.linears
    if isinstance(method, Prefix):
        return ()
    return adapted(model.adaptable, method.targets) or model.adaptable


def trainable_parameters(model: BaseModel, method: Method) -> int:
    """How many weights the method trains."""
    layers = adapted_layers(model, method)
    match method:
        case Full():
            return model.parameters
        case Prefix():
            return method.virtual_tokens * model.layers * 2 * model.widths.keys
        case Ia3():
            feedforward = {name.rsplit(".", 1)[-1] for name in method.feedforward}
            return model.layers * sum(
                each.inputs if each.inner and each.name in feedforward else each.outputs for each in layers
            )
        case Tuner():
            if method.tuner in ("prompt_tuning", "p_tuning", "cartridge"):
                return LEARNED_POSITIONS * model.hidden
            return TUNER_RANK * model.layers * sum(each.inputs + each.outputs for each in layers)
        case Dora():
            return model.layers * sum(method.rank * (each.inputs + each.outputs) + each.outputs for each in layers)
        case LowRank():
            return method.rank * model.layers * sum(each.inputs + each.outputs for each in layers)


def state_of(model: BaseModel, method: Method, training: Training, *, masters: bool) -> State:
    """What is kept per trained weight: weight 4, gradient 4, AdamW 8 bytes (2 with 8-bit state).

    Full fine-tuning in 16 bits: with `masters` the weights themselves are fp32; without, as other trainers do it,
    weights, gradients and AdamW's two numbers are all in 16 bits (then the weights count as the model's own).
    """
    trainable = trainable_parameters(model, method)
    moments = 2 if training.optimizer == "adamw8bit" else 8
    if not isinstance(method, Full):
        return State(trainable=trainable, weights=4 * trainable, gradients=4 * trainable, optimizer=moments * trainable)
    size = NUMBER_BYTES[training.precision]
    if masters or size == 4:
        return State(trainable=trainable, weights=4 * trainable, gradients=4 * trainable, optimizer=moments * trainable)
    moments = min(moments, 2 * size)
    return State(
        trainable=trainable, weights=size * trainable, gradients=size * trainable, optimizer=moments * trainable
    )
