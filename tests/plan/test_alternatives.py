"""Other plans near the one made: always a faster and a smaller one, with differences that are real when applied."""

from __future__ import annotations

import msgspec
import pytest

from engine.plan.planner import Draft, Plan, plan
from engine.spec.methods import method_name
from engine.spec.records import Fact
from tests.plan.facts import LLAMA_3_3B, LLAMA_3_8B, STARTER, data, machine

CASES = {
    "starter": (STARTER, 0, None),
    "8B on a small card": (LLAMA_3_8B, 24, None),
    "8B on a large card": (LLAMA_3_8B, 140, None),
    "DoRA": (LLAMA_3_3B, 24, "dora"),
    "QLoRA that barely fits": (LLAMA_3_8B, 10, "qlora"),
    "every weight": (LLAMA_3_3B, 80, "full"),
    "prefix": (LLAMA_3_3B, 24, "prefix"),
    "IA3": (LLAMA_3_3B, 24, "ia3"),
}


def draft(model, method: str | None, **edits: Fact) -> Draft:
    known = data(1000, longest=512)
    return Draft(name="mine", profile="chatbot", model=model, data=known, method=method, edits=edits)


def applied(wanted: Draft, gpu: float, title: str, made: Plan) -> Plan:
    other = next(each for each in made.alternatives if each.title == title)
    edits = {**wanted.edits, **{value.name: value.value for value in made.values if _kept(value, made)}, **other.edits}
    changed = msgspec.structs.replace(wanted, method=other.method or wanted.method, edits=edits)
    return plan(changed, machine(gpu))


def _kept(value, made: Plan) -> bool:
    return value.name in ("micro_batch", "gradient_checkpointing", "validate_every")


@pytest.mark.parametrize(("model", "gpu", "method"), CASES.values(), ids=CASES)
def test_there_is_a_faster_and_a_smaller_plan_and_each_says_what_it_costs(model, gpu: float, method) -> None:
    made = plan(draft(model, method), machine(gpu))
    kinds = [each.kind for each in made.alternatives]
    assert "faster" in kinds and "smaller" in kinds
    for each in made.alternatives:
        assert each.title and each.quality and (each.edits or each.method)
        assert each.seconds < 0 if each.kind == "faster" else each.memory_bytes < 0


@pytest.mark.parametrize(("model", "gpu", "method"), CASES.values(), ids=CASES)
def test_the_differences_are_those_of_the_plan_that_follows(model, gpu: float, method) -> None:
    wanted = draft(model, method)
    made = plan(wanted, machine(gpu))
    for each in made.alternatives:
        if each.method not in ("", method_name(made.method)) or {"max_length", "epochs"} & {*each.edits}:
            continue  # other values follow from these
        then = applied(wanted, gpu, each.title, made).estimate
        assert then.memory_peak - made.estimate.memory_peak == pytest.approx(each.memory_bytes, abs=1e6)
        assert then.seconds - made.estimate.seconds == pytest.approx(each.seconds, rel=1e-6, abs=1e-6)


def test_what_the_user_set_is_left_alone_while_anything_else_helps() -> None:
    made = plan(draft(STARTER, None, epochs=6), machine())
    assert not any("epochs" in each.edits for each in made.alternatives)


def test_what_would_not_fit_is_no_faster_plan() -> None:
    made = plan(draft(LLAMA_3_8B, None), machine(24))
    assert made.estimate.fits and all(each.fits for each in made.alternatives if each.kind == "faster")
