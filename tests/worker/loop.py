"""The training loop in this process, with interruptions where a test wants them. A worker start costs seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.spec.exits import Exit
from engine.spec.files import LineReader, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Method
from engine.spec.records import LaunchRecord, MetricLine
from engine.spec.runspec import RunSpec, TrainJob
from engine.worker.control import ControlFile, Wish
from engine.worker.model import evaluating
from engine.worker.reporter import Reporter
from engine.worker.saving import save_result
from engine.worker.training import Training
from tests.making import run_folder, train_spec


class Killed(BaseException):
    """The process is gone: nothing after this line runs."""


class Interrupting(ControlFile):
    """A control file that makes something happen at the n-th look, that is, before the n-th micro-batch."""

    def __init__(self, folder: RunFolder, reporter: Reporter, attempt: int, at: int | None, how: str) -> None:
        super().__init__(folder, reporter, attempt)
        self.left = at
        self.how = how

    def look(self) -> Wish | None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                if self.how == "kill":
                    raise Killed
                self.wish = Wish(self.how)
        return super().look()


def attempt(folder: RunFolder, number: int, at: int | None = None, how: str = "pause") -> Exit | None:
    """One attempt of the run; None when it was killed."""
    launch = LaunchRecord(attempt=number, pid=0, process_started=0, host="", time=0, threads=2)
    write_struct(folder.launch_file, launch)
    torch.set_num_threads(2)
    reporter = Reporter(folder, number)
    reporter.start()
    job = folder.spec().job
    assert isinstance(job, TrainJob)
    try:
        return Training(job, folder, reporter, Interrupting(folder, reporter, number, at, how)).run()
    except Killed:
        return None
    finally:
        reporter.close()


def run_through(path: Path, spec: RunSpec, interruptions: list[tuple[int, str]]) -> RunFolder:
    """Run to the end, with each interruption in an attempt of its own."""
    folder = run_folder(path, spec)
    for number, (at, how) in enumerate(interruptions):
        attempt(folder, number, at, how)
    assert attempt(folder, len(interruptions)) is Exit.COMPLETED
    return folder


def losses(folder: RunFolder, metric: str = "loss") -> dict[int, float]:
    """One metric by step; the highest attempt counts."""
    found: dict[int, tuple[int, float]] = {}
    for line in LineReader(folder.metrics_file, MetricLine).read():
        if metric in line.values and line.attempt >= found.get(line.step, (0, 0.0))[0]:
            found[line.step] = (line.attempt, float(line.values[metric]))
    return {step: value for step, (_, value) in sorted(found.items())}


def spec_for(model: Path, rows: Path, method: Method) -> RunSpec:
    """A short run at a rate high enough to move every method."""
    return train_spec(model, rows, method, learning_rate=2e-2, validate_every=100)


def trained(
    place: Path, model: Path, rows: Path, method: Method
) -> tuple[Path, list[torch.Tensor], list[torch.Tensor]]:
    """The saved adapter of a short run at a high rate, and the logits of the model that was trained."""
    spec = spec_for(model, rows, method)
    texts = [torch.arange(3, 3 + length) for length in (5, 9, 17)]
    seen: list[torch.Tensor] = []

    def remember(whole: torch.nn.Module, *rest: Any) -> None:
        with evaluating(whole):
            seen.extend(whole(input_ids=ids[None], use_cache=False).logits[0].clone() for ids in texts)
        save_result(whole, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.worker.training.save_result", remember)
        folder = run_through(place / "run-1", spec, [])
    return folder.adapter, seen, texts
