"""Peak memory by component, from the numbers in config.json alone.

A step has three moments at which memory can be highest: when the loss is computed (all activations are kept), when the
last block is done backward, and when all gradients are there. The estimate is that of the highest; each component says
what it holds at that moment. Pure.

Two ways of working are described, because published figures come from other trainers: `Practice`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.plan.activations import PerToken, per_token
from engine.plan.facts import DataFacts
from engine.plan.models import BaseModel
from engine.plan.states import NUMBER_BYTES, State, adapted_layers, state_of
from engine.spec.methods import Dora, Full, Method, Prefix, Qlora, quantization_of
from engine.spec.runspec import Training

Device = Literal["gpu", "cpu"]
LossPath = Literal["labelled", "chunked", "eager"]
CODE_BITS = {"nf4": 4.0, "fp4": 4.0, "int8": 8.0}
SCALE_BITS, DOUBLE_SCALE_BITS = 0.5, 0.127
"""One fp32 scale per 64 weights; quantized again to 8 bits, with one fp32 scale for 256 of them (arXiv:2305.14314)."""
EAGER_BYTES = 14
"""Per token and word: scores in 16 bits 2, their fp32 copy 4, log-softmax 4, its gradient 4."""
CHUNK_BYTES = 16_000_000
"""Scores that the worker holds at once, in fp32 (engine/worker/loss.py)."""
CHUNK_COPIES = 2.5
"""The chunk's scores in the format of the sums, their fp32 copy, and logsumexp's temporary."""
OTHERS_CHUNKS = 8
"""Other trainers cut the positions into this many chunks (torchtune's CEWithChunkedOutputLoss)."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One component of an estimate, in bytes or seconds, and where it comes from."""

    name: str
    title: str
    amount: float
    reason: str


class Practice(msgspec.Struct, frozen=True, kw_only=True):
    """How a trainer goes about what costs memory.

    loss: `labelled` computes scores in chunks at labelled tokens only, `chunked` at all tokens, `eager` all at once.
    masters: full fine-tuning in 16 bits keeps fp32 weights.
    """

    loss: LossPath
    masters: bool


OURS = Practice(loss="labelled", masters=True)


def practice_of(loss: LossPath) -> Practice:
    """The practice that goes with a way of computing the loss: ours with labelled tokens, else other trainers'."""
    return OURS if loss == "labelled" else Practice(loss=loss, masters=False)


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """What a process takes besides tensors: fixed bytes, and a share of what comes and goes."""

    fixed: float
    share: float
    reason: str


OVERHEADS: dict[Device, Overhead] = {
    "gpu": Overhead(
        fixed=0.8e9,
        share=0.03,
        reason="the CUDA context and its libraries' workspaces, and gaps between allocations",
    ),
    "cpu": Overhead(fixed=0.42e9, share=0.02, reason="the training libraries, and gaps between allocations"),
}
"""GPU: a CUDA context takes 0.3 to 0.6 GB and cuBLAS workspaces most of the rest; the allocator's gaps are taken
as 3 % of what comes and goes. CPU: the libraries' resident size, measured by build/bench/memory.py with tensors of 4 MB
and more in mappings of their own."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What one micro-batch holds: tokens, and how many of them are labelled; whether several make a step."""

    tokens: float
    labelled: float
    accumulates: bool


def load_of(data: DataFacts, training: Training, method: Method) -> Load:
    """The largest micro-batch of a run. Of preference pairs both answers are computed together."""
    longest = max(1, min(data.longest, training.max_length))
    if isinstance(method, Prefix):
        longest += method.virtual_tokens
    examples = min(training.micro_batch, training.batch_size)
    tokens = examples * longest * (2 if data.layout == "pairs" else 1)
    share = min(1.0, LABEL_SPREAD * data.trained_tokens / max(1, data.tokens))
    return Load(tokens=tokens, labelled=tokens * share, accumulates=training.batch_size > examples)


LABEL_SPREAD = 1.3
"""The fullest batch has this many times the usual share of labelled tokens."""


def memory_parts(
    model: BaseModel,
    method: Method,
    training: Training,
    load: Load,
    device: Device,
    practice: Practice = OURS,
) -> tuple[Part, ...]:
    """Peak memory in bytes by component, for one micro-batch after another of `load`."""
    state = state_of(model, method, training, masters=practice.masters)
    token = per_token(model, method, training)
    moment = _highest(model, method, training, load, state, token, practice)
    weights = _weights(model, method, training, state, practice)
    over = OVERHEADS[device]
    runtime = over.fixed + over.share * (moment.activations + moment.loss)
    parts = (
        weights,
        _adapter(method, state, training),
        Part(name="gradients", title="Gradients", amount=moment.gradients, reason=_gradients_words(state, moment)),
        Part(name="optimizer", title="Optimizer", amount=state.optimizer, reason=_optimizer_words(training, state)),
        Part(name="activations", title="Activations", amount=moment.activations, reason=_kept_words(load, training)),
        Part(name="loss", title="Loss", amount=moment.loss, reason=_loss_words(model, load, practice)),
        Part(name="runtime", title="Runtime", amount=runtime, reason=over.reason),
    )
    return parts if device == "gpu" else (*parts, _loading(model, method, weights, over, parts))


def _loading(model: BaseModel, method: Method, weights: Part, over: Overhead, parts: tuple[Part, ...]) -> Part:
    """What loading takes above training: on a processor the file's pages and the weights stand side by side."""
    loading = weights.amount + model.weight_bytes + _transient(model, method) + over.fixed
    more = max(0.0, loading - sum(part.amount for part in parts))
    reason = "while the model is read, its file is in memory beside it; less than training takes"
    if more:
        reason = "while the model is read, its file is in memory beside it, which is more than training takes"
    return Part(name="loading", title="Loading", amount=more, reason=reason)


class _Moment(msgspec.Struct, frozen=True):
    """What comes and goes, in bytes, at one moment of a step."""

    gradients: float
    activations: float
    loss: float

    @property
    def total(self) -> float:
        return self.gradients + self.activations + self.loss


def _highest(
    model: BaseModel,
    method: Method,
    training: Training,
    load: Load,
    state: State,
    token: PerToken,
    practice: Practice,
) -> _Moment:
    """The highest of the three moments."""
    before = state.gradients if load.accumulates or not isinstance(method, Full) else 0.0
    blocks = token.stream + token.block
    kept = load.tokens * (model.layers * token.stream if training.gradient_checkpointing else model.layers * blocks)
    top = load.tokens * ((token.block if training.gradient_checkpointing else 0) + token.working)
    transient = _transient(model, method)
    moments = (
        _Moment(before, kept, _loss(model, load, training, method, practice)),
        _Moment(before, kept + top + transient, 0.0),
        _Moment(state.gradients, load.tokens * token.working + transient, 0.0),
    )
    return max(moments, key=lambda each: each.total)


def _transient(model: BaseModel, method: Method) -> float:
    """A 4- or 8-bit layer is unpacked to 16 bits while it is used; DoRA makes each weight's length anew, in fp32."""
    largest = max((each.weights for each in model.linears), default=0)
    amount = 2.0 * largest if quantization_of(method) != "none" else 0.0
    if isinstance(method, Dora):
        amount += 8.0 * max((each.weights for each in adapted_layers(model, method)), default=0)
    return amount


def _loss(model: BaseModel, load: Load, training: Training, method: Method, practice: Practice) -> float:
    """Scores and their gradients; the fused path keeps the hidden states' gradient, and that of a trained head."""
    size = NUMBER_BYTES[training.precision]
    if practice.loss == "eager":
        return load.tokens * model.vocabulary * (EAGER_BYTES if size == 2 else EAGER_BYTES - 2)
    if practice.loss == "chunked":
        return load.tokens / OTHERS_CHUNKS * model.vocabulary * EAGER_BYTES
    chunk = min(CHUNK_BYTES * CHUNK_COPIES, load.labelled * model.vocabulary * 4 * CHUNK_COPIES)
    head = 8.0 * model.vocabulary * model.hidden if isinstance(method, Full) else 0.0
    return chunk + 2 * size * load.labelled * model.hidden + head


def _weights(model: BaseModel, method: Method, training: Training, state: State, practice: Practice) -> Part:
    size = NUMBER_BYTES[training.precision]
    form = quantization_of(method)
    if form != "none":
        bits = CODE_BITS[form] + _scale_bits(method, model)
        rest = model.parameters - model.linear_parameters
        amount = model.linear_parameters * bits / 8 + rest * size
        reason = f"{bits:.2f} bits for each weight of the layers; token tables in {training.precision}"
    elif isinstance(method, Full):
        cast = practice.masters and size == 2
        amount = state.weights + (2.0 * model.linear_parameters if cast else 0.0)
        reason = f"{model.parameters:,} weights of {state.weights / max(1, model.parameters):.0f} bytes"
        reason += ", and 16-bit copies for the sums" if cast else ""
    else:
        amount = float(model.parameters * size)
        reason = f"{model.parameters:,} weights of {size} bytes ({training.precision})"
    return Part(name="weights", title="Model weights", amount=amount, reason=reason)


def _scale_bits(method: Method, model: BaseModel) -> float:
    """Bits per weight for scales: one per row in 8 bits, one per 64 weights in 4."""
    if quantization_of(method) == "int8":
        return 32 / model.hidden
    double = isinstance(method, Dora | Qlora) and method.double_quantization
    return DOUBLE_SCALE_BITS if double else SCALE_BITS


def _adapter(method: Method, state: State, training: Training) -> Part:
    full = isinstance(method, Full)
    reason = "the model's own weights are trained" if full else f"{state.trainable:,} trained weights of 4 bytes"
    return Part(name="adapter", title="Adapter", amount=0.0 if full else state.weights, reason=reason)


def _gradients_words(state: State, moment: _Moment) -> str:
    if moment.gradients == 0:
        return "none yet while the activations are at their highest"
    return f"{state.gradients / max(1, state.trainable):.0f} bytes per trained weight"


def _optimizer_words(training: Training, state: State) -> str:
    size = state.optimizer / max(1, state.trainable)
    eight = ", in 8 bits" if training.optimizer == "adamw8bit" else ""
    return f"AdamW keeps two numbers per trained weight, {size:.0f} bytes{eight}"


def _kept_words(load: Load, training: Training) -> str:
    if training.gradient_checkpointing:
        return f"the input of every block and one block in full, {load.tokens:,.0f} tokens at once"
    return f"what every block keeps for going backward, {load.tokens:,.0f} tokens at once"


def _loss_words(model: BaseModel, load: Load, practice: Practice) -> str:
    words = f"scores of {model.vocabulary:,} words"
    match practice.loss:
        case "labelled":
            return f"{words} in chunks, for {load.labelled:,.0f} labelled tokens; counted at the highest moment"
        case "chunked":
            return f"{words} in {OTHERS_CHUNKS} chunks of {load.tokens:,.0f} tokens; counted at the highest moment"
        case "eager":
            return f"{words} for {load.tokens:,.0f} tokens at once; counted at the highest moment"
