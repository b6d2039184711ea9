"""Faults put into a run: it heals itself, ends well, and says what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.monitor.proposal import Proposal
from engine.monitor.recovery import UseCheckpointing
from engine.spec.exits import Exit
from engine.spec.files import LineReader, read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.prepared import PreparedHeader
from engine.spec.records import Control, Event, LaunchRecord, RunState
from engine.spec.runspec import TrainJob
from engine.worker import checkpoint
from engine.worker.checkpoint import LoopState
from engine.worker.condition import Condition
from engine.worker.control import ControlFile
from engine.worker.fault import Fault
from engine.worker.keeping import Keeping
from engine.worker.reporter import Reporter
from engine.worker.stepping import Stepper
from engine.worker.training import Training
from engine.worker.tuned import Tuned
from tests.making import FULL, run_folder, train_spec
from tests.worker.loop import Killed, attempt, losses, run_through


def events(folder: RunFolder, kind: str) -> list[Event]:
    return [event for event in LineReader(folder.events_file, Event).read() if event.kind == kind]


def long_run(model: Path, rows: Path, **changes: Any) -> Any:
    """150 steps: enough for the detectors to know what is usual."""
    values = {"epochs": 30, "validate_every": 50, "checkpoint_every": 10, "schedule": "constant", "keep_checkpoints": 9}
    return train_spec(model, rows, **(values | changes))


def names(folder: RunFolder) -> list[object]:
    """What was found in the numbers of training; a busy machine's own anomalies are left aside."""
    machine = ("throughput-collapse", "data-starvation", "memory-creep", "memory-full")
    return [event.facts["name"] for event in events(folder, "anomaly") if event.facts["name"] not in machine]


