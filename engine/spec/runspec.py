"""RunSpec: everything a worker needs to know, complete, frozen and versioned.

All guessing happened before (engine/plan); a worker has no defaults of its own and refuses what it does not know.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from engine.spec.exports import Form, Probe, Prompting, Quant, SafeName
from engine.spec.fields import Level, described
from engine.spec.methods import Method
from engine.spec.objectives import Objective
from engine.spec.suite import Side, Suite

FORMAT = 2
"""Rises when a spec means something an older worker would misread."""


class SpecTooNew(ValueError):
    """The spec was written by a newer version of PEFT Studio."""


class SpecInvalid(ValueError):
    """The spec misses a value, has an unknown one, or one outside its limits; the text names the place."""


class ModelRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A base model in a local folder; `fingerprint` is the hash of its configuration and weight files' sizes."""

    path: str
    name: str
    fingerprint: str


class DataRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prepared data (`prepared/<hash>/`) and the dataset it came from."""

    prepared: str
    dataset: str
    name: str
    hash: str


class AdapterRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trained adapter folder, or a whole fine-tuned model folder (`whole`)."""

    name: str
    path: str
    whole: bool = False


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of a training run. One struct for planning, forms, the command line and the worker."""

    epochs: Annotated[
        int,
        described(
            "Epochs",
            "How often the model sees every example. More learns the data better, and in the end by rote.",
            level=Level.ESSENTIAL,
            ge=1,
            le=1000,
        ),
    ]
    learning_rate: Annotated[
        float,
        described(
            "Learning rate",
            "How far each step moves the weights. Too high and training falls apart; too low and nothing is learned.",
            level=Level.ESSENTIAL,
            gt=0,
            lt=1,
        ),
    ]
    batch_size: Annotated[
        int,
        described(
            "Batch size",
            "Examples that one optimizer step learns from. It never changes when memory is short: see micro-batch.",
            unit="examples",
            level=Level.ESSENTIAL,
            ge=1,
            le=4096,
        ),
    ]
    micro_batch: Annotated[
        int,
        described(
            "Micro-batch",
            "Most examples computed at once. Only memory and speed depend on it, never what is learned.",
            unit="examples",
            ge=1,
            le=4096,
        ),
    ]
    max_length: Annotated[
        int,
        described(
            "Context length",
            "Longest example in tokens; what is longer is cut, and counted.",
            unit="tokens",
            level=Level.ESSENTIAL,
            ge=16,
            le=2_000_000,
        ),
    ]
    schedule: Annotated[
        Literal["cosine", "linear", "constant"],
        described("Schedule", "How the learning rate falls after the warm-up."),
    ]
    warmup_steps: Annotated[
        int, described("Warm-up", "Steps over which the learning rate rises from zero.", unit="steps", ge=0)
    ]
    optimizer: Annotated[
        Literal["adamw", "adamw8bit"],
        described(
            "Optimizer",
            "AdamW keeps two 32-bit numbers for each trained weight; in 8 bits, on CUDA, a quarter of that.",
            level=Level.EXPERT,
        ),
    ]
    weight_decay: Annotated[
        float, described("Weight decay", "Pulls trained weights gently towards zero.", level=Level.EXPERT, ge=0, le=1)
    ]
    beta1: Annotated[float, described("Beta 1", "AdamW's memory of the gradient.", level=Level.EXPERT, ge=0, lt=1)]
    beta2: Annotated[
        float, described("Beta 2", "AdamW's memory of the squared gradient.", level=Level.EXPERT, ge=0, lt=1)
    ]
    epsilon: Annotated[float, described("Epsilon", "Keeps AdamW's division stable.", level=Level.EXPERT, gt=0, le=0.1)]
    clip_norm: Annotated[
        float,
        described("Gradient clipping", "Longest step in gradient norm; 0 switches it off.", level=Level.EXPERT, ge=0),
    ]
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"],
        described("Precision", "The number format of the base model's weights and sums."),
    ]
    gradient_checkpointing: Annotated[
        bool, described("Activation checkpointing", "Computes some values twice to hold fewer; slower, less memory.")
    ]
    packing: Annotated[
        Literal["off", "on", "measured"],
        described(
            "Packing",
            "Rows of a micro-batch end to end, each seeing only itself, so that nothing is padded. Measured: the run "
            "tries both on its first rows. Only speed depends on it.",
            level=Level.EXPERT,
        ),
    ]
    compilation: Annotated[
        Literal["off", "measured"],
        described(
            "Compilation",
            "Measured: the run tries layers compiled by torch.compile, and keeps them where they are faster.",
            level=Level.EXPERT,
        ),
    ]
    validate_every: Annotated[
        int, described("Validate every", "Steps between measurements on held-out rows.", unit="steps", ge=1)
    ]
    checkpoint_every: Annotated[
        int, described("Checkpoint every", "Steps between saved states to resume from.", unit="steps", ge=1)
    ]
    keep_checkpoints: Annotated[
        int, described("Checkpoints kept", "The newest are kept, and the best one besides.", ge=1, le=1000)
    ]
    recovery: Annotated[
        Literal["observe", "ask", "automatic"],
        described(
            "When something goes wrong",
            "Observe only reports it; ask pauses and proposes a remedy; automatic applies the remedy and goes on.",
        ),
    ]
    seed: Annotated[int, described("Seed", "Fixes every random choice, so that a run can be repeated.", ge=0, lt=2**31)]


class Sharing(msgspec.Struct, frozen=True, kw_only=True):
    """How many share the work of a run: `RunSpec.processes`, as a person sets it."""

    processes: Annotated[
        int,
        described(
            "Processes",
            "How many share each step, one on each GPU; the model is cut into as many parts. The losses stay the same.",
            level=Level.EXPERT,
            ge=1,
            le=4096,
        ),
    ]


class TrainJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="train"):
    """Fine-tune `model` on `data` with `method` towards `objective`. `total_steps` is epochs times the steps of one.

    With a `parent` training goes on from that version's adapter (or whole model) instead of from a fresh one.
    """

    model: ModelRef
    data: DataRef
    method: Method
    objective: Objective
    training: Training
    total_steps: int
    profile: str
    parent: AdapterRef | None = None


class ProbeJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="probe"):
    """The first `steps` steps of a training, timed on the real device; nothing is kept of what they learn."""

    train: TrainJob
    steps: int


class EvaluateJob(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="evaluate"
):
    """Answer the held-out rows with the base model and each of `adapters`.

    `side` says which rows were held out, `answers` is a folder of answers to keep and to take again (none when empty).
    The worker leaves `suite` alone: it is what the answers are then measured by.
    """

    model: ModelRef
    data: DataRef
    adapters: tuple[AdapterRef, ...]
    precision: Literal["fp32", "bf16", "fp16"]
    rows: int
    max_new_tokens: int
    batch_size: int
    seed: int
    side: Side = "held-out"
    suite: Suite = Suite()
    answers: str = ""


class BenchmarkJob(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="benchmark"
):
    """Put the base and each of `adapters` through tasks of lm-evaluation-harness, kept in the folder `environment`.

    Without `tasks` the harness is only installed there. `tasks_folder` holds tasks of the user's own (empty for none).
    `rows` of each task are asked, all when None;
    `few_shot` None leaves the examples shown to the task. `chat`: in the model's chat template. `online`: data may be
    fetched.
    """

    model: ModelRef
    adapters: tuple[AdapterRef, ...]
    tasks: tuple[str, ...]
    tasks_folder: str
    rows: int | None
    few_shot: int | None
    chat: bool
    online: bool
    precision: Literal["fp32", "bf16", "fp16"]
    batch_size: int
    seed: int
    environment: str


class HostJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="host"):
    """Hold one base model and any number of adapters, and answer on a local socket until idle for a while.

    `quantization` is how the base's weights are held; the sums are done in `precision`.
    """

    model: ModelRef
    adapters: tuple[AdapterRef, ...]
    precision: Literal["fp32", "bf16", "fp16"]
    idle_seconds: float
    quantization: Literal["none", "nf4", "int8"] = "none"


class ExportJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="export"):
    """Bring a trained version into another form, and certify that it answers like the trained model.

    `target` is made by the worker, complete or not at all; `name` and `publisher` name what is in it. `precision` is
    the number format of the sums on the trained side. `card` is the README; `private` are places on this machine
    that may not be named in anything that is written.
    """

    model: ModelRef
    adapter: AdapterRef
    method: Method
    precision: Literal["fp32", "bf16", "fp16"]
    form: Form
    quant: Quant
    target: str
    name: SafeName
    publisher: SafeName
    prompting: Prompting
    probes: tuple[Probe, ...]
    answer_tokens: int
    card: str
    private: tuple[str, ...]


Job = TrainJob | ProbeJob | EvaluateJob | BenchmarkJob | HostJob | ExportJob


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan made runnable. `threads` is pinned because sums on 1 and on 2 threads differ in their last bits.

    `processes` above 1 share the work of each optimizer step (FSDP2), all on this machine unless launched otherwise.
    """

    format: int
    id: str
    name: str
    created: float
    threads: int
    processes: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    priority: int
    job: Job

    @property
    def kind(self) -> str:
        """train, probe, evaluate, benchmark, host or export."""
        return str(type(self.job).__struct_config__.tag)


class _Format(msgspec.Struct):
    format: int


def decode_spec(data: bytes) -> RunSpec:
    """Read a spec strictly. Raises SpecTooNew or SpecInvalid, whose text names the place inside the JSON."""
    try:
        found = msgspec.json.decode(data, type=_Format).format
        if found > FORMAT:
            raise SpecTooNew(f"format {found}, and this version reads up to {FORMAT}")
        return msgspec.json.decode(data, type=RunSpec)
    except msgspec.MsgspecError as error:
        raise SpecInvalid(str(error)) from error


def validated(spec: RunSpec) -> RunSpec:
    """The same spec, checked: msgspec's constructors do not look at limits. Raises SpecInvalid."""
    return decode_spec(msgspec.json.encode(spec))
