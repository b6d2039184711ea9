"""Time, energy and disk; corrections by measured steps; how an estimate is scored afterwards."""

from __future__ import annotations

import msgspec
import pytest

from engine.core.errors import PlanError
from engine.plan.calibration import Calibration, calibrate
from engine.plan.costs import Tariff
from engine.plan.devices import devices, imagined
from engine.plan.estimate import Estimate, Job, estimate, score
from engine.plan.models import BaseModel
from engine.spec.methods import Full, Method
from engine.spec.objectives import Dpo, Kto, Orpo
from tests.plan.facts import LLAMA_3_3B, LLAMA_3_8B, STARTER, data, machine
from tests.plan.made import dora, lora, qlora, training


def made(model: BaseModel = STARTER, method: Method | None = None, **changes: object) -> Estimate:
    job = Job(
        model=model,
        data=data(3840),
        method=method or lora(),
        training=training(16, precision="fp32", checkpointing=False),
        hardware=machine(),
        total_steps=240,
    )
    return estimate(msgspec.structs.replace(job, **changes))


def test_time_grows_with_work_and_every_part_says_why() -> None:
    fast, slow = made(data=data(), total_steps=24), made()
    assert fast.seconds < slow.seconds < made(method=Full()).seconds and slow.tokens_per_second > 1000
    for part in (*slow.memory.components, *slow.time, *slow.disk):
        assert part.reason and part.title and part.amount >= 0
    assert sum(part.amount for part in slow.time) == pytest.approx(slow.seconds)
    assert sum(part.amount for part in slow.memory) == pytest.approx(slow.memory_peak, abs=1)


@pytest.mark.parametrize(
    ("method", "factor"), [(dora(), 1.26), (qlora(), 1.28), (qlora(form="int8"), 1.6)], ids=["DoRA", "QLoRA", "int8"]
)
def test_slower_methods_take_the_published_factor_longer(method: Method, factor: float) -> None:
    rows = msgspec.structs.replace(data(1000, longest=1024), tokens=1_024_000, trained_tokens=512_000)
    on = {"hardware": machine(80, name="NVIDIA A100-SXM4-80GB"), "training": training(4), "data": rows}
    plain, other = made(LLAMA_3_8B, lora(), **on), made(LLAMA_3_8B, method, **on)
    assert other.time[2].amount / plain.time[2].amount == pytest.approx(factor, rel=0.05)


PUBLISHED_SPEEDS = [  # tokens a second: LLaMA-Factory's wiki (plain, Unsloth); torchtune's README (compiled)
    pytest.param("NVIDIA A100-SXM4-40GB", 2_392, 4_007, id="LoRA on A100"),
    pytest.param("NVIDIA GeForce RTX 4090", 1_200, 3_083, id="LoRA on RTX 4090"),
]


@pytest.mark.parametrize(("name", "slowest", "fastest"), PUBLISHED_SPEEDS)
def test_speeds_are_those_that_were_published(name: str, slowest: float, fastest: float) -> None:
    rows = data(1000, longest=1024)
    rows = msgspec.structs.replace(rows, tokens=1_024_000, trained_tokens=1_024_000)
    numbers = training(4, 1024, batch=8)
    found = made(LLAMA_3_8B, data=rows, training=numbers, hardware=machine(40, name=name), total_steps=125)
    assert slowest * 0.6 < found.tokens_per_second < fastest * 1.2
    assert found.confidence == "medium"


def test_a_card_without_a_data_sheet_is_guessed_and_said() -> None:
    unknown = made(LLAMA_3_8B, hardware=machine(24, name="A New Card"))
    assert unknown.confidence == "low" and "guessed" in unknown.confidence_reason


def test_a_reference_pass_costs_time_only_where_it_is_needed() -> None:
    pairs = msgspec.structs.replace(data(3840), layout="pairs")
    dpo, orpo = (made(data=pairs, objective=each) for each in (Dpo(beta=0.1, label_smoothing=0.0), Orpo(weight=0.1)))
    rated = msgspec.structs.replace(data(3840), layout="rated")
    kto = made(data=rated, objective=Kto(beta=0.1, good_weight=1.0, bad_weight=1.0))
    reference = [part.amount for each in (kto, dpo, orpo, made()) for part in each.time if part.name == "reference"]
    assert reference[0] == pytest.approx(2 * reference[1]) and reference[1] > 0 == reference[2] == reference[3]
    assert kto.time[2].amount > made().time[2].amount


