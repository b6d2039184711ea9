"""Fine-tuning methods: each one's knobs, described once. What a method costs in memory is engine/plan's business.

What cannot be combined cannot be written down: PiSSA has no quantization, and DoRA none in 8 bits.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

from engine.spec.fields import Level, described

Rank = Annotated[
    int,
    described(
        "Rank",
        "How many directions each adapted layer may change in. Higher learns more detail and needs more memory.",
        level=Level.ESSENTIAL,
        ge=1,
        le=512,
    ),
]
Alpha = Annotated[
    int,
    described("Alpha", "How strongly the adapter acts: its output is multiplied by alpha / rank.", ge=1, le=2048),
]
Dropout = Annotated[
    float,
    described(
        "Dropout", "Share of adapter inputs silenced at random while training; helps against rote learning.", ge=0, lt=1
    ),
]
Targets = Annotated[
    tuple[str, ...],
    msgspec.Meta(
        title="Target modules",
        description="Names of the layers that get an adapter; `all-linear` means every one but the output layer.",
        min_length=1,
        extra={"unit": "", "level": "expert"},
    ),
]
RateRatio = Annotated[
    float,
    described(
        "LoRA+ ratio",
        "How many times faster the second of the two adapter matrices learns than the first; 1 is plain LoRA, "
        "16 is usual for LoRA+ (Hayou et al. 2024, arXiv:2402.12354).",
        level=Level.EXPERT,
        ge=1,
        le=256,
    ),
]
DoubleQuantization = Annotated[
    bool,
    described("Double quantization", "Also compresses the scales of 4-bit weights; saves about 0.4 bits per weight."),
]


class LowRank(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all methods share that learn a product of two thin matrices beside each adapted layer."""

    rank: Rank
    alpha: Alpha
    dropout: Dropout
    targets: Targets
    rate_ratio: RateRatio


class Lora(LowRank, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="lora"):
    """Low-rank adapters beside frozen weights (Hu et al. 2021, arXiv:2106.09685)."""


class RsLora(LowRank, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="rslora"):
    """LoRA scaled by alpha / sqrt(rank), so that high ranks keep learning (Kalajdzievski 2023, arXiv:2312.03732)."""


class Dora(LowRank, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="dora"):
    """LoRA for the direction of each weight, and a learned length (Liu et al. 2024, arXiv:2402.09353)."""

    quantization: Annotated[
        Literal["none", "nf4", "fp4"],
        described("Base in 4 bits", "Holds the frozen base model in 4 bits; `none` leaves it as it is."),
    ]
    double_quantization: DoubleQuantization


class Pissa(LowRank, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="pissa"):
    """LoRA that begins with the strongest directions of each weight (Meng et al. 2024, arXiv:2404.02948).

    The saved adapter is converted to a plain LoRA of double rank on the original base.
    """

    iterations: Annotated[
        int,
        described(
            "SVD iterations",
            "Rounds of the fast search for the strongest directions; 0 computes them exactly, which takes minutes.",
            level=Level.EXPERT,
            ge=0,
            le=64,
        ),
    ]


class Qlora(LowRank, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="qlora"):
    """LoRA on a quantized base: 4 bits (Dettmers et al. 2023, arXiv:2305.14314) or 8 (2022, arXiv:2208.07339)."""

    quantization: Annotated[
        Literal["nf4", "fp4", "int8"],
        described(
            "Base format",
            "NF4 fits weights that are spread like a bell curve, which trained ones are; INT8 is closer and larger.",
        ),
    ]
    double_quantization: DoubleQuantization


class Prefix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="prefix"):
    """Learned keys and values before every text, the model untouched (Li and Liang 2021, arXiv:2101.00190)."""

    virtual_tokens: Annotated[
        int,
        described(
            "Virtual tokens",
            "How many learned positions stand before every text; each takes a place in the context.",
            level=Level.ESSENTIAL,
            ge=1,
            le=1024,
        ),
    ]


class Ia3(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="ia3"):
    """One learned factor for each key, value and feed-forward channel (Liu et al. 2022, arXiv:2205.05638)."""

    targets: Targets
    feedforward: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            title="Feed-forward modules",
            description="Those of the target modules whose inputs, not outputs, are scaled.",
            extra={"unit": "", "level": "expert"},
        ),
    ]


TunerName = Literal[
    "beft", "cartridge", "deft", "delora", "fourierft", "frod", "glora", "gralora", "hira", "hra", "lily",
    "ln_tuning", "loha", "lokr", "miss", "oft", "osf", "p_tuning", "peanut", "prompt_tuning", "psoft", "pvera",
    "randlora", "road", "shira", "supertuning", "tinylora", "unilora", "vera", "waveft",
]  # fmt: skip
BESIDE_THE_TEXT = ("cartridge", "p_tuning", "prompt_tuning")
"""Tuners that learn positions before the text. Nothing of them can be merged into weights."""


class Tuner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="tuner"):
    """Any other method of the PEFT library, with the library's own settings. For experts.

    Offered are those that pass tests/worker/test_tuners.py: train, resume, save, reload in plain PEFT, merge where
    the library says that they can.
    """

    tuner: Annotated[TunerName, described("Tuner", "The method's name in the PEFT library.", level=Level.EXPERT)]
    targets: Targets


class Full(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="full"):
    """Every weight is trained. Best where memory allows and much data is at hand; the result is a whole model."""


Method = Lora | RsLora | Dora | Pissa | Qlora | Prefix | Ia3 | Tuner | Full
METHODS: dict[str, type[msgspec.Struct]] = {str(each.__struct_config__.tag): each for each in get_args(Method)}
"""Every method's struct by its tag: lora, rslora, dora, pissa, qlora, prefix, ia3, tuner, full."""


def method_name(method: Method) -> str:
    """The method's tag."""
    return str(type(method).__struct_config__.tag)


def mergeable(method: Method) -> bool:
    """Whether the adapter can be added to the model's weights. Learned positions beside the text cannot, nor Lily's
    layers, nor BEFT's biases where a model has none."""
    if isinstance(method, Tuner):
        return method.tuner not in (*BESIDE_THE_TEXT, "lily", "beft")
    return not isinstance(method, Prefix | Full)


def no_lora_file(method: Method) -> str:
    """Why the adapter cannot be a file of its own for llama.cpp, which adds two narrow matrices to a weight and knows
    nothing else; empty when it can."""
    if isinstance(method, Lora | RsLora | Pissa | Qlora):
        return ""
    if isinstance(method, Full):
        return "Full fine-tuning changed the model itself; there is no adapter."
    if isinstance(method, Dora):
        lacks = "DoRA also learns a length for each weight, its magnitude"
    elif isinstance(method, Ia3):
        lacks = "IA3 learns factors that scale what passes through the model"
    elif isinstance(method, Prefix):
        lacks = "prefix tuning learns positions that stand before the text"
    else:
        lacks = f"{method_name(method)} learns something else"
    return f"llama.cpp's adapters are LoRA's two narrow matrices for each weight; {lacks}, which has no place there."


def quantization_of(method: Method) -> str:
    """How the frozen base is held: none, nf4, fp4 or int8."""
    return method.quantization if isinstance(method, Dora | Qlora) else "none"
