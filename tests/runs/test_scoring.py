"""Estimates against what happened, and what later plans learn from it (requirement F10)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plan.calibration import Calibration, Score
from engine.runs.calibrating import FILE, Calibrations
from engine.runs.scoring import Scored, keep_score, scored, was_alone
from engine.runs.standing import expectation, keep_expectation
from engine.spec.records import RunState
from tests.runs.made import corrected, ended_run, expected, view

LOSSES = [1.0] * 10


def test_a_completed_run_scores_its_estimate(tmp_path: Path) -> None:
    folder = ended_run(tmp_path / "run", LOSSES, step_seconds=2.0, memory=600e6)
    keep_expectation(folder, expected())
    made = keep_score(folder, alone=True)
    assert made is not None and made == scored(folder)
    assert (made.seconds, made.peak_bytes) == (25.0, 600e6)
    assert made.score.seconds_error == pytest.approx(15 / 25 - 1) and made.score.seconds_held
    assert made.score.memory_error == pytest.approx(500 / 600 - 1) and not made.score.memory_held
    assert made.ratios == Calibration(seconds=2.0, memory=1.2, steps=10)


def test_a_correction_that_the_estimate_had_is_taken_out_again(tmp_path: Path) -> None:
    folder = ended_run(tmp_path / "run", LOSSES, step_seconds=2.0, memory=600e6)
    keep_expectation(folder, expected(calibration=corrected(2.0, 1.25), work_seconds=20.0))
    made = keep_score(folder, alone=True)
    assert made is not None
    assert made.ratios.seconds == pytest.approx(2.0)
    assert made.ratios.memory == pytest.approx(1.2 * 1.25)


NOT_SCORED = {
    "stopped early": {"state": RunState.STOPPED},
    "resumed": {"attempt": 1},
    "no memory reading": {"memory": 0.0},
}


@pytest.mark.parametrize("how", NOT_SCORED.values(), ids=NOT_SCORED)
def test_what_says_nothing_about_the_estimate_is_not_scored(tmp_path: Path, how: dict) -> None:
    folder = ended_run(tmp_path / "run", LOSSES, **how)
    keep_expectation(folder, expected())
    assert keep_score(folder, alone=True) is None and scored(folder) is None


def test_a_run_without_an_estimate_is_not_scored(tmp_path: Path) -> None:
    folder = ended_run(tmp_path / "run", LOSSES)
    assert expectation(folder) is None and keep_score(folder, alone=True) is None


def entry(run: str, seconds: float, *, alone: bool = True, method: str = "lora", parameters: int = 1000) -> Scored:
    words = Score(seconds_error=0, memory_error=0, seconds_held=True, memory_held=True, words="")
    return Scored(
        run=run,
        device="a processor",
        method=method,
        parameters=parameters,
        seconds=1,
        peak_bytes=1,
        alone=alone,
        ratios=corrected(seconds, 1.1),
        score=words,
    )


def opened(home: Path) -> Calibrations:
    (home / "runs").mkdir(exist_ok=True)
    return Calibrations(home, home / "runs")


def test_later_plans_are_corrected_by_the_median_of_the_newest_similar_runs(tmp_path: Path) -> None:
    known = opened(tmp_path)
    assert known.of("a processor", "lora", 1000) is None
    for number, ratio in enumerate((9.0, 2.0, 2.0, 3.0, 2.0, 40.0)):
        known.add(entry(f"run-{number}", ratio))
    found = known.of("a processor", "lora", 2000)
    assert found is not None and (found.seconds, found.memory, found.steps) == (2.0, 1.1, 50)
    assert (found.seconds_spread, found.memory_spread) == (20.0, 1.05)
    assert opened(tmp_path).of("a processor", "lora", 2000) == found


OTHERS = {
    "another device": ("a card", "lora", 1000),
    "another method": ("a processor", "dora", 1000),
    "a much larger model": ("a processor", "lora", 1_000_000),
}


@pytest.mark.parametrize("asked", OTHERS.values(), ids=OTHERS)
def test_runs_of_another_kind_teach_nothing(tmp_path: Path, asked: tuple[str, str, int]) -> None:
    known = opened(tmp_path)
    known.add(entry("run", 2.0))
    assert known.of(*asked) is None


def test_runs_that_shared_the_machine_teach_nothing(tmp_path: Path) -> None:
    known = opened(tmp_path)
    known.add(entry("run", 2.0, alone=False))
    assert known.of("a processor", "lora", 1000) is None


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_the_calibration_is_made_again_from_the_runs(tmp_path: Path, harm: str) -> None:
    folder = ended_run(tmp_path / "runs" / "run", LOSSES, step_seconds=2.0)
    keep_expectation(folder, expected())
    made = keep_score(folder, alone=True)
    assert made is not None
    opened(tmp_path).add(made)
    (tmp_path / FILE).write_text("{") if harm == "damaged" else (tmp_path / FILE).unlink()
    again = opened(tmp_path).of("a processor", "lora", 1_000_000)
    assert again is not None and again.seconds == 2.0


@given(ratio=st.floats(1e-9, 1e9))
def test_one_absurd_run_cannot_ruin_the_plans(ratio: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    known = opened(tmp_path_factory.mktemp("home"))
    known.add(entry("run", ratio))
    found = known.of("a processor", "lora", 1000)
    assert found is not None and 0.02 <= found.seconds <= 50


@pytest.mark.parametrize(
    ("other", "alone"),
    [
        (view("b", RunState.COMPLETED, updated=90.0, seconds=50.0), True),
        (view("b", RunState.COMPLETED, updated=150.0, seconds=100.0), False),
        (view("b", RunState.RUNNING, updated=150.0, seconds=20.0), False),
        (view("b", RunState.COMPLETED, updated=400.0, seconds=100.0), True),
        (view("b", RunState.CREATED, updated=150.0), True),
        (view("b", RunState.RUNNING, kind="host", updated=150.0, seconds=20.0), True),
    ],
    ids=["earlier", "overlapping", "still at work", "later", "waiting", "a host"],
)
def test_a_run_was_alone_when_no_other_was_at_work_meanwhile(other: object, alone: bool) -> None:
    run = view("a", RunState.COMPLETED, updated=200.0, seconds=100.0)
    assert was_alone(run, (run, other)) is alone  # type: ignore[arg-type]
