"""The watch as a whole: what it tells, when, and that neither an interruption nor a roll-back confuses it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.monitor.anomaly import Anomaly, Kind, Level
from engine.monitor.observation import Observation
from engine.monitor.watch import Watch, WatchState
from tests.monitor.curves import alarms
from tests.monitor.generated import SICKNESSES, healthy, sick


def told(observations: Iterable[Observation]) -> list[Anomaly]:
    """Everything that one watch says of them."""
    watch = Watch()
    return [anomaly for seen in observations for anomaly in watch.see(seen)]


def steady(steps: int, level: float = 2.0, gradient_norm: float | None = None) -> list[Observation]:
    """A run that learns slowly, with little noise."""
    dice = random.Random(0)
    return [
        Observation(
            step=i + 1, loss=level * (0.5 + 0.5 * math.exp(-i / 40)) + dice.gauss(0, 0.02), gradient_norm=gradient_norm
        )
        for i in range(steps)
    ]


@pytest.mark.parametrize("kind", SICKNESSES)
def test_a_sickness_is_found_told_once_and_explained(kind: str) -> None:
    found = [anomaly for anomaly in told(sick(kind, 7).observations()) if anomaly.name == kind]
    assert len([anomaly for anomaly in found if not anomaly.persists]) == 1
    anomaly = found[0]
    assert anomaly.began <= anomaly.step
    assert 2 <= len(anomaly.actions) <= 3
    assert anomaly.evidence and all(math.isfinite(each.value) for each in anomaly.evidence)
    assert any(digit in anomaly.what for digit in "0123456789")
    assert anomaly.what.endswith(".") and anomaly.why.endswith(".")


@pytest.mark.parametrize("seed", range(40))
def test_a_healthy_curve_raises_nothing(seed: int) -> None:
    assert alarms(healthy(9_000 + seed, steps=200)) == {}


@given(
    kind=st.sampled_from(["healthy", *SICKNESSES]),
    seed=st.integers(0, 10_000),
    cuts=st.sets(st.integers(1, 399), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_cutting_a_run_anywhere_and_going_on_gives_the_same_anomalies(kind: str, seed: int, cuts: set[int]) -> None:
    curve = healthy(seed) if kind == "healthy" else sick(kind, seed)
    watch, found = Watch(), list[Anomaly]()
    for seen in curve.observations():
        if seen.step in cuts:
            kept = msgspec.json.encode(watch.state())
            watch = Watch.restored(msgspec.json.decode(kept, type=WatchState))
        found += watch.see(seen)
    assert found == told(curve.observations())


def test_what_a_watch_remembers_stays_small() -> None:
    watch = Watch()
    for seen in sick("thermal-throttling", 1).observations():
        watch.see(seen)
    for step in range(1000, 4000):
        watch.see(Observation(step=step, loss=1.0 + step % 7, gradient_norm=1.0, memory_bytes=1e9, validation_loss=2.0))
    assert len(msgspec.json.encode(watch.state())) < 8_000


def test_a_roll_back_with_the_checkpoints_state_is_judged_like_the_first_time() -> None:
    curve = list(sick("divergence", 3).observations())
    watch, states = Watch(), {}
    first: list[Anomaly] = []
    for seen in curve:
        states[seen.step] = watch.state()
        first += [each for each in watch.see(seen) if each.name == Kind.DIVERGENCE]
    again = Watch.restored(states[first[0].began])
    second = [each for seen in curve[first[0].began - 1 :] for each in again.see(seen) if each.name == Kind.DIVERGENCE]
    assert second == first


def test_after_a_roll_back_without_a_state_nothing_from_the_time_taken_back_is_compared_with() -> None:
    watch = Watch()
    for seen in steady(100, level=0.5):
        watch.see(seen)
    assert [each for seen in steady(100, level=2.5) for each in watch.see(seen)] == []


class TestDivergence:
    def test_begins_at_its_best_step_so_that_a_stable_checkpoint_can_be_told(self) -> None:
        falling = steady(100)
        climbing = [Observation(step=100 + i, loss=1.1 + 0.05 * i) for i in range(1, 60)]
        (anomaly,) = told([*falling, *climbing])
        assert (anomaly.name, anomaly.level, anomaly.recovers) == (Kind.DIVERGENCE, Level.SERIOUS, True)
        assert 60 <= anomaly.began <= 104 < anomaly.step

    def test_one_spike_is_none(self) -> None:
        run = steady(100)
        run[60] = Observation(step=61, loss=12.0)
        assert told(run) == []

    def test_six_hard_steps_in_a_row_are_none(self) -> None:
        run = steady(100)
        run[60:66] = [msgspec.structs.replace(seen, loss=4.0) for seen in run[60:66]]
        assert told(run) == []

    def test_is_found_within_twenty_steps_of_a_short_run(self) -> None:
        losses = [3.0, 2.9, 3.1, 3.4, 4.0, 4.6, 5.2, 5.5, 6.0, 6.2, 6.4, 6.3, 6.5, 6.4, 6.6, 6.5, 6.7, 6.6, 6.6, 6.7]
        (anomaly,) = told(Observation(step=i, loss=loss) for i, loss in enumerate(losses, 1))
        assert anomaly.name == Kind.DIVERGENCE


class TestNonFinite:
    @pytest.mark.parametrize("bad", ["loss", "gradient_norm"])
    def test_one_step_is_told_and_a_third_in_a_row_insists(self, bad: str) -> None:
        run = steady(60, gradient_norm=1.0)
        run[30:34] = [msgspec.structs.replace(seen, **{bad: math.nan}) for seen in run[30:34]]
        assert [(each.step, each.persists) for each in told(run)] == [(31, False), (33, True)]
        assert {each.began for each in told(run)} == {30}

    def test_now_and_then_insists_at_the_sixth_of_twenty(self) -> None:
        run = steady(60, gradient_norm=1.0)
        for i in range(20, 40, 3):
            run[i] = msgspec.structs.replace(run[i], loss=math.inf)
        assert [(each.step, each.persists) for each in told(run)] == [(21, False), (36, True)]

    def test_a_step_without_a_gradient_norm_is_sound(self) -> None:
        assert told(steady(30)) == []


class TestExplosion:
    def run(self, at: dict[int, float]) -> list[Observation]:
        return [msgspec.structs.replace(seen, gradient_norm=at.get(seen.step, 1.0)) for seen in steady(80)]

    def test_is_told_at_the_step_and_insists_when_it_goes_on(self) -> None:
        found = told(self.run({50: 100.0, 51: 100.0, 52: 100.0}))
        assert [(each.step, each.began, each.persists) for each in found] == [(50, 49, False), (52, 49, True)]

    def test_the_limit_lies_between_the_usual_and_the_explosion(self) -> None:
        watch = Watch()
        assert watch.gradient_limit() is None
        for seen in self.run({}):
            watch.see(seen)
        limit = watch.gradient_limit()
        assert limit is not None and 5.0 < limit < 30.0

    def test_a_new_range_that_stays_becomes_usual(self) -> None:
        found = told(self.run(dict.fromkeys(range(40, 81), 50.0)))
        assert [each.step for each in found] == [40, 42]
        watch = Watch()
        for seen in self.run(dict.fromkeys(range(40, 81), 50.0)):
            watch.see(seen)
        assert (watch.gradient_limit() or 0) > 100

    def test_tiny_gradients_of_a_converged_run_may_jump(self) -> None:
        norms = {step: 2.0 * math.exp(-step / 4) for step in range(1, 81)} | {70: 0.05}
        assert told(self.run(norms)) == []


class TestOverfitting:
    def run(self, validations: list[float], training: float) -> list[Observation]:
        """A validation every ten steps; the training loss goes from 2 to `training` by then."""
        steps = 10 * len(validations)
        return [
            Observation(
                step=i,
                loss=2.0 + (training - 2.0) * i / steps,
                validation_loss=validations[i // 10 - 1] if i % 10 == 0 else None,
            )
            for i in range(1, steps + 1)
        ]

    def test_begins_at_the_best_validation(self) -> None:
        (anomaly,) = told(self.run([2.1, 1.8, 1.6, 1.5, 1.6, 1.7, 1.85], training=0.3))
        assert (anomaly.name, anomaly.began) == (Kind.OVERFITTING, 40)

    @pytest.mark.parametrize(
        ("validations", "training"),
        [
            pytest.param([2.1, 1.8, 1.6, 1.5, 1.51, 1.505, 1.515, 1.51], 0.5, id="late rises within one per cent"),
            pytest.param([2.1, 1.8, 1.6, 1.5, 1.6, 1.7, 1.85], 2.3, id="training rises as well"),
            pytest.param([2.1, 1.9, 2.0, 1.7, 1.8, 1.55, 1.65, 1.4, 1.5], 0.5, id="noise around a fall"),
            pytest.param([2.0, 1.7, 1.9, 1.6, 1.8, 1.5, 1.62, 1.6, 1.63], 0.5, id="three high ones within the noise"),
        ],
    )
    def test_is_not_told_of(self, validations: list[float], training: float) -> None:
        assert Kind.OVERFITTING not in {each.name for each in told(self.run(validations, training))}


class TestPlateau:
    def run(self, losses: list[float], rates: list[float]) -> list[Anomaly]:
        dice = random.Random(1)
        return told(
            Observation(step=i, loss=loss + dice.gauss(0, 0.02), learning_rate=rate)
            for i, (loss, rate) in enumerate(zip(losses, rates, strict=True), 1)
        )

    def test_a_loss_that_stays_where_it_began_is_one(self) -> None:
        assert [each.name for each in self.run([2.0] * 200, [1e-4] * 200)] == [Kind.PLATEAU]

    @pytest.mark.parametrize(
        ("losses", "rates"),
        [
            pytest.param([1 + math.exp(-i / 10) for i in range(300)], [1e-4] * 300, id="a flat end after learning"),
            pytest.param([2.0] * 200, [1e-4] * 40 + [1e-6] * 160, id="the rate has decayed"),
            pytest.param([2.0 - 0.001 * i for i in range(300)], [1e-4] * 300, id="slow but steady"),
            pytest.param([2.0] * 60, [1e-4] * 60, id="too early to tell"),
        ],
    )
    def test_is_not_told_of(self, losses: list[float], rates: list[float]) -> None:
        assert self.run(losses, rates) == []


class TestDeadAdapter:
    def test_a_norm_that_stands_still_is_one(self) -> None:
        run = [Observation(step=i, loss=2.0 + i % 3 / 50, adapter_norm=7.0, gradient_norm=1.0) for i in range(1, 40)]
        (anomaly,) = told(run)
        assert (anomaly.name, anomaly.step) == (Kind.DEAD_ADAPTER, 21)

    def test_gradients_of_zero_are_one_although_weight_decay_moves_the_norm(self) -> None:
        run = [
            Observation(step=i, loss=2.0 + i % 3 / 50, adapter_norm=7.0 * 0.9999**i, gradient_norm=0.0)
            for i in range(1, 40)
        ]
        assert [each.name for each in told(run)] == [Kind.DEAD_ADAPTER]

    def test_weights_that_rest_while_the_rate_is_near_zero_are_none(self) -> None:
        moving = [
            Observation(step=i, loss=2.0 - i / 50, adapter_norm=7.0 + i / 100, learning_rate=1e-3) for i in range(1, 60)
        ]
        resting = [Observation(step=60 + i, loss=0.8, adapter_norm=7.6, learning_rate=1e-6) for i in range(60)]
        assert told([*moving, *resting]) == []

    def test_it_is_over_once_the_weights_move(self) -> None:
        still = [Observation(step=i, loss=2.0, adapter_norm=7.0) for i in range(1, 40)]
        moved = [Observation(step=40, loss=2.0, adapter_norm=7.1)]
        again = [Observation(step=i, loss=2.0, adapter_norm=7.1) for i in range(41, 80)]
        assert len(told([*still, *moved, *again])) == 2


class TestMachine:
    def run(self, steps: int = 200, **columns: list[float]) -> list[Anomaly]:
        return told(
            msgspec.structs.replace(seen, **{name: values[i] for name, values in columns.items()})
            for i, seen in enumerate(steady(steps))
        )

    def test_a_slow_stretch_is_told_when_it_lasts_ten_seconds(self) -> None:
        speed = [1000.0] * 60 + [200.0] * 140
        short, long = [0.05] * 200, [2.0] * 200
        assert [each.name for each in self.run(tokens_per_second=speed, step_seconds=long)] == ["throughput-collapse"]
        assert self.run(100, tokens_per_second=speed, step_seconds=short) == []

    def test_a_slow_stretch_is_told_again_after_a_recovery(self) -> None:
        speed = ([1000.0] * 50 + [200.0] * 50) * 2
        assert [each.name for each in self.run(tokens_per_second=speed)] == ["throughput-collapse"] * 2

    def test_memory_over_ninety_per_cent_is_told_once_while_it_hovers(self) -> None:
        used = [50.0] * 50 + [93.0, 93.0, 93.0, 89.0] * 30 + [50.0] * 30
        (anomaly,) = self.run(memory_bytes=used, memory_limit=[100.0] * 200)
        assert (anomaly.name, anomaly.recovers) == (Kind.MEMORY_FULL, True)

    def test_memory_that_fills_and_levels_off_does_not_creep(self) -> None:
        used = [4e9 - 2e9 * math.exp(-i / 30) for i in range(200)]
        assert self.run(memory_bytes=used) == []

    def test_memory_that_leaks_is_told_with_the_steps_that_are_left(self) -> None:
        used = [2e9 + 1e7 * i for i in range(200)]
        (anomaly,) = self.run(memory_bytes=used, memory_limit=[8e9] * 200)
        left = {each.label: each.value for each in anomaly.evidence}["full in"]
        assert anomaly.name == Kind.MEMORY_CREEP
        assert left == pytest.approx((8e9 - used[80]) / 1e7, abs=15)

    def test_memory_that_is_read_at_every_tenth_step_only_is_counted_in_steps_all_the_same(self) -> None:
        run = [
            msgspec.structs.replace(seen, memory_bytes=2e9 + 1e6 * seen.step if seen.step % 10 == 0 else None)
            for seen in steady(1000)
        ]
        (anomaly,) = told(run)
        growth = {each.label: each.value for each in anomaly.evidence}["growth"]
        assert (anomaly.name, growth) == (Kind.MEMORY_CREEP, pytest.approx(1e6, rel=0.02))

    def test_waiting_for_rows_is_told(self) -> None:
        assert [each.name for each in self.run(data_wait_share=[0.02] * 50 + [0.6] * 150)] == [Kind.DATA_STARVATION]

    def test_a_cool_gpu_that_lowers_its_clock_does_not_throttle_for_heat(self) -> None:
        clock = [0.95] * 60 + [0.5] * 140
        assert self.run(gpu_temperature=[60.0] * 200, gpu_clock_share=clock) == []
        hot = [60.0] * 60 + [86.0] * 140
        assert [each.name for each in self.run(gpu_temperature=hot, gpu_clock_share=clock)] == [Kind.THERMAL_THROTTLING]

    def test_what_the_driver_says_is_enough(self) -> None:
        run = [msgspec.structs.replace(seen, gpu_throttled=seen.step > 50) for seen in steady(100)]
        assert [each.name for each in told(run)] == [Kind.THERMAL_THROTTLING]


def test_a_battery_that_runs_down_is_told_once_and_again_after_it_was_plugged_in() -> None:
    charge = [0.5, None, 0.16, 0.15, 0.14, None, 0.2, 0.13, 1.0, None, 0.12]
    run = [msgspec.structs.replace(seen, battery=left) for seen, left in zip(steady(len(charge)), charge, strict=True)]
    found = told(run)
    assert [(each.name, each.step) for each in found] == [(Kind.BATTERY_LOW, 4), (Kind.BATTERY_LOW, 11)]
    assert "15 %" in found[0].what.replace("15%", "15 %") and len(found[0].actions) >= 2
