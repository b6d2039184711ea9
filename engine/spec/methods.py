"""Fine-tuning methods: each one's knobs, described once. What a method costs in memory is engine/plan's business."""

from __future__ import annotations

from typing import Annotated, Literal

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


class Lora(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="lora"):
    """Low-rank adapters beside frozen weights (Hu et al. 2021, arXiv:2106.09685)."""

    rank: Rank
    alpha: Alpha
    dropout: Dropout
    targets: Targets


class Qlora(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="qlora"):
    """LoRA on a base held in 4 bits (Dettmers et al. 2023, arXiv:2305.14314)."""

    rank: Rank
    alpha: Alpha
    dropout: Dropout
    targets: Targets
    quantization: Annotated[
        Literal["nf4", "fp4"],
        described("4-bit format", "NF4 fits weights that are spread like a bell curve, which trained ones are."),
    ]
    double_quantization: Annotated[
        bool,
        described("Double quantization", "Also compresses the scales; saves about 0.4 bits per weight."),
    ]


class Full(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method", tag="full"):
    """Every weight is trained. Best where memory allows and much data is at hand; the result is a whole model."""


Method = Lora | Qlora | Full


def method_name(method: Method) -> str:
    """The method's tag: lora, qlora, full."""
    return str(type(method).__struct_config__.tag)
