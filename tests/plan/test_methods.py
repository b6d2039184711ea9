"""The tables of methods and objectives: complete, honest about merging, and strict about what cannot be combined."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from engine.core.errors import PlanError
from engine.plan.methods import TABLE, method_facts
from engine.plan.models import BaseModel
from engine.plan.objectives import OBJECTIVES
from engine.plan.objectives import TABLE as OBJECTIVE_TABLE
from engine.plan.planner import Draft, Plan, plan
from engine.spec.methods import METHODS, LowRank, Qlora, Tuner, TunerName, mergeable, method_name, quantization_of
from engine.spec.objectives import LAYOUTS, Dpo, Kto, Orpo
from engine.spec.prepared import Layout
from engine.spec.records import Card, Fact
from tests.plan.facts import LLAMA_3_8B, STARTER, data, machine, model


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of planning."""

    method: str = "lora"
    layout: Layout = "rows"
    gpu: float = 80
    base: BaseModel = LLAMA_3_8B
    longest: int = 64
    good_share: float = 0.5
    objective: str | None = None
    edits: dict[str, Fact] = {}


def made(method: str = "lora", **wanted: object) -> Plan:
    wish = msgspec.structs.replace(Wish(method=method), **wanted)
    known = msgspec.structs.replace(data(1000, longest=wish.longest), layout=wish.layout, good_share=wish.good_share)
    draft = Draft(
        name="mine",
        profile="chatbot",
        model=wish.base,
        data=known,
        method=wish.method,
        objective=wish.objective,
        edits=wish.edits,
    )
    return plan(draft, machine(wish.gpu))


def value(plan: Plan, name: str) -> object:
    return next(each.value for each in plan.values if each.name == name)


def card_of(wanted: dict[str, object]) -> Card:
    with pytest.raises(PlanError) as caught:
        made(**{"method": "lora", **wanted})  # type: ignore[arg-type]
    return caught.value.card


def test_every_struct_has_a_row_and_every_row_a_struct() -> None:
    assert {each.kind for each in TABLE.values()} == set(METHODS)
    assert set(METHODS) <= set(TABLE)
    assert all(each.title and each.what and each.when and each.cost for each in TABLE.values())
    assert set(OBJECTIVES) == set(OBJECTIVE_TABLE) == set(LAYOUTS)
    assert all(each.title and each.what and each.when for each in OBJECTIVE_TABLE.values())


@pytest.mark.parametrize("name", [*TABLE, *get_args(TunerName)])
def test_every_name_makes_a_plan_and_says_truly_whether_it_merges(name: str) -> None:
    found = made(name)
    facts = method_facts(name)
    assert method_name(found.method) == facts.kind
    assert mergeable(found.method) is facts.mergeable
    assert found.values[0].value == name
    said = any("cannot be merged" in each.what for each in found.findings)
    assert said == (not facts.mergeable and name != "full")
    for key, value in facts.presets.items():
        assert getattr(found.method, key) == value


def test_names_that_share_a_struct_differ_in_their_values() -> None:
    plus, eight = made("lora+").method, made("int8").method
    assert isinstance(plus, LowRank) and plus.rate_ratio == 16
    assert isinstance(eight, Qlora) and eight.quantization == "int8"
    tuner = made("vera").method
    assert isinstance(tuner, Tuner) and tuner.tuner == "vera"
    assert made("LoRA+") == made("loraplus")


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    card = card_of({"method": "qlorra"})
    assert "qlora" in card.actions[0].label and "dora" in card.why


def test_targets_of_ia3_follow_the_architecture() -> None:
    phi = msgspec.structs.replace(model(hidden=512, heads=8, kv_heads=8, mlp=2048), model_type="phi3")
    found = made("ia3", base=phi)
    assert value(found, "targets") == ("qkv_proj", "down_proj") and value(found, "feedforward") == ("down_proj",)
    assert value(made("ia3"), "targets") == ("k_proj", "v_proj", "down_proj")


def test_target_names_no_layer_has_are_said() -> None:
    found = made(edits={"targets": "q_proj,c_attn"})
    assert any("no layer called c_attn" in each.what and "q_proj" in each.why for each in found.findings)


