"""What a run can optimise: which data each objective reads, when to use it, and where its knobs start.

The knobs are fields of the structs in engine/spec/objectives.py. Pure.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from engine.core.errors import PlanError
from engine.plan.facts import DataFacts
from engine.plan.values import Value
from engine.spec.objectives import LAYOUTS, Objective
from engine.spec.prepared import Layout

OBJECTIVES: dict[str, type[msgspec.Struct]] = {str(each.__struct_config__.tag): each for each in get_args(Objective)}
"""Every objective's struct by its tag: sft, dpo, orpo, kto."""
SUITED: dict[Layout, str] = {"rows": "sft", "pairs": "dpo", "rated": "kto"}
"""What is chosen for a layout when nobody says otherwise."""
PREFERENCE_RATE = 0.1
"""Preference tuning learns at about a tenth of the rate of imitation: 5e-6 to 5e-5 for adapters (TRL's recipes, and the
papers' own 5e-7 to 8e-6 for all weights)."""
NEEDS_REFERENCE = frozenset({"dpo", "kto"})
"""These compare with the model as it was: one forward pass over all data before the first step."""


class ObjectiveFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One objective in words."""

    name: str
    title: str
    what: str
    when: str


TABLE: dict[str, ObjectiveFacts] = {
    each.name: each
    for each in (
        ObjectiveFacts(
            name="sft",
            title="Imitation",
            what="Answers like those of your rows become more likely.",
            when="Rows are good examples, each for itself.",
        ),
        ObjectiveFacts(
            name="dpo",
            title="Preference (DPO)",
            what="The chosen answer becomes more likely than the rejected one, and the model stays near what it was.",
            when="Each prompt has a better and a worse answer.",
        ),
        ObjectiveFacts(
            name="orpo",
            title="Imitation and preference at once (ORPO)",
            what="Imitates the chosen answer and moves away from the rejected one; no reference pass is needed.",
            when="Pairs, on a base model that was not yet taught to answer.",
        ),
        ObjectiveFacts(
            name="kto",
            title="Ratings (KTO)",
            what="Answers rated good become more likely, and those rated bad less.",
            when="Single answers with a thumb up or down.",
        ),
    )
}
LAYOUT_WORDS: dict[Layout, str] = {
    "rows": "rows that stand alone",
    "pairs": "pairs of a chosen and a rejected answer",
    "rated": "answers that are rated good or bad",
}


def choose_objective(wanted: str | None, layout: Layout) -> str:
    """The objective's tag. Raises PlanError for an unknown one, or one that cannot read this data."""
    if wanted is None:
        return SUITED[layout]
    name = wanted.strip().lower()
    if name not in OBJECTIVES:
        raise PlanError(
            f"There is no objective “{wanted}”.",
            f"There are: {', '.join(OBJECTIVES)}.",
            f"Choose “{SUITED[layout]}”, which suits this data.",
        )
    if LAYOUTS[name] != layout:
        needed: Layout = next(each for each in LAYOUT_WORDS if each == LAYOUTS[name])
        raise PlanError(
            f"{TABLE[name].title} cannot be trained on this data.",
            f"It reads {LAYOUT_WORDS[needed]}; this dataset holds {LAYOUT_WORDS[layout]}.",
            f"Choose the objective “{SUITED[layout]}” ({TABLE[SUITED[layout]].title}).",
            f"Or import data with {LAYOUT_WORDS[needed]}.",
        )
    return name


def objective_values(name: str, data: DataFacts) -> list[Value]:
    """Where an objective's knobs start."""
    match name:
        case "dpo":
            return [
                _beta(),
                Value(name="label_smoothing", value=0.0, reason="Your pairs are taken to be right.", source="usual"),
            ]
        case "orpo":
            reason = "The paper's value: imitation leads, preferring corrects."
            return [Value(name="weight", value=0.1, reason=reason, source="usual")]
        case "kto":
            return [_beta(), *_balance(data.good_share)]
        case _:
            return []


def _beta() -> Value:
    reason = "The usual value: free to change, and held to what it was."
    return Value(name="beta", value=0.1, reason=reason, source="usual")


def _balance(good: float) -> list[Value]:
    """Weights under which good and bad answers count alike in sum (KTO's paper asks for a ratio of 1 to 4/3)."""
    share = min(0.99, max(0.01, good))
    ratio = (1 - share) / share
    up, down = (min(100.0, ratio), 1.0) if ratio > 1 else (1.0, min(100.0, 1 / ratio))
    reason = f"{share:.0%} of the answers are good; so weighted, both sides count alike."
    return [
        Value(name="good_weight", value=float(f"{up:.3g}"), reason=reason, source="data"),
        Value(name="bad_weight", value=float(f"{down:.3g}"), reason=reason, source="data"),
    ]
