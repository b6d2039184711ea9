"""Run folders with a past, made without a worker: what one would have written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.plan.calibration import Calibration, Expected
from engine.runs.standing import Expectation
from engine.runs.views import RunView
from engine.spec.files import LineWriter, number, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Event, LaunchRecord, MetricLine, RunState, StateRecord
from tests.making import run_folder, train_spec

BEGAN = 1_000_000.0
LOADING = 5.0


def ended_run(
    path: Path,
    losses: Sequence[float],
    held_out: Sequence[float] = (),
    *,
    step_seconds: float = 1.0,
    memory: float = 600e6,
    state: RunState = RunState.COMPLETED,
    attempt: int = 0,
    events: Sequence[Event] = (),
) -> RunFolder:
    """A run of one loss a step, validated at even distances; it loaded for 5 s, then took `step_seconds` a step."""
    made = train_spec(Path("model"), Path("rows"))
    folder = run_folder(path, msgspec.structs.replace(made, id=path.name, name=path.name, created=BEGAN))
    launch = LaunchRecord(attempt=attempt, pid=0, process_started=0, host="", time=BEGAN, threads=2)
    write_struct(folder.launch_file, launch)
    write_records(folder, losses, held_out, step_seconds=step_seconds, memory=memory, attempt=attempt)
    lines = LineWriter(folder.events_file)
    for event in events:
        lines.write(event)
    lines.close()
    end = StateRecord(
        state=state,
        attempt=attempt,
        step=len(losses),
        total_steps=10,
        time=BEGAN + LOADING + step_seconds * len(losses),
        exit=0,
    )
    write_struct(folder.state_file, end)
    return folder


def write_records(
    folder: RunFolder,
    losses: Sequence[float],
    held_out: Sequence[float],
    *,
    step_seconds: float,
    memory: float,
    attempt: int,
) -> None:
    lines = LineWriter(folder.metrics_file)
    every = max(1, len(losses) // max(1, len(held_out)))
    for step, loss in enumerate(losses, start=1):
        values: dict[str, float | str] = {"loss": number(loss), "step_seconds": step_seconds, "worker_memory": memory}
        if step % every == 0 and step // every <= len(held_out):
            values["validation_loss"] = number(held_out[step // every - 1])
        now = BEGAN + LOADING + step * step_seconds
        lines.write(MetricLine(attempt=attempt, step=step, time=now, values=values))
    lines.close()


def expected(**changes: object) -> Expectation:
    """An estimate of 10 s of work and 15 in all, in 500 MB."""
    plain = Expectation(
        device="a processor",
        on_gpu=False,
        method="lora",
        parameters=1_000_000,
        seconds=Expected(low=8, expected=15, high=30),
        memory=Expected(low=400e6, expected=500e6, high=550e6),
        work_seconds=10.0,
    )
    return msgspec.structs.replace(plain, **changes)


def corrected(seconds: float, memory: float) -> Calibration:
    return Calibration(seconds=seconds, memory=memory, steps=10)


def view(name: str, state: RunState = RunState.CREATED, **changes: object) -> RunView:
    """A train run's view."""
    plain = RunView(id=name, kind="train", name=name, state=state, created=time.time(), updated=0.0)
    return msgspec.structs.replace(plain, **changes)