def test_measured_steps_correct_the_estimate_and_narrow_it() -> None:
    probe = calibrate(step_seconds=0.3, predicted_seconds=0.2, peak=1.1e9, predicted_peak=1e9, steps=2)
    assert (probe.seconds, probe.memory, probe.steps) == (pytest.approx(1.5), pytest.approx(1.1), 2)
    guess, known = made(), made(calibration=probe)
    assert known.time[2].amount == pytest.approx(1.5 * guess.time[2].amount)
    assert known.memory_peak == pytest.approx(1.1 * guess.memory_peak, rel=1e-6)
    assert known.seconds_max / known.seconds_min < 0.6 * guess.seconds_max / guess.seconds_min
    assert known.memory_high / known.memory_low < guess.memory_high / guess.memory_low
    assert known.confidence == "high" and known.calibrated and "2 steps" in known.confidence_reason
    assert sum(part.amount for part in known.memory) == pytest.approx(known.memory_peak, abs=1)


def test_measurements_of_other_runs_leave_the_range_wider_but_never_wider_than_none() -> None:
    probe = Calibration(seconds=1.0, memory=1.0, steps=20)
    near, apart, absurd = (
        msgspec.structs.replace(probe, seconds_spread=spread, memory_spread=spread) for spread in (1.2, 2.0, 100.0)
    )
    widths = [
        (found.seconds_max / found.seconds_min, found.memory_high / found.memory_low, found.confidence)
        for found in (made(calibration=each) for each in (probe, near, apart, absurd))
    ]
    assert widths[0] < widths[1] < widths[2] <= widths[3]
    assert [confidence for *_, confidence in widths] == ["high", "high", "medium", "medium"]
    guess = made()
    assert made(calibration=absurd).seconds_max == pytest.approx(guess.seconds_max)
    assert widths[3][1] == pytest.approx(guess.memory_high / guess.memory_low)


def test_what_was_not_measured_is_left_alone() -> None:
    assert calibrate(0.0, 0.2, 0.0, 1e9, 2) == Calibration(seconds=1.0, memory=1.0, steps=2)


def test_an_estimate_is_scored_against_what_happened() -> None:
    guess = made()
    exact = score(guess, guess.seconds, guess.memory_peak)
    assert exact.seconds_error == exact.memory_error == 0 and exact.seconds_held and exact.memory_held
    missed = score(guess, guess.seconds * 4, guess.memory_peak * 2)
    assert missed.seconds_error == pytest.approx(-0.75) and missed.memory_error == pytest.approx(-0.5)
    assert not missed.seconds_held and not missed.memory_held and "75% below" in missed.words
    with pytest.raises(ValueError, match="takes time"):
        score(guess, 0, 1)


def test_electricity_and_carbon_follow_the_tariff() -> None:
    usual = made().energy
    mine = made(tariff=Tariff(price=0.60, currency="EUR", carbon_grams=100, own=True)).energy
    assert usual.kwh == mine.kwh == pytest.approx(usual.watts * made().seconds / 3.6e6)
    assert mine.cost == pytest.approx(2 * usual.cost) and mine.currency == "EUR"
    assert mine.carbon_grams == pytest.approx(mine.kwh * 100)
    assert "assumed" in usual.reason and "your price" in mine.reason
    assert made(LLAMA_3_3B, hardware=machine(24), training=training(4)).energy.watts > 300


def test_disk_holds_the_checkpoints_and_the_result() -> None:
    few, many = (made(training=msgspec.structs.replace(training(16), keep_checkpoints=kept)) for kept in (1, 5))
    assert many.disk_bytes - few.disk_bytes == 4 * 12 * few.trainable


def test_a_device_that_is_not_here_is_found_by_name_or_memory() -> None:
    assert len(devices()) >= 20
    named = imagined("rtx 4090", None).gpu
    assert named is not None and (named.memory_total, named.capability) == (24 * 10**9, 8.9)
    other = imagined("", 80e9).gpu
    assert other is not None and other.memory_total == 80 * 10**9
    with pytest.raises(PlanError) as caught:
        imagined("RTX 4091x", None)
    assert "RTX 4090" in caught.value.card.actions[0].label or "RTX 4090" in caught.value.card.why
