"""What a run optimises: imitating answers, or preferring some answers over others. Each one's knobs, described once."""

from __future__ import annotations

from typing import Annotated

import msgspec

from engine.spec.fields import Level, described
from engine.spec.prepared import Layout

Beta = Annotated[
    float,
    described(
        "Beta",
        "How strongly the model is held to what it was before; higher keeps it closer.",
        level=Level.ADVANCED,
        gt=0,
        le=10,
    ),
]


class Imitate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="objective", tag="sft"):
    """Supervised fine-tuning: the trained tokens of every row become more likely. Rows stand alone."""


class Dpo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="objective", tag="dpo"):
    """Direct preference optimisation over pairs of answers (Rafailov et al. 2023, arXiv:2305.18290)."""

    beta: Beta
    label_smoothing: Annotated[
        float,
        described(
            "Label smoothing", "Share of pairs taken to be the wrong way round.", level=Level.EXPERT, ge=0, lt=0.5
        ),
    ]


class Orpo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="objective", tag="orpo"):
    """Imitation of the chosen answer plus an odds ratio against the rejected one; needs no reference (Hong et al. 2024,
    arXiv:2403.07691)."""

    weight: Annotated[
        float,
        described(
            "Odds-ratio weight", "How much preferring counts beside imitating.", level=Level.ADVANCED, gt=0, le=10
        ),
    ]


class Kto(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="objective", tag="kto"):
    """Answers rated good or bad one by one (Ethayarajh et al. 2024, arXiv:2402.01306)."""

    beta: Beta
    good_weight: Annotated[
        float,
        described("Weight of good answers", "Raise it when good ones are few.", level=Level.ADVANCED, gt=0, le=100),
    ]
    bad_weight: Annotated[
        float, described("Weight of bad answers", "Raise it when bad ones are few.", level=Level.ADVANCED, gt=0, le=100)
    ]


Objective = Imitate | Dpo | Orpo | Kto
LAYOUTS: dict[str, Layout] = {"sft": "rows", "dpo": "pairs", "orpo": "pairs", "kto": "rated"}
"""The layout of prepared data (engine/spec/prepared.py) that each objective reads."""


def objective_name(objective: Objective) -> str:
    """The objective's tag: sft, dpo, orpo or kto."""
    return str(type(objective).__struct_config__.tag)
