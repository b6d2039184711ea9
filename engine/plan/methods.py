"""Every method a person may name: what it is, when to use it, what it honestly costs, and where it starts from.

The knobs themselves, with help and limits, are fields of the structs in engine/spec/methods.py. Figures are published
ones: the PEFT library's method comparison (Llama-3.2-3B, MetaMathQA, tested on GSM8K, one GPU), H2O LLM Studio's run
times (Llama-2-7B) and torchtune's README (Llama-3.1-8B on an RTX 4090). Two names may share a struct: `lora+` is LoRA
with another ratio. What cannot be combined is in engine/plan/combinations.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from engine.core.errors import PlanError
from engine.spec.methods import BESIDE_THE_TEXT, TunerName
from engine.spec.records import Fact

Level = Literal["essential", "advanced", "expert"]


class MethodFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    `kind` is the tag of its struct, `presets` are values that make it this method. `rate` multiplies LoRA's learning
    rate, `alpha_ratio` is alpha / rank where it is not the profile's, `slower` multiplies LoRA's time. `mergeable` says
    whether the result can be added to the model's weights.
    """

    name: str
    title: str
    kind: str
    what: str
    when: str
    cost: str
    rate: float = 1.0
    alpha_ratio: float | None = None
    slower: float = 1.0
    mergeable: bool = True
    level: Level = "advanced"
    presets: Mapping[str, Fact] = {}


TABLE: dict[str, MethodFacts] = {
    each.name: each
    for each in (
        MethodFacts(
            name="lora",
            title="LoRA",
            kind="lora",
            what="Trains small adapters beside the model, which itself stays as it is.",
            when="Nearly always: little memory, and nearly as good as training every weight.",
            cost="Published: 47.8 % with rank 32 where every weight reaches 47.2 %, in 942 s instead of 2,147 s.",
            level="essential",
        ),
        MethodFacts(
            name="qlora",
            title="QLoRA",
            kind="qlora",
            what="LoRA on a model held in 4 bits.",
            when="When the model in 16 bits does not fit the memory.",
            cost="About a third of the memory for weights, and slower: 2,413 instead of 3,083 tokens/s (torchtune), "
            "and on an A100 34 instead of 24 minutes (H2O). Answers lose a little.",
            slower=1.28,
            level="essential",
        ),
        MethodFacts(
            name="int8",
            title="LoRA on 8 bits",
            kind="qlora",
            what="LoRA on a model held in 8 bits.",
            when="When 16 bits do not fit and 8 do: closer to the original than 4 bits.",
            cost="Twice the memory of 4 bits and slower still, because outliers are computed apart in 16 bits.",
            slower=1.6,
            presets={"quantization": "int8"},
        ),
        MethodFacts(
            name="rslora",
            title="rsLoRA",
            kind="rslora",
            what="LoRA scaled by the root of its rank, so that high ranks keep learning.",
            when="With ranks of 64 and more, where there is much to learn.",
            cost="No memory or time beyond LoRA's. Published: 51.3 % with rank 64, and LoRA 47.4 %.",
            rate=0.5,
            alpha_ratio=1.0,
        ),
        MethodFacts(
            name="lora+",
            title="LoRA+",
            kind="lora",
            what="LoRA whose second matrix learns 16 times faster than the first.",
            when="When runs are long and LoRA learns slowly.",
            cost="No memory or time beyond LoRA's; one more number to get right. Its paper found learning up to "
            "twice as fast.",
            rate=0.25,
            presets={"rate_ratio": 16.0},
        ),
        MethodFacts(
            name="dora",
            title="DoRA",
            kind="dora",
            what="LoRA for the direction of each weight, and a learned length besides.",
            when="With small ranks, when every bit of quality counts.",
            cost="10 % more memory and 26 % more time than LoRA at rank 32 (1,191 s instead of 942 s), for 46.9 % "
            "where LoRA reached 47.8 %: try it, do not count on it.",
            slower=1.26,
        ),
        MethodFacts(
            name="pissa",
            title="PiSSA",
            kind="pissa",
            what="LoRA that begins with the strongest directions of each weight.",
            when="When runs are short: it learns faster in the first steps.",
            cost="A minute more at the start. The saved adapter is a plain LoRA of double rank.",
            rate=0.25,
            alpha_ratio=1.0,
        ),
        MethodFacts(
            name="prefix",
            title="Prefix tuning",
            kind="prefix",
            what="Learns keys and values that stand before every text; the model is untouched.",
            when="When thousands of small variants are to be served from one model.",
            cost="Learns less than LoRA, takes places of the context, and can never be merged into the model.",
            rate=10.0,
            mergeable=False,
        ),
        MethodFacts(
            name="ia3",
            title="IA3",
            kind="ia3",
            what="Learns one factor for each key, value and inner channel.",
            when="With a few dozen examples, or where an adapter may take no more than some hundred kilobytes.",
            cost="About a hundredth of LoRA's weights, and learns accordingly less.",
            rate=10.0,
        ),
        MethodFacts(
            name="tuner",
            title="Another PEFT method",
            kind="tuner",
            what="Any further method of the PEFT library, with the library's own settings.",
            when="For experiments, by people who know the method.",
            cost="Memory and time are taken to be about LoRA's of rank 8; only a try knows better.",
            slower=1.3,
            level="expert",
        ),
        MethodFacts(
            name="full",
            title="Every weight",
            kind="full",
            what="Trains every weight of the model; the result is a whole model.",
            when="With much data and memory, or where knowledge, not manner, is to change.",
            cost="18 bytes a weight instead of 2, more than twice LoRA's time (2,147 s instead of 942 s), and for one "
            "task often no better (47.2 % and 47.8 %).",
            mergeable=False,
            level="essential",
        ),
    )
}
"""By the name a person says. Every struct of engine/spec/methods.py has at least one."""
ALIASES = {"loraplus": "lora+", "lora_plus": "lora+", "nf4": "qlora", "qlora8": "int8", "prefix_tuning": "prefix"}
DEFAULT_TUNER: TunerName = "vera"


def method_facts(name: str) -> MethodFacts:
    """The row for a name, in any case. A PEFT tuner's own name is a row, too. Raises PlanError with the choices."""
    wanted = name.strip().lower()
    wanted = ALIASES.get(wanted, wanted)
    if wanted in TABLE:
        return TABLE[wanted]
    if wanted in get_args(TunerName):
        return _tuner(wanted)
    known = (*TABLE, *get_args(TunerName))
    near = difflib.get_close_matches(wanted, known, 1)
    raise PlanError(
        f"There is no method “{name}”.",
        f"There are: {', '.join(TABLE)}.",
        f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
        "Or leave the method out: one is chosen for you.",
    )


def _tuner(name: str) -> MethodFacts:
    row = TABLE["tuner"]
    merges = name not in (*BESIDE_THE_TEXT, "lily", "beft")
    return msgspec.structs.replace(row, name=name, title=name, presets={"tuner": name}, mergeable=merges)


def facts_of_kind(kind: str) -> MethodFacts:
    """The plain row of a struct's tag."""
    return TABLE[kind]