class Failing:
    """An allocator that fails at the n-th micro-batch, and for micro-batches above a size, or always."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, above: int) -> None:
        original = Training._load

        def load(training: Training) -> None:
            original(training)
            forward = training.objective.forward

            def fail(batch: Any, **options: Any) -> torch.Tensor:
                if batch.size > above and torch.is_grad_enabled():
                    raise torch.OutOfMemoryError("CUDA out of memory (injected)")
                return forward(batch, **options)

            monkeypatch.setattr(training.objective, "forward", fail)

        monkeypatch.setattr(Training, "_load", load)


def test_memory_that_runs_out_halves_the_micro_batch_and_changes_no_loss(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.making import LORA, without_dropout

    spec = train_spec(model, rows, without_dropout(LORA), micro_batch=8)
    whole = run_through(tmp_path / "whole", spec, [])
    Failing(monkeypatch, above=1)
    folder = run_through(tmp_path / "run-1", spec, [])
    assert [event.facts["micro_batch"] for event in events(folder, "recovery")] == [4, 2, 1]
    assert events(folder, "anomaly")[0].facts["name"] == "out-of-memory"
    ours, theirs = losses(folder), losses(whole)
    assert max(abs(ours[step] - theirs[step]) for step in theirs) < 1e-5


def test_memory_that_never_suffices_ends_with_a_card_and_its_own_exit_code(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Failing(monkeypatch, above=0)
    folder = run_folder(tmp_path / "run-1", train_spec(model, rows))
    with pytest.raises(Fault) as fault:
        attempt(folder, 0)
    assert fault.value.exit_code is Exit.OUT_OF_MEMORY
    remedies = [event.facts["remedy"] for event in events(folder, "recovery")]
    assert remedies == ["halve-micro-batch", "halve-micro-batch", "use-checkpointing"]


def exploding(monkeypatch: pytest.MonkeyPatch, at: set[int], factor: float) -> None:
    """Multiplies the gradients of some computed steps, counted from 1 over the whole run."""
    original, count = Stepper.update, [0]

    def update(stepper: Stepper, loss: torch.Tensor, rate: float, limit: float | None) -> torch.Tensor:
        count[0] += 1
        if count[0] in at:
            for parameter in stepper._parameters.values():
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
        return original(stepper, loss, rate, limit)

    monkeypatch.setattr(Stepper, "update", update)


def test_a_gradient_that_explodes_once_is_cut_and_the_run_goes_on(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploding(monkeypatch, {60}, 1e6)
    folder = run_through(tmp_path / "run-1", long_run(model, rows, clip_norm=0.0), [])
    assert names(folder)[0] == "gradient-explosion"
    assert events(folder, "recovery")[0].facts["remedy"] == "clip"
    assert losses(folder)[150] < losses(folder)[60]


def test_a_step_that_is_no_number_leaves_the_weights_alone(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploding(monkeypatch, {7}, float("nan"))
    folder = run_through(tmp_path / "run-1", train_spec(model, rows), [])
    assert [event.facts["remedy"] for event in events(folder, "recovery")] == ["leave-out"]
    assert all(torch.isfinite(torch.tensor(list(losses(folder).values()))))


def test_numbers_that_stay_away_take_the_run_back_at_half_the_rate(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploding(monkeypatch, {44, 45, 46}, float("nan"))
    folder = run_through(tmp_path / "run-1", long_run(model, rows), [])
    last = events(folder, "recovery")[-1]
    assert (last.facts["remedy"], last.facts["step"], last.facts["rate_factor"]) == ("roll-back", 40, 0.5)
    rates = losses(folder, "learning_rate")
    assert rates[150] == pytest.approx(rates[30] / 2)
    assert list(losses(folder)) == list(range(1, 151))


def diverging(monkeypatch: pytest.MonkeyPatch, after: int, times: float) -> None:
    """From one computed step on, every update is too large, until a remedy halves the rate."""
    original, count = Tuned.rate, [0]

    def rate(tuned: Tuned, step: int) -> float:
        count[0] += 1
        planned = original(tuned, step)
        return planned * times if count[0] > after and tuned.factor == 1 else planned

    monkeypatch.setattr(Tuned, "rate", rate)


def test_a_run_that_diverges_goes_back_to_before_and_ends_well(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverging(monkeypatch, 50, 300)
    folder = run_through(tmp_path / "run-1", long_run(model, rows, method=FULL), [])
    assert "divergence" in names(folder)
    back = [event for event in events(folder, "recovery") if event.facts["remedy"] == "roll-back"]
    assert back and int(str(back[0].facts["step"])) <= 50
    assert losses(folder)[150] < losses(folder)[1] * 1.05
    assert folder.state().step == 150 or folder.checkpoint_folders()[-1].name == "step-150"


def test_a_run_that_asks_pauses_with_a_proposal_and_an_accepted_one_is_carried_out(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two checkpoints are kept and none is the best: what the run proposes to go back to stays all the same.
    spec = long_run(model, rows, method=FULL, recovery="ask", keep_checkpoints=2, validate_every=1000)
    folder = run_folder(tmp_path / "run-1", spec)
    with pytest.MonkeyPatch.context() as patch:
        diverging(patch, 50, 300)
        assert attempt(folder, 0) is Exit.PAUSED
    proposal = read_struct(folder.proposal_file, Proposal)
    assert proposal.roll_back_to is not None and proposal.card.actions
    write_struct(folder.control_file, Control(seq=1, attempt=0, resume=True, accept=True))
    assert attempt(folder, 1) is Exit.COMPLETED
    first = min(step for step, _ in attempt_steps(folder, 1))
    assert first == proposal.roll_back_to + 1
    assert losses(folder, "learning_rate")[150] == pytest.approx(losses(folder, "learning_rate")[30] / 2)


def test_a_run_on_a_battery_is_saved_before_it_is_empty_and_goes_on_when_plugged_in(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = train_spec(model, rows, epochs=5)
    whole = losses(run_through(tmp_path / "whole", spec, []))
    charge = iter([0.4, 0.12])
    monkeypatch.setattr(Condition, "battery", lambda _condition: next(charge, 1.0))
    folder = run_folder(tmp_path / "run", spec)
    assert attempt(folder, 0) is Exit.PAUSED
    assert folder.checkpoint_folders()[-1].name == "step-20"
    assert read_struct(folder.proposal_file, Proposal).card.what.startswith("The battery is at 12")
    assert attempt(folder, 1) is Exit.COMPLETED
    assert losses(folder) == whole


def test_a_damaged_checkpoint_to_go_back_to_is_told_and_the_one_before_serves(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploding(monkeypatch, {44, 45, 46}, float("nan"))
    spec = long_run(model, rows)
    rollback = Training._go_back

    def damaged_first(training: Training, step: int, rate_factor: float) -> None:
        (training.folder.checkpoints / f"step-{step}" / "weights.safetensors").write_bytes(b"torn")
        rollback(training, step, rate_factor)

    monkeypatch.setattr(Training, "_go_back", damaged_first)
    folder = run_through(tmp_path / "run-1", spec, [])
    note = next(event for event in events(folder, "note") if "Went back" in event.message)
    assert note.facts["step"] == 30 and "step 40" in note.message


def test_beginning_anew_keeps_what_memory_asked_for(tmp_path: Path, model: Path, rows: Path) -> None:
    folder = run_folder(tmp_path / "run-1", train_spec(model, rows))
    switched: list[bool] = []

    class Beginning(Training):
        def _validate(self) -> None:
            if not switched:
                self._apply(UseCheckpointing(""))
                self._go_back(0, 0.5)
            base = self.objective.model.get_base_model()  # type: ignore[operator]
            switched.append(self.checkpointing and base.is_gradient_checkpointing)

    reporter = Reporter(folder, 0)
    reporter.start()
    write_struct(folder.launch_file, LaunchRecord(attempt=0, pid=0, process_started=0, host="", time=0, threads=2))
    job = folder.spec().job
    assert isinstance(job, TrainJob)
    assert Beginning(job, folder, reporter, ControlFile(folder, reporter, 0)).run() is Exit.COMPLETED
    reporter.close()
    assert all(switched)


def test_a_pause_loses_no_number_that_is_read_late(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Training, "lagging", True)
    spec = long_run(model, rows, method=FULL, recovery="ask")
    folder = run_folder(tmp_path / "run-1", spec)
    diverging(monkeypatch, 50, 300)
    assert attempt(folder, 0) is Exit.PAUSED
    assert list(losses(folder)) == list(range(1, int(folder.checkpoint_folders()[-1].name.removeprefix("step-")) + 1))


def attempt_steps(folder: RunFolder, number: int) -> list[tuple[int, float]]:
    from engine.spec.records import MetricLine

    lines = LineReader(folder.metrics_file, MetricLine).read()
    return [(line.step, line.time) for line in lines if line.attempt == number and "loss" in line.values]


def test_a_run_that_only_watches_changes_nothing(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploding(monkeypatch, {60}, 1e6)
    folder = run_through(tmp_path / "run-1", long_run(model, rows, clip_norm=0.0, recovery="observe"), [])
    assert "gradient-explosion" in names(folder)
    assert not events(folder, "recovery")


def test_a_kill_right_after_going_back_repeats_nothing_bad(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploding(monkeypatch, {44, 45, 46}, float("nan"))
    folder = run_folder(tmp_path / "run-1", long_run(model, rows))
    forget_after = Keeping.forget_after

    def then_dies(keeping: Keeping, step: int, loop: LoopState) -> None:
        forget_after(keeping, step, loop)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keeping, "forget_after", then_dies)
        assert attempt(folder, 0) is None
    assert checkpoint.read_record(folder.checkpoint_folders()[-1]).loop.rate_factor == 0.5
    assert attempt(folder, 1) is Exit.COMPLETED


def test_a_resume_on_other_data_is_refused_with_the_difference(tmp_path: Path, model: Path) -> None:
    from tests.making import prepared_data

    data = prepared_data(tmp_path / "data")
    folder = run_folder(tmp_path / "run-1", train_spec(model, data))
    assert attempt(folder, 0, at=5, how="pause") is Exit.PAUSED
    header = read_struct(data / "header.json", PreparedHeader)
    prepared_data(data, seed=9)
    write_struct(data / "header.json", header)
    with pytest.raises(Fault, match="data is not what") as fault:
        attempt(folder, 1)
    assert "train.tokens" in fault.value.card.why


def test_numbers_read_one_step_late_are_the_same_numbers(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_through(tmp_path / "whole", train_spec(model, rows), [])
    monkeypatch.setattr(Training, "lagging", True)
    late = run_through(tmp_path / "late", train_spec(model, rows), [(5, "pause"), (9, "kill")])
    for metric in ("loss", "gradient_norm", "learning_rate", "validation_loss"):
        assert losses(late, metric) == losses(whole, metric)


def test_the_state_of_a_run_that_asks_shows_the_question(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from engine.worker.__main__ import execute
    from engine.worker.control import ControlFile
    from engine.worker.reporter import Reporter

    monkeypatch.setitem(sys.modules, "bitsandbytes", sys.modules.get("bitsandbytes"))
    diverging(monkeypatch, 50, 300)
    folder = run_folder(tmp_path / "run-1", long_run(model, rows, method=FULL, recovery="ask"))
    reporter = Reporter(folder, 0)
    reporter.start()
    assert execute(folder, reporter, ControlFile(folder, reporter, 0)) is Exit.PAUSED
    reporter.close()
    state = folder.state()
    assert state.state is RunState.PAUSED
    assert state.error is not None and state.error.actions
