"""How long a run takes: operations and bytes of a micro-batch over the device's speed (a roofline), times their number.

Operations per weight and token: 2 forward; backward 2 for the gradient of the inputs, and 2 more where the weight
itself is trained. Checkpointing adds a forward. The output layer works at labelled tokens only. Pure.
"""

from __future__ import annotations

import math

import msgspec

from engine.plan.activations import per_token
from engine.plan.devices import Speed
from engine.plan.facts import DataFacts
from engine.plan.memory import Part
from engine.plan.methods import facts_of_kind
from engine.plan.models import BaseModel
from engine.plan.objectives import NEEDS_REFERENCE
from engine.plan.states import NUMBER_BYTES, trainable_parameters
from engine.spec.methods import Dora, Full, Method, Qlora, method_name, quantization_of
from engine.spec.objectives import Kto, Objective, objective_name
from engine.spec.runspec import Training

START_SECONDS = 8.0
"""Loading the libraries; the model's own bytes come on top."""
LOAD_BYTES = 1e9
"""Bytes of a model read, converted and placed in a second."""
STEP_SECONDS = 0.003
"""An optimizer step's own time besides the model: records, control, the schedule."""
VALIDATION_SECONDS = 0.05


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds per token forward and in training; per micro-batch to read the weights, and to launch the operations.

    Reading goes on while others compute, so the longer of the two counts.
    """

    forward: float
    train: float
    reading: float
    launching: float


def work_of(model: BaseModel, data: DataFacts, method: Method, training: Training, speed: Speed) -> Work:
    """The seconds that one token and one micro-batch take."""
    share = data.trained_tokens / max(1, data.tokens)
    matrix = model.active_parameters + model.vocabulary * model.hidden * share
    attention = 2 * model.layers * model.widths.query * min(data.longest, training.max_length) / 2 * 2
    adapter = 0 if isinstance(method, Full) else trainable_parameters(model, method)
    forward = 2 * matrix + attention + 2 * adapter
    passes = (3.0 if isinstance(method, Full) else 2.0) + (1.0 if training.gradient_checkpointing else 0.0)
    operations = passes * (2 * matrix + 1.25 * attention) + 6 * adapter
    slower = _slower(method)
    moved = 3 * model.layers * per_token(model, method, training).block
    return Work(
        forward=slower * forward / speed.flops,
        train=slower * (operations / speed.flops + moved / speed.bandwidth / 3),
        reading=weight_bytes(model, training, method) * passes / speed.bandwidth,
        launching=model.layers * speed.launch,
    )


def _slower(method: Method) -> float:
    """Times LoRA's seconds per token (engine/plan/methods.py says from where)."""
    if quantization_of(method) == "int8":
        return 1.6
    factor = facts_of_kind(method_name(method)).slower
    four_bits = isinstance(method, Dora) and method.quantization != "none"
    return factor * (facts_of_kind("qlora").slower if four_bits else 1.0)


def weight_bytes(model: BaseModel, training: Training, method: Method) -> float:
    """Bytes of weights that a pass reads."""
    size = NUMBER_BYTES[training.precision]
    if isinstance(method, Qlora) or quantization_of(method) != "none":
        size = 1 if quantization_of(method) == "int8" else 0.5
    return float(size * model.active_parameters)


def micro_batches(data: DataFacts, training: Training) -> int:
    """Micro-batches of one epoch: rows are grouped by length, so that few are smaller than allowed."""
    size = max(1, min(training.micro_batch, training.batch_size))
    steps = math.ceil(data.examples / training.batch_size)
    return max(steps, math.ceil(data.examples / size))


def time_parts(
    model: BaseModel,
    data: DataFacts,
    method: Method,
    objective: Objective,
    training: Training,
    speed: Speed,
    total_steps: int,
    ratio: float,
) -> tuple[Part, ...]:
    """Start, reference pass, training and validation in seconds. `ratio` is measured over predicted, 1 when unknown."""
    work = work_of(model, data, method, training, speed)
    tokens = data.tokens * training.epochs
    pieces = micro_batches(data, training) * training.epochs
    learning = max(tokens * work.train, pieces * work.reading) + pieces * work.launching + total_steps * STEP_SECONDS
    checks = total_steps // training.validate_every + 1
    validating = checks * (data.validation_tokens * work.forward + VALIDATION_SECONDS)
    reference = (data.tokens + data.validation_tokens) * work.forward
    needs = objective_name(objective) in NEEDS_REFERENCE
    if isinstance(
        objective, Kto
    ):  # each prompt is also read with an answer that does not belong, before and in training
        reference, learning = 2 * reference, learning + tokens * work.forward
    loading = START_SECONDS + model.weight_bytes / LOAD_BYTES
    return (
        Part(name="start", title="Start", amount=loading, reason="loading the libraries and the model"),
        Part(
            name="reference",
            title="Reference",
            amount=ratio * reference if needs else 0.0,
            reason="the untouched model reads all rows once" if needs else "not needed for this objective",
        ),
        Part(name="training", title="Training", amount=ratio * learning, reason=f"{tokens:,} tokens; {speed.reason}"),
        Part(
            name="validation",
            title="Validation",
            amount=ratio * validating,
            reason=f"{checks} looks at the held-out rows",
        ),
    )
