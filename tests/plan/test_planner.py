"""A plan is complete, explained, within every limit, and leaves alone what the user set."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.errors import PlanError
from engine.data.nouns import SCHEMAS
from engine.plan.edits import check_edits, settings_for
from engine.plan.hardware import Hardware
from engine.plan.methods import TABLE as METHODS
from engine.plan.models import BaseModel
from engine.plan.planner import Draft, Plan, plan, to_spec
from engine.plan.profiles import profile_for, profiles
from engine.plan.sharing import SHARDED
from engine.spec.methods import Full, Lora, Qlora, method_name
from engine.spec.runspec import Training, TrainJob
from tests.plan.facts import LLAMA_3_3B, LLAMA_3_8B, LLAMA_3_70B, STARTER, data, machine


def draft(model: BaseModel = STARTER, **changes: object) -> Draft:
    return msgspec.structs.replace(Draft(name="mine", profile="customer-support", model=model, data=data()), **changes)


def reason_of(made: Plan, name: str) -> str:
    return next(each.reason for each in made.values if each.name == name)


def numbers(made: Plan, name: str) -> object:
    return next(each.value for each in made.values if each.name == name)


@settings(max_examples=150, deadline=None)
@given(
    model=some.sampled_from([STARTER, LLAMA_3_3B, LLAMA_3_8B, LLAMA_3_70B]),
    rows=some.integers(1, 2_000_000),
    longest=some.integers(1, 512),
    gpu=some.sampled_from([0, 4, 8, 24, 80]),
    method=some.sampled_from([None, *METHODS]),
    profile=some.sampled_from([each.id for each in profiles()]),
)
def test_every_plan_is_complete_explained_and_within_limits(model, rows, longest, gpu, method, profile) -> None:
    made = plan(draft(model, data=data(rows, longest=longest), method=method, profile=profile), machine(gpu))
    fields = {"method", "objective", "processes", *Training.__struct_fields__, *type(made.method).__struct_fields__}
    assert {each.name for each in made.values} == fields
    assert all(each.reason.strip() and each.source for each in made.values)
    assert msgspec.convert(msgspec.to_builtins(made.training), Training) == made.training
    assert made.total_steps == made.training.epochs * math.ceil(rows / made.training.batch_size)
    assert made.training.micro_batch <= made.training.batch_size
    assert made.training.warmup_steps <= max(1, made.total_steps // 5)
    assert made.estimate.memory_low <= made.estimate.memory_peak <= made.estimate.memory_high
    assert made.estimate.seconds_min <= made.estimate.seconds <= made.estimate.seconds_max
    assert made.estimate.memory_peak == pytest.approx(sum(part.amount for part in made.estimate.memory), rel=1e-6)
    assert made.ready == (made.estimate.fits and made.estimate.disk_bytes <= 100e9)
    spec = to_spec(made, model.ref, data().ref("/p"), id="r1", created=1.0, threads=2)
    assert isinstance(spec.job, TrainJob) and spec.job.total_steps == made.total_steps


def test_the_starter_gets_what_a_small_model_needs() -> None:
    made = plan(draft(), machine())
    assert isinstance(made.method, Lora)
    assert (made.method.rank, made.method.alpha, made.method.targets) == (16, 32, ("all-linear",))
    assert made.training.learning_rate == pytest.approx(2e-3, rel=0.5)
    assert 6 <= made.training.epochs <= 10 and made.training.precision == "fp32"
    assert made.estimate.seconds < 90
    for name in ("validate_every", "checkpoint_every"):
        assert 10 <= made.total_steps / getattr(made.training, name) <= 20
    assert 0.05 <= made.training.warmup_steps / made.total_steps <= 0.1


def test_large_models_get_gentler_rates_and_fewer_rounds() -> None:
    small, large = plan(draft(), machine()), plan(draft(LLAMA_3_8B), machine(80))
    assert large.training.learning_rate == 2e-4 and large.training.epochs <= 3
    assert plan(draft(LLAMA_3_8B, method="full"), machine(80)).training.learning_rate == 1e-5
    assert plan(draft(data=data(100_000)), machine()).training.epochs == 1 < small.training.epochs
    assert plan(draft(LLAMA_3_3B), machine(24, capability=7.5)).training.precision == "fp16"
    assert plan(draft(LLAMA_3_3B), machine(24)).training.precision == "bf16"


def shape(made: Plan) -> tuple[str, int, bool]:
    return method_name(made.method), made.training.micro_batch, made.training.gradient_checkpointing


def test_too_little_memory_is_answered_step_by_step_and_explained() -> None:
    long = data(1000, longest=512)
    wide, tight, narrow = (plan(draft(LLAMA_3_8B, data=long), machine(gb)) for gb in (140, 24, 10))
    assert shape(wide) == ("lora", 16, False)
    assert shape(tight)[0] == "qlora" and 1 <= shape(tight)[1] < 16 and not shape(tight)[2]
    assert shape(narrow) == ("qlora", 1, True)
    assert wide.training.batch_size == tight.training.batch_size == narrow.training.batch_size
    for name in ("quantization", "micro_batch", "gradient_checkpointing"):
        assert "would need" in reason_of(narrow, name)
    assert "4 bits" in reason_of(narrow, "method") and any("4 bits" in each.what for each in narrow.findings)
    assert wide.estimate.fits and tight.estimate.fits and narrow.estimate.fits


def test_a_small_model_on_a_large_card_shrinks_the_micro_batch_before_it_loses_quality() -> None:
    made = plan(draft(LLAMA_3_8B, data=data(1000, longest=512)), machine(60))
    assert shape(made)[0] == "lora" and shape(made)[1] < 16


def test_what_cannot_fit_is_said_and_not_ready() -> None:
    made = plan(draft(LLAMA_3_70B), machine(8))
    assert not made.ready and made.findings[0].level == "problem" and "needs about" in made.findings[0].what
    assert [each.title for each in made.checks if each.state == "problem"] == ["Memory is enough"]


@settings(max_examples=60, deadline=None)
@given(
    edits=some.fixed_dictionaries(
        {},
        optional={
            "epochs": some.integers(1, 1000),
            "rank": some.integers(1, 512),
            "learning_rate": some.floats(1e-6, 0.5),
            "micro_batch": some.integers(1, 16),
            "warmup_steps": some.integers(0, 9999),
            "validate_every": some.integers(1, 999),
            "gradient_checkpointing": some.booleans(),
            "schedule": some.sampled_from(["cosine", "linear", "constant"]),
        },
    ),
    gpu=some.sampled_from([0, 6, 24]),
)
def test_what_the_user_set_is_never_changed(edits: dict[str, str | int | float | bool], gpu: int) -> None:
    for given_as in (edits, {name: str(value) for name, value in edits.items()}):
        made = plan(draft(LLAMA_3_8B, edits=given_as), machine(gpu))
        for name, value in edits.items():
            assert numbers(made, name) == value
            assert next(each.source for each in made.values if each.name == name) == "you"


def test_a_method_the_user_chose_is_kept() -> None:
    made = plan(draft(LLAMA_3_8B, method="lora"), machine(10))
    assert isinstance(made.method, Lora) and not made.estimate.fits
    assert isinstance(plan(draft(method="full"), machine()).method, Full)
    assert isinstance(plan(draft(method="qlora"), machine()).method, Qlora)


def test_alpha_follows_a_rank_set_by_hand_and_micro_batch_a_batch() -> None:
    made = plan(draft(edits={"rank": 64, "batch_size": 2}), machine())
    assert isinstance(made.method, Lora) and made.method.alpha == 128 and made.training.micro_batch == 2
    assert made.total_steps == made.training.epochs * 192


WRONG = {
    "unknown name": ({"learning_rat": 1e-4}, "learning_rate"),
    "of another method": ({"quantization": "nf4"}, "qlora"),
    "below the limit": ({"rank": 0}, "at least 1"),
    "above the limit": ({"learning_rate": 5}, "below 1"),
    "not a number": ({"epochs": "many"}, "whole number"),
    "half a round": ({"epochs": 1.5}, "whole number"),
    "not finite": ({"learning_rate": float("nan")}, "above 0"),
    "not a choice": ({"schedule": "sometimes"}, "cosine, linear, constant"),
    "not yes or no": ({"gradient_checkpointing": "maybe"}, "true or false"),
    "no layers": ({"targets": ""}, "all-linear"),
}


@pytest.mark.parametrize(("edits", "remedy"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_edit_names_the_value_the_rule_and_the_remedy(edits: dict, remedy: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(draft(edits=edits), machine())
    card = caught.value.card
    ((name, _),) = edits.items()
    assert name in card.what and remedy in " ".join(each.label for each in card.actions)


def test_all_wrong_edits_are_named_together() -> None:
    good, bad = check_edits("lora", {"rank": 0, "epochs": 2, "x": 1})
    assert good == {"epochs": 2} and [each.name for each in bad] == ["rank", "x"]
    with pytest.raises(PlanError) as caught:
        plan(draft(edits={"rank": 0, "batch_size": 0}), machine())
    assert "rank" in caught.value.card.what and "batch_size" in caught.value.card.why


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_of_a_method_can_be_edited(method) -> None:
    made = plan(draft(method=method), machine())
    for name in settings_for(method):
        value = numbers(made, name)
        edited = plan(
            draft(method=method, edits={name: ",".join(value) if isinstance(value, tuple) else value}), machine()
        )
        assert numbers(edited, name) == value


def test_another_context_length_asks_for_preparing_again() -> None:
    made = plan(draft(edits={"max_length": 256}), machine())
    assert made.needs_preparing and not made.ready
    with pytest.raises(PlanError, match="not prepared"):
        to_spec(made, STARTER.ref, data().ref("/p"), id="r", created=0.0, threads=1)
    beyond = plan(draft(edits={"max_length": 4096}), machine())
    assert any("beyond the model" in each.what for each in beyond.findings)


def facts(**changes: object):
    return msgspec.structs.replace(data(), **changes)


NOTICED = {
    "cut rows": (facts(truncated=5), {}, "are cut"),
    "dropped rows": (facts(dropped=5), {}, "left out"),
    "nothing held out": (facts(validation_rows=0, validation_tokens=0), {}, "No rows are held out"),
    "nothing to train on": (facts(trained_tokens=0), {}, "nothing to train on"),
    "endless warm-up": (data(), {"warmup_steps": 5000}, "warm-up"),
    "rank above the width": (data(), {"rank": 512}, "width"),
    "one step a round": (data(), {"batch_size": 400}, "holds all"),
}


@pytest.mark.parametrize(("known", "edits", "said"), NOTICED.values(), ids=NOTICED.keys())
def test_what_is_odd_is_noticed(known, edits: dict, said: str) -> None:
    made = plan(draft(data=known, edits=edits), machine())
    assert any(said in each.what and each.fix for each in made.findings)


def test_there_are_profiles_for_every_schema_and_an_unknown_one_is_named() -> None:
    assert len(profiles()) >= 8 and len({each.id for each in profiles()}) == len(profiles())
    for schema in SCHEMAS:
        assert schema in profile_for(schema).schemas
    assert all(each.description and each.example_input and each.example_output and each.needs for each in profiles())
    with pytest.raises(PlanError) as caught:
        plan(draft(profile="chatbott"), machine())
    assert "chatbot" in caught.value.card.actions[0].label


def test_a_full_disk_and_a_battery_are_seen_before_the_start() -> None:
    poor: Hardware = msgspec.structs.replace(machine(), disk_free=1000, on_battery=True)
    made = plan(draft(), poor)
    states = {each.title: each.state for each in made.checks}
    assert (states["Disk is enough"], states["Power"]) == ("problem", "warning") and not made.ready


def shared(processes: int, *, gpus: int = 0, method: str = "lora") -> Plan:
    here = machine(24)
    here = msgspec.structs.replace(here, gpus=here.gpus * gpus) if gpus else machine(0)
    return plan(draft(LLAMA_3_8B, method=method, edits={"processes": processes, "precision": "bf16"}), here)


@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_cards_that_share_a_run_each_hold_less_and_are_quicker(method: str) -> None:
    one, two, four = (shared(count, gpus=4, method=method) for count in (1, 2, 4))
    kept = [sum(p.amount for p in each.estimate.memory if p.name in SHARDED) for each in (one, two, four)]
    assert kept == [pytest.approx(kept[0] / count) for count in (1, 2, 4)]
    assert one.estimate.seconds > two.estimate.seconds > four.estimate.seconds
    assert two.processes == 2 and two.total_steps == one.total_steps
    assert four.training.micro_batch * 4 <= four.training.batch_size


def test_processes_on_a_processor_take_memory_and_gain_no_time() -> None:
    one, two = shared(1), shared(2)
    assert two.estimate.memory_peak > one.estimate.memory_peak
    assert two.estimate.seconds == pytest.approx(one.estimate.seconds)
    spec = to_spec(two, LLAMA_3_8B.ref, data().ref("/p"), id="r1", created=1.0, threads=4)
    assert (spec.processes, spec.threads) == (2, 2)


@pytest.mark.parametrize(("processes", "gpus", "words"), [(3, 2, "2 cards"), (99, 0, "cores"), (2, 1, "1 card.")])
def test_more_processes_than_there_are_places_are_refused(processes: int, gpus: int, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        shared(processes, gpus=gpus)
    assert words in refused.value.card.why


def test_a_number_of_processes_is_checked_like_any_setting() -> None:
    with pytest.raises(PlanError, match="Processes"):
        shared(0)