IMPOSSIBLE = {
    "PiSSA on 4 bits": ({"method": "pissa", "edits": {"quantization": "nf4"}}, "PiSSA", "qlora"),
    "PiSSA on 8 bits": ({"method": "pissa", "edits": {"quantization": "int8"}}, "PiSSA", "int8"),
    "DoRA on 8 bits": ({"method": "dora", "edits": {"quantization": "int8"}}, "DoRA", "nf4"),
    "full on 4 bits": ({"method": "full", "edits": {"quantization": "nf4"}}, "every weight", "qlora"),
    "rsLoRA on 4 bits": ({"method": "rslora", "edits": {"quantization": "fp4"}}, "rsLoRA", "qlora"),
    "prefix and checkpointing": (
        {"method": "prefix", "edits": {"gradient_checkpointing": True}},
        "checkpointing",
        "lora",
    ),
    "prompt and checkpointing": (
        {"method": "prompt_tuning", "edits": {"gradient_checkpointing": True}},
        "checkpointing",
        "micro-batch",
    ),
    "8-bit optimizer without CUDA": ({"gpu": 0, "edits": {"optimizer": "adamw8bit"}}, "NVIDIA", "adamw"),
    "fp16 on a processor": ({"gpu": 0, "edits": {"precision": "fp16"}}, "GPU", "bf16"),
    "DPO on rows": ({"objective": "dpo"}, "cannot be trained on this data", "sft"),
    "KTO on pairs": ({"objective": "kto", "layout": "pairs"}, "cannot be trained on this data", "dpo"),
    "imitation of ratings": ({"objective": "sft", "layout": "rated"}, "cannot be trained on this data", "kto"),
    "an unknown objective": ({"objective": "ppo"}, "no objective", "sft"),
}


@pytest.mark.parametrize(("wanted", "said", "instead"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_the_impossible_is_refused_with_the_nearest_possible(wanted: dict, said: str, instead: str) -> None:
    card = card_of(wanted)
    assert said.lower() in card.what.lower() and card.why
    assert any(instead in each.label for each in card.actions)


def test_what_can_be_combined_is_planned() -> None:
    assert quantization_of(made("dora", edits={"quantization": "nf4"}).method) == "nf4"
    assert made(edits={"optimizer": "adamw8bit"}).training.optimizer == "adamw8bit"


def test_fitting_never_makes_an_impossible_plan() -> None:
    """Prefix tuning is never checkpointed, and a method named by hand never quantized."""
    tight = made("prefix", gpu=17, longest=512)
    assert not tight.training.gradient_checkpointing and tight.training.micro_batch == 1
    assert method_name(made("pissa", gpu=10).method) == "pissa"


def test_the_layout_chooses_the_objective_and_its_knobs_can_be_edited() -> None:
    dpo, orpo, kto = (
        made(layout="pairs", edits={"beta": "0.3"}),
        made(layout="pairs", objective="orpo"),
        made(layout="rated", good_share=0.2),
    )
    assert isinstance(dpo.objective, Dpo) and (dpo.objective.beta, dpo.objective.label_smoothing) == (0.3, 0.0)
    assert isinstance(orpo.objective, Orpo) and orpo.objective.weight == 0.1
    assert isinstance(kto.objective, Kto) and (kto.objective.good_weight, kto.objective.bad_weight) == (4.0, 1.0)
    assert {"beta", "label_smoothing"} <= {each.name for each in dpo.values}
    assert "belongs to dpo" in card_of({"edits": {"label_smoothing": 0.1}}).actions[0].label


def test_preferences_learn_at_a_tenth_of_the_rate_and_count_pairs() -> None:
    rows, pairs = made(), made(layout="pairs")
    assert pairs.training.learning_rate == pytest.approx(rows.training.learning_rate / 10)
    assert 5e-6 <= pairs.training.learning_rate <= 5e-5
    assert pairs.total_steps == pairs.training.epochs * -(-500 // pairs.training.batch_size)
    assert made(base=STARTER, layout="pairs").training.micro_batch <= made(base=STARTER).training.micro_batch


def test_starting_rates_follow_the_method() -> None:
    rates = {name: made(name).training.learning_rate for name in ("lora", "rslora", "lora+", "pissa", "ia3", "full")}
    assert rates["full"] < rates["pissa"] == rates["lora+"] < rates["rslora"] < rates["lora"] < rates["ia3"]
    pissa = made("pissa")
    assert value(pissa, "dropout") == 0 and value(pissa, "alpha") == value(pissa, "rank")
