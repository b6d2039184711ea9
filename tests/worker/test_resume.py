"""Interrupted equals uninterrupted (requirement W3): the same bits, wherever and however often a run is cut."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from engine.spec.files import LineReader
from engine.spec.folder import RunFolder
from engine.spec.records import Event
from tests.making import EXACT, METHODS, train_spec
from tests.worker.loop import attempt, losses, run_through

STEPS = 10
LOOKS = 24
"""More micro-batches than a run has, so that some interruptions come too late to matter."""


def result(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(next(folder.adapter.glob("*.safetensors")))


@pytest.fixture(scope="module", params=EXACT)
def untouched(request: pytest.FixtureRequest, model: Path, rows: Path) -> Iterator[tuple[str, RunFolder]]:
    """A run of each method that nobody interrupted."""
    place = Path(tempfile.mkdtemp())
    yield request.param, run_through(place / "run-1", train_spec(model, rows, METHODS[request.param]), [])
    shutil.rmtree(place)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, LOOKS), st.sampled_from(["pause", "kill"])), min_size=1, max_size=3))
def test_a_run_that_was_cut_ends_with_the_same_bits(
    untouched: tuple[str, RunFolder], model: Path, rows: Path, cuts: list[tuple[int, str]]
) -> None:
    name, whole = untouched
    with tempfile.TemporaryDirectory() as place:
        cut = run_through(Path(place) / "run-1", train_spec(model, rows, METHODS[name]), cuts)
        assert losses(cut) == losses(whole)
        assert losses(cut, "validation_loss") == losses(whole, "validation_loss")
        ours, theirs = result(cut), result(whole)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_every_step_is_recorded_once_per_attempt_and_none_is_missing(untouched: tuple[str, RunFolder]) -> None:
    assert list(losses(untouched[1])) == list(range(1, STEPS + 1))


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, model: Path, rows: Path) -> None:
    whole = run_through(tmp_path / "whole", train_spec(model, rows), [])
    folder = run_through(tmp_path / "run-1", train_spec(model, rows), [(17, "kill")])
    shutil.rmtree(folder.path)
    from tests.making import run_folder

    folder = run_folder(tmp_path / "run-1", train_spec(model, rows))
    attempt(folder, 0, 17, "kill")
    newest = folder.checkpoint_folders()[-1] / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"\0")
    attempt(folder, 1)
    assert losses(folder) == losses(whole)
    notes = [event.message for event in LineReader(folder.events_file, Event).read() if event.kind == "note"]
    assert any("damaged" in note for note in notes)


def test_stopping_leaves_a_usable_adapter_and_the_state_to_go_on(tmp_path: Path, model: Path, rows: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from engine.spec.exits import Exit
    from tests.making import run_folder

    folder = run_folder(tmp_path / "run-1", train_spec(model, rows))
    assert attempt(folder, 0, 9, "stop") is Exit.STOPPED
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), folder.adapter)
    assert attempt(folder, 1) is Exit.COMPLETED
    assert losses(folder) == losses(run_through(tmp_path / "whole", train_spec(model, rows), []))


def test_a_pause_keeps_the_whole_steps_done_and_no_more(tmp_path: Path, model: Path, rows: Path) -> None:
    from engine.spec.exits import Exit
    from tests.making import run_folder

    folder = run_folder(tmp_path / "run-1", train_spec(model, rows))
    assert attempt(folder, 0, 5, "pause") is Exit.PAUSED
    last = folder.checkpoint_folders()[-1]
    assert last.name == f"step-{max(losses(folder))}"


def test_a_disk_that_fills_during_a_checkpoint_loses_nothing(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from engine.spec.exits import Exit
    from engine.spec.records import RunState
    from engine.worker import checkpoint
    from engine.worker.__main__ import execute
    from engine.worker.control import ControlFile
    from engine.worker.reporter import Reporter
    from tests.making import run_folder

    whole = run_through(tmp_path / "whole", train_spec(model, rows), [])
    folder = run_folder(tmp_path / "run-1", train_spec(model, rows))
    monkeypatch.setitem(sys.modules, "bitsandbytes", sys.modules.get("bitsandbytes"))  # a worker without need bars it
    write, files = checkpoint._write, list[str]()

    def fills(path: Path, tensors: dict[str, torch.Tensor]) -> None:
        files.append(path.name)
        if len(files) == 8:  # in the middle of the third checkpoint
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, tensors)

    monkeypatch.setattr(checkpoint, "_write", fills)
    reporter = Reporter(folder, 0)
    reporter.start()
    assert execute(folder, reporter, ControlFile(folder, reporter, 0)) is Exit.DISK_FULL
    reporter.close()
    state = folder.state()
    assert state.state is RunState.FAILED
    assert state.error and "disk is full" in state.error.what
    assert any(action.do == "resume" for action in state.error.actions)
    assert [path.name for path in folder.checkpoint_folders()] == ["step-2", "step-4"]
    assert not list(folder.checkpoints.glob(".*")), "no half of a checkpoint is left"
    monkeypatch.setattr(checkpoint, "_write", write)
    attempt(folder, 1)
    assert losses(folder) == losses(whole)
