"""A probe times the first steps and leaves nothing but their numbers; what it says corrects the next plan."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import torch

from engine.plan.calibration import Calibration, Expected
from engine.runs.probing import STEPS, probed
from engine.runs.standing import keep_expectation
from engine.runs.summary import static_view
from engine.spec.exits import Exit
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import LaunchRecord, RunState
from engine.spec.runspec import ProbeJob, TrainJob
from engine.worker.control import ControlFile
from engine.worker.kernels import use_kernels
from engine.worker.probe import Probe
from engine.worker.reporter import Reporter
from tests.making import run_folder, train_spec
from tests.runs.made import corrected, expected
from tests.worker.loop import losses, run_through


def probe_run(place: Path, model: Path, rows: Path) -> RunFolder:
    whole = train_spec(model, rows)
    assert isinstance(whole.job, TrainJob)
    folder = run_folder(place, msgspec.structs.replace(whole, job=ProbeJob(train=whole.job, steps=STEPS)))
    write_struct(folder.launch_file, LaunchRecord(attempt=0, pid=0, process_started=0, host="", time=0, threads=2))
    reporter = Reporter(folder, 0)
    reporter.start()
    job = folder.spec().job
    assert isinstance(job, ProbeJob)
    assert Probe(job, folder, reporter, ControlFile(folder, reporter, 0)).run() is Exit.COMPLETED
    reporter.enter(RunState.COMPLETED, exit_code=Exit.COMPLETED)
    reporter.close()
    return folder


def test_a_probe_is_the_beginning_of_its_run_and_keeps_nothing(tmp_path: Path, model: Path, rows: Path) -> None:
    folder = probe_run(tmp_path / "probe", model, rows)
    whole = losses(run_through(tmp_path / "run", train_spec(model, rows), []))
    assert losses(folder) == {step: whole[step] for step in range(1, STEPS + 1)}
    assert not folder.adapter.exists() and not folder.checkpoint_folders() and not losses(folder, "validation_loss")
    assert static_view(folder.spec()).total_steps == STEPS


@pytest.mark.parametrize("before", [None, corrected(4.0, 1.0)], ids=["bare", "corrected before"])
def test_what_it_took_is_held_against_the_bare_formula(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch, before: Calibration | None
) -> None:
    folder = probe_run(tmp_path / "probe", model, rows)
    assert probed(folder) is None  # nothing was expected of it
    monkeypatch.setattr("engine.runs.probing.curves", lambda *_: {
        "step_seconds": series([9.0, 8.0, 2.0, 4.0]), "worker_memory": series([1e9, 2e9]),
    })  # fmt: skip
    wish = expected(
        work_seconds=10.0,  # ten steps of a second each
        seconds=Expected(low=8, expected=15, high=30),
        memory=Expected(low=0.5e9, expected=1e9, high=2e9),
        calibration=before,
    )
    keep_expectation(folder, wish)
    made = probed(folder)
    assert made is not None and made.peak_bytes == 2e9
    assert made.seconds == pytest.approx(15 + 2.0 * 10)
    assert made.ratios.seconds == pytest.approx(3.0 * (before.seconds if before else 1.0))
    assert made.ratios.memory == pytest.approx(2.0)


def series(values: list[float]) -> Any:
    from engine.runs.views import Series

    made = Series()
    for step, value in enumerate(values, start=1):
        made.add(step, value, float(step), 0)
    return made


def test_ligers_kernels_are_used_where_they_are_and_never_its_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, bool]] = []
    patch = ModuleType("liger_kernel.transformers.monkey_patch")
    patch.MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": None}  # type: ignore[attr-defined]
    patch._apply_liger_kernel_to_instance = lambda _model, **wish: asked.append(wish)  # type: ignore[attr-defined]
    inside = ModuleType("liger_kernel.transformers")
    inside.monkey_patch = patch  # type: ignore[attr-defined]
    model = torch.nn.Linear(1, 1)
    model.config = type("Config", (), {"model_type": "llama"})()  # type: ignore[assignment]
    assert not use_kernels(model)  # no CUDA device
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not use_kernels(model)  # not installed
    monkeypatch.setattr("engine.worker.kernels.find_spec", lambda _name: True)
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", inside)
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers.monkey_patch", patch)
    assert use_kernels(model)
    assert asked == [{"fused_linear_cross_entropy": False, "cross_entropy": False}]
    model.config.model_type = "unheard-of"  # type: ignore[union-attr]
    assert not use_kernels(model)
