"""What is changed while a run is at work counts from its next step on, and after whatever happens to the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs.control import tell, values_now
from engine.spec.files import LineReader, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Control, Event, LaunchRecord, Live
from engine.spec.runspec import TrainJob
from engine.worker.schedule import learning_rate
from tests.making import run_folder, train_spec
from tests.worker.loop import attempt, losses

PEAK = 0.004


def rates(folder: RunFolder, times: float) -> dict[int, float]:
    """The planned course of the rate, so many times as high."""
    job = folder.spec().job
    assert isinstance(job, TrainJob)
    steps = range(job.total_steps)
    return {step + 1: times * learning_rate(job.training, step, job.total_steps) for step in steps}


def changed(tmp_path: Path, model: Path, rows: Path, **values: float) -> RunFolder:
    """A run whose values were changed before its first step."""
    folder = run_folder(tmp_path / "run-1", train_spec(model, rows))
    write_struct(folder.launch_file, LaunchRecord(attempt=0, pid=0, process_started=0, host="", time=0, threads=2))
    write_struct(folder.control_file, Control(seq=1, attempt=0, **values))  # type: ignore[arg-type]
    return folder


def test_the_rate_and_the_intervals_are_those_that_were_wished(tmp_path: Path, model: Path, rows: Path) -> None:
    folder = changed(tmp_path, model, rows, learning_rate=PEAK, validate_every=3, checkpoint_every=4)
    attempt(folder, 0)
    job = folder.spec().job
    assert isinstance(job, TrainJob)
    assert losses(folder, "learning_rate") == pytest.approx(rates(folder, PEAK / job.training.learning_rate))
    total = job.total_steps
    assert list(losses(folder, "validation_loss")) == [0, *(each for each in range(3, total, 3)), total]
    saved = [event.step for event in LineReader(folder.events_file, Event).read() if event.kind == "checkpoint"]
    assert saved == [*range(4, total, 4), total]
    assert any("learning rate 0.004" in event.message for event in LineReader(folder.events_file, Event).read())


def test_a_change_outlives_a_kill_before_the_next_checkpoint(tmp_path: Path, model: Path, rows: Path) -> None:
    folder = changed(tmp_path, model, rows, learning_rate=PEAK, checkpoint_every=100)
    assert attempt(folder, 0, 9, "kill") is None and not folder.checkpoint_folders()
    attempt(folder, 1)
    job = folder.spec().job
    assert isinstance(job, TrainJob)
    assert losses(folder, "learning_rate") == pytest.approx(rates(folder, PEAK / job.training.learning_rate))


def test_a_later_wish_leaves_the_other_changes_as_they_are(tmp_path: Path, model: Path, rows: Path) -> None:
    folder = changed(tmp_path, model, rows, learning_rate=PEAK)
    tell(folder, live=Live(validate_every=7))
    wish = tell(folder, checkpoint=True)
    assert (wish.learning_rate, wish.validate_every, wish.checkpoint_every) == (PEAK, 7, None)
    job = folder.spec().job
    assert isinstance(job, TrainJob)
    now = values_now(folder, job.training)
    assert now == Live(learning_rate=PEAK, validate_every=7, checkpoint_every=job.training.checkpoint_every)
