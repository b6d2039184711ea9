"""What a run does about an anomaly, under each policy, and that it never does it for ever."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.monitor.anomaly import Anomaly, Kind, Level, action
from engine.monitor.machine import out_of_memory
from engine.monitor.recovery import (
    MOST_ROLL_BACKS,
    MOST_STEPS_LEFT_OUT,
    Clip,
    GoOn,
    HalveMicroBatch,
    LeaveOut,
    LowerRate,
    Pause,
    Policy,
    Propose,
    Remedy,
    RollBack,
    Situation,
    Tried,
    UseCheckpointing,
    decide,
)

RECOVERING = (Kind.NON_FINITE, Kind.EXPLOSION, Kind.DIVERGENCE, Kind.OUT_OF_MEMORY, Kind.MEMORY_FULL)


def anomaly(kind: Kind, step: int = 100, began: int = 60, persists: bool = False) -> Anomaly:
    return Anomaly(
        name=kind,
        level=Level.SERIOUS,
        step=step,
        began=began,
        what=f"Something at step {step}.",
        why="For a reason.",
        evidence=(),
        actions=(action("Look at it."), action("Stop it.")),
        recovers=kind in RECOVERING,
        persists=persists,
    )


NOW = Situation(
    checkpoints=(0, 40, 80), micro_batch=8, checkpointing=False, quantized=False, learning_rate=1e-3, gradient_limit=5.0
)


def with_(**changes: object) -> Situation:
    return msgspec.structs.replace(NOW, **changes)


class TestAutomatic:
    def test_a_divergence_goes_back_to_before_it_began_not_to_the_newest_checkpoint(self) -> None:
        remedy = decide("automatic", anomaly(Kind.DIVERGENCE), NOW)
        assert isinstance(remedy, RollBack)
        assert (remedy.step, remedy.rate_factor) == (40, 0.5)

    def test_the_rate_is_halved_again_each_time(self) -> None:
        remedy = decide("automatic", anomaly(Kind.DIVERGENCE), with_(rate_factor=0.5, tried=Tried(roll_backs=1)))
        assert isinstance(remedy, RollBack) and remedy.rate_factor == 0.25

    def test_after_three_roll_backs_a_person_is_asked(self) -> None:
        remedy = decide("automatic", anomaly(Kind.DIVERGENCE), with_(tried=Tried(roll_backs=MOST_ROLL_BACKS)))
        assert isinstance(remedy, Pause)
        assert remedy.roll_back_to == 40
        assert remedy.changes[0].setting == "learning_rate" and remedy.changes[0].value == 5e-4
        assert 1 <= len(remedy.proposal.actions) <= 3

    def test_a_rate_of_a_sixteenth_is_the_lowest(self) -> None:
        assert isinstance(decide("automatic", anomaly(Kind.DIVERGENCE), with_(rate_factor=1 / 16)), Pause)

    def test_a_divergence_without_a_stable_checkpoint_pauses_since_the_weights_are_spoiled(self) -> None:
        assert isinstance(decide("automatic", anomaly(Kind.DIVERGENCE), with_(checkpoints=(80,))), Pause)

    def test_one_explosion_is_cut_to_what_is_usual(self) -> None:
        remedy = decide("automatic", anomaly(Kind.EXPLOSION), NOW)
        assert isinstance(remedy, Clip) and remedy.limit == 5.0

    def test_an_explosion_that_goes_on_rolls_back(self) -> None:
        assert isinstance(decide("automatic", anomaly(Kind.EXPLOSION, persists=True), NOW), RollBack)

    def test_one_step_without_a_number_is_left_out_and_a_row_of_them_rolls_back(self) -> None:
        assert decide("automatic", anomaly(Kind.NON_FINITE), NOW) == LeaveOut(
            100, "Step 100 was left out; the weights stay as they were before it."
        )
        assert isinstance(decide("automatic", anomaly(Kind.NON_FINITE, persists=True), NOW), RollBack)

    def test_without_a_checkpoint_left_out_steps_only_need_a_lower_rate(self) -> None:
        remedy = decide("automatic", anomaly(Kind.NON_FINITE, persists=True), with_(checkpoints=()))
        assert isinstance(remedy, LowerRate) and remedy.factor == 0.5

    def test_the_tenth_step_left_out_is_the_last(self) -> None:
        now = with_(tried=Tried(left_out=MOST_STEPS_LEFT_OUT))
        assert isinstance(decide("automatic", anomaly(Kind.EXPLOSION), now), RollBack)

    def test_memory_is_made_room_for_step_by_step(self) -> None:
        short = out_of_memory(100, 8)
        assert decide("automatic", short, NOW) == HalveMicroBatch(
            4, "At most 4 rows are computed at once now. What is learned stays the same."
        )
        assert isinstance(decide("automatic", short, with_(micro_batch=1)), UseCheckpointing)
        last = decide("automatic", short, with_(micro_batch=1, checkpointing=True))
        assert isinstance(last, Pause) and last.changes[0].value == "qlora"

    def test_nearly_full_memory_at_its_least_is_only_proposed_about(self) -> None:
        now = with_(micro_batch=1, checkpointing=True, quantized=True)
        remedy = decide("automatic", anomaly(Kind.MEMORY_FULL), now)
        assert isinstance(remedy, Propose) and remedy.changes == ()

    def test_a_run_on_an_empty_battery_is_saved_and_waits(self) -> None:
        remedy = decide("automatic", anomaly(Kind.BATTERY_LOW), NOW)
        assert isinstance(remedy, Pause) and remedy.roll_back_to is None and not remedy.changes

    @pytest.mark.parametrize(
        "kind", [Kind.PLATEAU, Kind.OVERFITTING, Kind.MEMORY_CREEP, Kind.THROUGHPUT_COLLAPSE, Kind.THERMAL_THROTTLING]
    )
    def test_what_does_not_spoil_the_run_is_proposed_while_it_goes_on(self, kind: Kind) -> None:
        assert isinstance(decide("automatic", anomaly(kind), NOW), Propose)


class TestAsk:
    @pytest.mark.parametrize("kind", [Kind.DIVERGENCE, Kind.DEAD_ADAPTER, Kind.BATTERY_LOW])
    def test_pauses_and_proposes(self, kind: Kind) -> None:
        assert isinstance(decide("ask", anomaly(kind), NOW), Pause)

    def test_still_answers_memory_that_ran_out_since_the_step_cannot_be_computed(self) -> None:
        assert isinstance(decide("ask", out_of_memory(5, 8), NOW), HalveMicroBatch)

    def test_only_proposes_about_memory_that_is_nearly_full(self) -> None:
        assert isinstance(decide("ask", anomaly(Kind.MEMORY_FULL), NOW), Propose)


class TestObserve:
    @pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.NON_FINITE, Kind.OUT_OF_MEMORY)])
    def test_changes_nothing(self, kind: Kind) -> None:
        assert isinstance(decide("observe", anomaly(kind, persists=True), NOW), GoOn)

    def test_a_step_without_a_number_cannot_be_taken(self) -> None:
        assert isinstance(decide("observe", anomaly(Kind.NON_FINITE), NOW), LeaveOut)
        assert isinstance(decide("observe", anomaly(Kind.NON_FINITE, persists=True), NOW), Pause)


def carried_out(now: Situation, remedy: Remedy) -> Situation:
    """The situation after the worker did what it was told."""
    now = msgspec.structs.replace(now, tried=now.tried.after(remedy))
    match remedy:
        case RollBack(rate_factor=factor) | LowerRate(factor=factor):
            return msgspec.structs.replace(now, rate_factor=factor)
        case HalveMicroBatch(micro_batch=rows):
            return msgspec.structs.replace(now, micro_batch=rows)
        case UseCheckpointing():
            return msgspec.structs.replace(now, checkpointing=True)
        case _:
            return now


@given(
    policy=st.sampled_from(get_args(Policy)),
    kinds=st.lists(st.tuples(st.sampled_from(RECOVERING), st.booleans()), min_size=1, max_size=12),
    checkpoints=st.sets(st.sampled_from([0, 20, 40, 80])),
    micro_batch=st.integers(1, 64),
)
def test_whatever_goes_wrong_again_and_again_no_run_heals_for_ever(
    policy: Policy, kinds: list[tuple[Kind, bool]], checkpoints: set[int], micro_batch: int
) -> None:
    now = with_(checkpoints=tuple(sorted(checkpoints)), micro_batch=micro_batch)
    healing = (RollBack, LowerRate, LeaveOut, Clip, HalveMicroBatch, UseCheckpointing)
    count = 0
    for kind, persists in kinds * 40:
        remedy = decide(policy, anomaly(kind, persists=persists), now)
        assert remedy.reason.endswith(".")
        if isinstance(remedy, Pause):
            assert remedy.proposal.actions
            return
        count += isinstance(remedy, healing) and not (policy == "observe" and isinstance(remedy, LeaveOut))
        now = carried_out(now, remedy)
    assert count <= 100
    assert now.tried.roll_backs <= MOST_ROLL_BACKS


@given(rates=st.integers(1, 20))
def test_a_roll_back_never_goes_to_a_checkpoint_from_the_bad_time(rates: int) -> None:
    now = with_(checkpoints=tuple(range(0, 100, rates)))
    remedy = decide("automatic", anomaly(Kind.DIVERGENCE, began=33), now)
    assert isinstance(remedy, RollBack) and 33 - rates < remedy.step <= 33
