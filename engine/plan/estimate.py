"""What a run will need: memory by component, time, disk; each part with its reason, and how sure the whole is.

Memory follows what the worker really allocates (labelled tokens only in the loss; 32-bit adapters and optimizer state).
Time is operations over an assumed speed of the device. Both are ranges: only a measured step knows better.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.plan.devices import Speed, speed_of
from engine.plan.facts import DataFacts
from engine.plan.hardware import Hardware
from engine.plan.models import BaseModel
from engine.spec.methods import Full, Lora, Method, Qlora
from engine.spec.runspec import Training

NUMBER_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
NF4_BITS, FP4_BITS, SCALE_BITS, DOUBLE_SCALE_BITS = 4.0, 4.0, 0.5, 0.127
LOGIT_BYTES = 14
"""Per labelled token and word of the vocabulary: the score, its 32-bit copy, and the gradients of both."""
GPU_RUNTIME, CPU_RUNTIME = 1_000_000_000, 650_000_000
START_SECONDS = 8.0
CHECKPOINTING_COST = 1.33
QUANTIZED_COST = 1.3
MICRO_BATCH_SECONDS = 0.008

Confidence = Literal["low", "medium", "high"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One component of an estimate, in bytes or seconds, and where it comes from."""

    name: str
    title: str
    amount: float
    reason: str


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Memory in bytes, time in seconds. The middle value is the expected one; `memory` adds up to `memory_peak`."""

    device: str
    memory: tuple[Part, ...]
    memory_low: int
    memory_peak: int
    memory_high: int
    memory_budget: int
    seconds_min: float
    seconds: float
    seconds_max: float
    tokens_per_second: float
    time: tuple[Part, ...]
    disk: tuple[Part, ...]
    disk_bytes: int
    trainable: int
    confidence: Confidence
    confidence_reason: str

    @property
    def fits(self) -> bool:
        """The expected peak is within the memory that can be used."""
        return self.memory_peak <= self.memory_budget


def trainable_parameters(model: BaseModel, method: Method) -> int:
    """How many weights the method trains."""
    if isinstance(method, Full):
        return model.parameters
    return method.rank * model.layers * sum(_widths(model, method.targets).values())


def _widths(model: BaseModel, targets: tuple[str, ...]) -> dict[str, int]:
    """Inputs plus outputs of each adapted layer: what one rank costs there."""
    query, keys = model.heads * model.head_dim, model.kv_heads * model.head_dim
    known = {
        "q_proj": model.hidden + query,
        "k_proj": model.hidden + keys,
        "v_proj": model.hidden + keys,
        "o_proj": query + model.hidden,
        "gate_proj": model.hidden + model.mlp,
        "up_proj": model.hidden + model.mlp,
        "down_proj": model.mlp + model.hidden,
    }
    if "all-linear" in targets:
        return known
    return {name: width for name, width in known.items() if name in targets} or known


def estimate(
    model: BaseModel, data: DataFacts, method: Method, training: Training, hardware: Hardware, total_steps: int
) -> Estimate:
    """Everything, in well under a millisecond."""
    trainable = trainable_parameters(model, method)
    memory = memory_parts(model, data, method, training, on_gpu=hardware.gpu is not None)
    peak = sum(part.amount for part in memory)
    speed = speed_of(hardware, training.precision, model.parameters)
    time = _time(model, data, method, training, speed, total_steps)
    seconds = sum(part.amount for part in time)
    disk = _disk(trainable, method, training)
    tokens = data.tokens * training.epochs
    return Estimate(
        device=speed.device,
        memory=memory,
        memory_low=int(peak * 0.85),
        memory_peak=int(peak),
        memory_high=int(peak * 1.3),
        memory_budget=memory_budget(hardware),
        seconds_min=START_SECONDS / 2 + (seconds - START_SECONDS) * 0.5,
        seconds=seconds,
        seconds_max=START_SECONDS * 3 + (seconds - START_SECONDS) * 2.5,
        tokens_per_second=tokens / max(1e-9, time[1].amount),
        time=time,
        disk=disk,
        disk_bytes=int(sum(part.amount for part in disk)),
        trainable=trainable,
        confidence="medium" if speed.known else "low",
        confidence_reason=speed.reason,
    )


def memory_budget(hardware: Hardware) -> int:
    """Bytes a run may plan with: nine tenths of a card's free memory, or eight tenths of the machine's."""
    gpu = hardware.gpu
    return int(gpu.memory_free * 0.9) if gpu else int(hardware.memory_free * 0.8)


def memory_parts(
    model: BaseModel,
    data: DataFacts,
    method: Method,
    training: Training,
    *,
    on_gpu: bool,
    logit_bytes: float = LOGIT_BYTES,
) -> tuple[Part, ...]:
    """Peak memory by component. `logit_bytes` is what the loss costs per labelled token and word."""
    trainable = trainable_parameters(model, method)
    parts = [_weights(model, method, training), *_state(trainable, method, training)]
    parts += [_activations(model, data, method, training), _logits(model, data, training, logit_bytes)]
    moving = parts[-1].amount + parts[-2].amount
    runtime = (GPU_RUNTIME if on_gpu else CPU_RUNTIME) + 0.07 * moving
    reason = "the libraries and the CUDA context, and gaps between allocations" if on_gpu else "the training libraries"
    return (*parts, Part(name="runtime", title="Runtime", amount=runtime, reason=reason))


def _weights(model: BaseModel, method: Method, training: Training) -> Part:
    size = NUMBER_BYTES[training.precision]
    if isinstance(method, Qlora):
        bits = NF4_BITS + (DOUBLE_SCALE_BITS if method.double_quantization else SCALE_BITS)
        rest = model.parameters - model.linear_parameters
        amount = model.linear_parameters * bits / 8 + rest * size
        reason = f"{bits:.2f} bits for each weight of the layers; token tables in {training.precision}"
    else:
        amount = model.parameters * size
        reason = f"{model.parameters:,} weights of {size} bytes ({training.precision})"
    return Part(name="weights", title="Model weights", amount=amount, reason=reason)


def _state(trainable: int, method: Method, training: Training) -> list[Part]:
    """What training keeps for each trained weight; full fine-tuning in 16 bits keeps a 32-bit master copy."""
    full = isinstance(method, Full)
    copy = 4 if not full or training.precision != "fp32" else 0
    title = "Master weights" if full else "Adapter"
    reason = f"{trainable:,} trained weights of 4 bytes" if copy else "trained in place"
    return [
        Part(name="adapter", title=title, amount=trainable * copy, reason=reason),
        Part(name="gradients", title="Gradients", amount=trainable * 4, reason="one 32-bit number per trained weight"),
        Part(name="optimizer", title="Optimizer", amount=trainable * 8, reason="AdamW keeps two numbers per weight"),
    ]


def _activations(model: BaseModel, data: DataFacts, method: Method, training: Training) -> Part:
    size = NUMBER_BYTES[training.precision]
    tokens = _tokens_at_once(data, training)
    query, keys = model.heads * model.head_dim, model.kv_heads * model.head_dim
    layer = size * tokens * (6 * model.hidden + 2 * query + 2 * keys + 5 * model.mlp)
    if isinstance(method, Lora | Qlora):
        adapted = len(_widths(model, method.targets))
        layer += size * tokens * adapted * (2 * method.rank + (model.hidden if method.dropout else 0))
    if training.gradient_checkpointing:
        amount = layer + model.layers * model.hidden * size * tokens
        reason = f"one layer of {tokens:,} tokens at once; the others keep only their input"
    else:
        amount = 0.85 * model.layers * layer
        reason = f"{model.layers} layers of {tokens:,} tokens at once"
    return Part(name="activations", title="Activations", amount=amount, reason=reason)


def _tokens_at_once(data: DataFacts, training: Training) -> int:
    return training.micro_batch * max(1, min(data.longest, training.max_length))


def _logits(model: BaseModel, data: DataFacts, training: Training, logit_bytes: float) -> Part:
    share = min(1.0, 1.3 * data.trained_tokens / max(1, data.tokens))
    tokens = int(_tokens_at_once(data, training) * share)
    reason = f"scores of {model.vocabulary:,} words for {tokens:,} labelled tokens"
    return Part(name="logits", title="Loss", amount=logit_bytes * model.vocabulary * tokens, reason=reason)


def _time(
    model: BaseModel, data: DataFacts, method: Method, training: Training, speed: Speed, total_steps: int
) -> tuple[Part, ...]:
    """Start-up, training and validation. 6 operations per weight and token when all is trained, else 4."""
    passes = 6 if isinstance(method, Full) else 4
    attention = 2 * passes * model.layers * model.heads * model.head_dim * data.longest / 2
    matrix = model.linear_parameters + model.vocabulary * model.hidden * data.trained_tokens / max(1, data.tokens)
    forward = (2 * matrix + attention / passes * 2) / speed.flops
    token = (passes * matrix + attention) / speed.flops
    if training.gradient_checkpointing:
        token *= CHECKPOINTING_COST
    if isinstance(method, Qlora):
        token, forward = token * QUANTIZED_COST, forward * QUANTIZED_COST
    pieces = -(-data.rows * training.epochs // training.micro_batch)
    learning = data.tokens * training.epochs * token + max(pieces, total_steps) * MICRO_BATCH_SECONDS
    checks = total_steps // training.validate_every + 1
    validating = checks * (data.validation_tokens * forward + 0.05)
    return (
        Part(name="start", title="Start", amount=START_SECONDS, reason="loading the libraries and the model"),
        Part(
            name="training",
            title="Training",
            amount=learning,
            reason=f"{data.tokens * training.epochs:,} tokens; {speed.reason}",
        ),
        Part(name="validation", title="Validation", amount=validating, reason=f"{checks} looks at the held-out rows"),
    )


def _disk(trainable: int, method: Method, training: Training) -> tuple[Part, ...]:
    kept = training.keep_checkpoints + 1
    size = trainable * 12
    result = trainable * (2 if isinstance(method, Full) and training.precision != "fp32" else 4)
    return (
        Part(
            name="checkpoints",
            title="Checkpoints",
            amount=kept * size,
            reason=f"{kept} of 12 bytes per trained weight (weight and optimizer)",
        ),
        Part(
            name="result", title="Result", amount=result, reason="the adapter, or the whole model when all is trained"
        ),
        Part(name="logs", title="Measurements", amount=10_000_000, reason="metrics, events and the log"),
    )
