"""A fake engine with the real parts for results: versions as files, scored evaluations, exports; no worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil

from engine.benchmarking import Benchmarks
from engine.data.nouns import Dataset
from engine.exports import Exports
from engine.outcomes import Outcomes
from engine.planning import Planning
from engine.results.evaluation import Evaluation
from engine.results.exports import Export
from engine.results.versions import Version
from engine.runs.calibrating import Calibrations
from engine.spec.exports import Certificate, Check, Exchange, Mismatch
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Method
from engine.spec.records import Card, LaunchRecord, RunState, StateRecord
from engine.spec.runspec import AdapterRef, DataRef, EvaluateJob, ModelRef, TrainJob
from tests.making import LORA
from tests.results.made import dataset_in, evaluation_of, finished_run, spec_of
from tests.ui.fake_engine import HARDWARE, FakeEngine


def furnish(engine: FakeEngine) -> FakeEngine:
    """The engine's own planning, outcomes, benchmarks and exports in place of the fakes; runs are only written down."""
    calibrations = Calibrations(engine.home.path, engine.home.runs)
    planning = Planning(engine.home, engine.settings, engine.library, calibrations)
    planning.hardware.set(HARDWARE)
    outcomes = Outcomes(engine.home, engine.library, engine.runs, planning, calibrations)  # type: ignore[arg-type]
    engine.planning, engine.outcomes = planning, outcomes
    engine.benchmarks = Benchmarks(engine.home, engine.runs, planning, outcomes)  # type: ignore[arg-type]
    engine.exports = Exports(engine.home, engine.runs, planning, outcomes)  # type: ignore[arg-type]
    return engine


def dataset(engine: FakeEngine, rows: int = 60) -> Dataset:
    """A small dataset in the library."""
    made = dataset_in(engine.home.datasets, rows)
    engine.library.publish()
    return made


def a_version(
    engine: FakeEngine,
    run: str,
    *,
    name: str = "support",
    model: Path | None = None,
    data: Dataset | None = None,
    method: Method = LORA,
    parent: str = "",
) -> Version:
    """A version as a completed run of this name becomes one, on the starter unless another base is named."""
    from engine.plan.models import read_base_model, starter_path

    base = read_base_model(model or starter_path())
    spec = spec_of(run, name=name, method=method, parent=parent)
    job = spec.job
    assert isinstance(job, TrainJob)
    ref = msgspec.structs.replace(job.data, dataset=data.id, hash=data.hash, name=data.name) if data else job.data
    job = msgspec.structs.replace(job, model=base.ref, data=ref, profile="chatbot")
    spec = msgspec.structs.replace(spec, job=job)
    folder = finished_run(engine.home.runs, spec, weights=f"weights of {run}".encode())
    engine.runs.refresh(run)
    made = engine.outcomes.folder.add(folder, {"loss": 1.0, "validation_loss": 0.7}, 10)
    assert made is not None
    engine.outcomes.versions.set(engine.outcomes.folder.all())
    return made


def evaluated(engine: FakeEngine, version: Version, right: float, seed: int = 1) -> Evaluation:
    """An evaluation of a version that answers this share of the rows rightly; the base answers none."""
    made = evaluation_of(engine.home.path / "asked", version.id, right, seed=seed)
    made = msgspec.structs.replace(made, dataset_hash=version.dataset_hash)
    engine.outcomes.folder.keep_evaluation(version, made)
    engine.outcomes.changed.set(engine.outcomes.changed.value + 1)
    return made


def evaluate_job(versions: Sequence[Version]) -> EvaluateJob:
    """The job of an evaluation of these versions that never runs."""
    first = versions[0]
    return EvaluateJob(
        model=ModelRef(path=first.model_path, name=first.model, fingerprint=""),
        data=DataRef(prepared="p", dataset="d", name="rows", hash="h"),
        adapters=tuple(AdapterRef(name=version.id, path="a") for version in versions),
        precision="fp32",
        rows=10,
        max_new_tokens=8,
        batch_size=4,
        seed=0,
        answers="",
    )


def certificate(passed: bool) -> Certificate:
    """A certificate with a check that has figures, and answers that part where it failed."""
    why = Mismatch(cause="double begin token", words="Every prompt begins with the begin token twice.")
    return Certificate(
        form="gguf",
        quant="q8_0",
        runtime="llama.cpp",
        prompts=8,
        passed=passed,
        verdict="It answers like the trained model." if passed else "It does not answer like the trained model.",
        checks=(
            Check(name="rendered prompts", passed=passed, words="The token ids of 8 prompts."),
            Check(name="distance of the scores", passed=True, words="As rounding allows.", measured=0.02, allowed=0.1),
        ),
        mismatches=() if passed else (why,),
        exchanges=(Exchange(prompt="Plums?", trained="We have plums.", exported="We have pears.", first_equal=True),),
        notes=("Compared in fp32.",),
        made=0.0,
    )


def exported(engine: FakeEngine, version: Version, *, passed: bool | None, folder: Path | None = None) -> str:
    """An export that ended, with files, and a certificate unless it was never compared."""
    run = f"export-{len(engine.exports.list.value) + 1}"
    target = folder or engine.exports.folders.own(run)
    record = Export(
        id=run, version=version.id, title=version.title, form="gguf", quant="q8_0", folder=str(target), made=0.0
    )
    engine.exports.folders.keep(record)
    target.mkdir(parents=True, exist_ok=True)
    (target / "model.gguf").write_bytes(b"GGUF" * 1000)
    if passed is not None:
        write_struct(target / "certificate.json", certificate(passed))
    engine.exports.list.set(engine.exports.folders.all())
    return run


def at_work(engine: FakeEngine, run: str, step: int, total: int) -> None:
    """A queued run has begun and is this far."""
    stands(engine, run, RunState.RUNNING, step, total)


def stands(
    engine: FakeEngine, run: str, state: RunState, step: int = 0, total: int = 0, error: Card | None = None
) -> None:
    """A queued run began, and is in this state now."""
    folder = RunFolder(engine.home.runs / run)
    me = psutil.Process()
    launch = LaunchRecord(attempt=0, pid=me.pid, process_started=me.create_time(), host="here", time=0.0, threads=1)
    write_struct(folder.launch_file, launch)
    folder.write_state(StateRecord(state=state, step=step, total_steps=total, error=error))
    engine.runs.refresh(run)
