"""Two processes share a run (FSDP2 over gloo): the same losses as one process, and one result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from engine.runs.launch import command_line
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.objectives import Kto, Objective
from engine.spec.records import Control, LaunchRecord, RunState
from tests.making import EXACT, METHODS, run_folder, train_spec, without_dropout
from tests.worker.loop import losses, run_through
from tests.worker.reference import plain_base
from tests.worker.test_preferences import DPO, KTO
from tests.worker.test_preferences import spec_for as preference_spec

pytestmark = pytest.mark.worker
ROOT = Path(__file__).resolve().parents[2]


def together(folder: RunFolder, attempt: int = 0) -> int:
    """Run the worker in two processes, as the launcher would; its exit code."""
    launch = LaunchRecord(attempt=attempt, pid=0, process_started=0, host="", time=0, threads=1)
    write_struct(folder.launch_file, launch)
    extra = {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        command_line(sys.executable, folder, 2),
        cwd=folder.path,
        env=os.environ | extra,
        capture_output=True,
        timeout=240,
    )
    (folder.path / "log.txt").write_bytes(found.stdout + found.stderr)
    return found.returncode


@pytest.mark.parametrize("name", EXACT)
def test_two_processes_lose_what_one_loses(tmp_path: Path, model: Path, rows: Path, name: str) -> None:
    method = without_dropout(METHODS[name])
    alone = train_spec(model, rows, method, micro_batch=2)
    folder = run_folder(tmp_path / "run-2", msgspec.structs.replace(alone, processes=2))
    together(folder)
    assert folder.state().state is RunState.COMPLETED, (folder.path / "log.txt").read_text()[-3000:]
    whole = run_through(tmp_path / "run-1", alone, [])
    for metric, tolerance in (("loss", 1e-4), ("validation_loss", 1e-4), ("gradient_norm", 1e-3)):
        ours, theirs = losses(folder, metric), losses(whole, metric)
        assert ours.keys() == theirs.keys()
        assert max(abs(ours[step] - theirs[step]) for step in theirs) < tolerance, metric
    if name == "lora":
        PeftModel.from_pretrained(plain_base(model), str(folder.adapter))
        ours, theirs = (load_file(each.adapter / "adapter_model.safetensors") for each in (folder, whole))
        assert all(torch.allclose(ours[key], theirs[key], atol=1e-4) for key in theirs)


@pytest.mark.parametrize("objective", [DPO, KTO], ids=["dpo", "kto"])
def test_two_processes_prefer_what_one_prefers(
    tmp_path: Path, model: Path, pairs: Path, rated: Path, objective: Objective
) -> None:
    data = rated if isinstance(objective, Kto) else pairs
    alone = preference_spec(model, data, objective, epochs=1, micro_batch=2)
    folder = run_folder(tmp_path / "run-2", msgspec.structs.replace(alone, processes=2))
    together(folder)
    assert folder.state().state is RunState.COMPLETED, (folder.path / "log.txt").read_text()[-3000:]
    whole = run_through(tmp_path / "run-1", alone, [])
    assert losses(folder) == pytest.approx(losses(whole), abs=1e-4)


def test_two_processes_pause_and_go_on_together(tmp_path: Path, model: Path, rows: Path) -> None:
    spec = msgspec.structs.replace(train_spec(model, rows, micro_batch=2), processes=2)
    whole = run_folder(tmp_path / "whole", spec)
    together(whole)
    folder = run_folder(tmp_path / "run-2", spec)
    write_struct(folder.control_file, Control(seq=1, attempt=0, pause=True))
    together(folder)
    assert folder.state().state is RunState.PAUSED, (folder.path / "log.txt").read_text()[-3000:]
    together(folder, attempt=1)
    assert folder.state().state is RunState.COMPLETED
    assert losses(folder) == losses(whole)
