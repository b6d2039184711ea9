"""`python -P -m engine.worker <run_dir>`: execute one run and exit with a code from engine.spec.exits.

The first event is written before torch is imported: its import takes seconds, and a launcher waits for a sign of life.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from engine.spec.exits import Exit
from engine.spec.folder import RunFolder
from engine.spec.methods import Full, LowRank, quantization_of
from engine.spec.records import RunState
from engine.spec.runspec import (
    BenchmarkJob,
    EvaluateJob,
    ExportJob,
    HostJob,
    ProbeJob,
    RunSpec,
    SpecInvalid,
    SpecTooNew,
    TrainJob,
)
from engine.worker.control import ControlFile
from engine.worker.fault import Fault, fault_from
from engine.worker.reporter import Reporter, Silent, next_attempt

log = logging.getLogger("worker")
STATES = {
    Exit.COMPLETED: RunState.COMPLETED,
    Exit.PAUSED: RunState.PAUSED,
    Exit.STOPPED: RunState.STOPPED,
}


def main(arguments: list[str]) -> int:
    """The program. Returns the exit code."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -P -m engine.worker <run_dir>", file=sys.stderr)
        return 2
    folder = RunFolder(Path(arguments[0]).absolute())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    attempt = next_attempt(folder)
    reporter = Reporter(folder, attempt) if os.environ.get("RANK", "0") == "0" else Silent()
    control = ControlFile(folder, reporter, attempt)
    control.listen_to_signals()
    reporter.start()
    try:
        return execute(folder, reporter, control)
    finally:
        reporter.close()


def execute(folder: RunFolder, reporter: Reporter, control: ControlFile) -> Exit:
    """Run the job and write how it ended: a state for the engine, a card for the person, the stack for the log."""
    try:
        spec = _read_spec(folder)
        _prepare_process(spec)
        exit_code = _program(spec)(spec, folder, reporter, control)
    except BaseException as error:  # noqa: BLE001 - whatever ended the run is written down
        log.error("the run ended early\n%s", traceback.format_exc())
        return _fail(reporter, fault_from(error))
    reporter.enter(STATES[exit_code], exit_code=exit_code, error=reporter.asks)
    return exit_code


def _read_spec(folder: RunFolder) -> RunSpec:
    try:
        return folder.spec()
    except SpecTooNew as error:
        raise Fault(
            Exit.BAD_SPEC,
            "This run was made by a newer version of PEFT Studio.",
            f"Its spec has {error}.",
            "Update PEFT Studio on this machine.",
            "Or plan the run again here.",
        ) from error
    except SpecInvalid as error:
        raise Fault(
            Exit.BAD_SPEC,
            "The run's settings cannot be read.",
            f"spec.json: {error}",
            "Plan the run again.",
        ) from error


def _prepare_process(spec: RunSpec) -> None:
    """Settings that must stand before the libraries are imported."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not _needs_bitsandbytes(spec):
        sys.modules["bitsandbytes"] = None  # type: ignore[assignment]  # peft would import it
    import torch

    torch.set_num_threads(spec.threads)


def _needs_bitsandbytes(spec: RunSpec) -> bool:
    """Quantized bases do, and the further tuners, which ask for it by import. Loading it takes four seconds."""
    job = spec.job.train if isinstance(spec.job, ProbeJob) else spec.job
    if isinstance(job, HostJob):
        return job.quantization != "none"
    if not isinstance(job, TrainJob | ExportJob):
        return False
    plain = isinstance(job.method, LowRank | Full) and quantization_of(job.method) == "none"
    return not plain or (isinstance(job, TrainJob) and job.training.optimizer == "adamw8bit")


def _program(spec: RunSpec) -> Callable[[RunSpec, RunFolder, Reporter, ControlFile], Exit]:
    match spec.job:
        case TrainJob():
            return _train
        case ProbeJob():
            return _probe
        case EvaluateJob():
            return _evaluate
        case BenchmarkJob():
            return _benchmark
        case HostJob():
            return _host
        case ExportJob():
            return _export


def _train(spec: RunSpec, folder: RunFolder, reporter: Reporter, control: ControlFile) -> Exit:
    from engine.worker.group import join_group
    from engine.worker.training import Training

    assert isinstance(spec.job, TrainJob)
    return Training(spec.job, folder, reporter, control, join_group()).run()


def _probe(spec: RunSpec, folder: RunFolder, reporter: Reporter, control: ControlFile) -> Exit:
    from engine.worker.group import join_group
    from engine.worker.probe import Probe

    assert isinstance(spec.job, ProbeJob)
    return Probe(spec.job, folder, reporter, control, join_group()).run()


def _evaluate(spec: RunSpec, folder: RunFolder, reporter: Reporter, control: ControlFile) -> Exit:
    from engine.worker.evaluation import Evaluation

    assert isinstance(spec.job, EvaluateJob)
    return Evaluation(spec.job, folder, reporter, control).run()


def _benchmark(spec: RunSpec, folder: RunFolder, reporter: Reporter, control: ControlFile) -> Exit:
    from engine.worker.benchmark import Benchmark

    assert isinstance(spec.job, BenchmarkJob)
    return Benchmark(spec.job, folder, reporter, control).run()


def _host(spec: RunSpec, folder: RunFolder, reporter: Reporter, control: ControlFile) -> Exit:
    from engine.worker.host import Host

    assert isinstance(spec.job, HostJob)
    return Host(spec.job, folder, reporter, control).run()


def _export(spec: RunSpec, folder: RunFolder, reporter: Reporter, control: ControlFile) -> Exit:
    from engine.worker.exporting.job import Exporting

    assert isinstance(spec.job, ExportJob)
    return Exporting(spec.job, folder, reporter, control).run()


def _fail(reporter: Reporter, fault: Fault) -> Exit:
    reporter.free_reserve()  # a full disk still has room for the last words
    try:
        reporter.event("error", fault.card.what, why=fault.card.why)
        reporter.enter(RunState.FAILED, exit_code=fault.exit_code, error=fault.card)
    except OSError:
        log.exception("the end of the run could not be written down")
    return fault.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
