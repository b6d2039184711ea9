"""Versions and evaluations made by hand, with small files where weights would be."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.data.nouns import Dataset
from engine.plan.models import starter_path
from engine.results.evaluation import Asked, Evaluation, evaluate
from engine.results.versions import Version, Versions
from engine.spec.answers import BASE, Answer
from engine.spec.files import LineWriter, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Method
from engine.spec.records import RunState, StateRecord
from engine.spec.runspec import AdapterRef, RunSpec, TrainJob
from engine.spec.suite import TEXT_SUITE, Side, Suite
from tests.making import LORA, train_spec

NOWHERE = Path("no-such-dataset")
WORDS = ["lamp", "parcel", "refund", "member", "days", "order", "shop", "letter", "crack", "colour"]


def spec_of(run: str, *, name: str = "support", data: str = "dh", method: Method = LORA, parent: str = "") -> RunSpec:
    """The spec of a training run, as if on the starter model."""
    spec = train_spec(starter_path(), Path("rows"), method)
    job = spec.job
    assert isinstance(job, TrainJob)
    change = msgspec.structs.replace
    job = change(
        job,
        model=change(job.model, fingerprint=""),
        data=change(job.data, hash=data),
        parent=AdapterRef(name=parent, path="adapter") if parent else None,
    )
    return change(spec, id=run, name=name, job=job)


def job_of(spec: RunSpec) -> TrainJob:
    """The training that a spec is of."""
    assert isinstance(spec.job, TrainJob)
    return spec.job


def finished_run(runs: Path, spec: RunSpec, weights: bytes = b"weights") -> RunFolder:
    """The folder of a run that completed and left an adapter."""
    folder = RunFolder(runs / spec.id)
    folder.adapter.mkdir(parents=True)
    write_struct(folder.spec_file, spec)
    folder.write_state(StateRecord(state=RunState.COMPLETED, step=10, total_steps=10))
    (folder.adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "/home/me/model", "r": 4}')
    (folder.adapter / "adapter_model.safetensors").write_bytes(weights)
    return folder


def version_in(versions: Versions, runs: Path, run: str, **changes: str) -> Version:
    """A version as a completed run becomes one."""
    versions.path.mkdir(parents=True, exist_ok=True)
    made = versions.add(finished_run(runs, spec_of(run, **changes)), {"loss": 1.0}, 10)  # type: ignore[arg-type]
    assert made is not None
    time.sleep(0.002)  # two versions are never made at the same moment
    return made


def sentences(count: int, seed: int) -> list[str]:
    """Texts of a few words."""
    dice = random.Random(seed)
    return [" ".join(dice.choices(WORDS, k=6)) for _ in range(count)]


def evaluation_of(place: Path, version: str, right: float, *, rows: int = 60, seed: int = 1) -> Evaluation:
    """An evaluation in which the version gives the wanted answer to a share of the rows, the same rows each time."""
    place.mkdir(parents=True, exist_ok=True)
    wanted, wrong = sentences(rows, 0), sentences(rows, 99)
    dice = random.Random(seed)
    hits = set(dice.sample(range(rows), round(right * rows)))
    writer = LineWriter(place / f"{version}.jsonl")
    for row, reference in enumerate(wanted):
        for model, text, nll in (
            (BASE, wrong[row], 20.0),
            (version, reference if row in hits else wrong[row], 8.0 - 4 * right),
        ):
            writer.write(
                Answer(
                    row=row,
                    model=model,
                    prompt=f"about {reference}",
                    reference=reference,
                    text=text,
                    tokens=6,
                    complete=True,
                    nll=nll,
                    trained_tokens=6,
                )
            )
    writer.close()
    asked = Asked(
        results=place / f"{version}.jsonl",
        run=f"run-{version}",
        version=version,
        dataset=place,
        dataset_hash="dh",
        dataset_name="support",
    )
    return evaluate(asked)


def asked_of(
    folder: Path,
    answers: Sequence[Answer],
    suite: Suite = TEXT_SUITE,
    *,
    dataset: Dataset | None = None,
    side: Side = "held-out",
    trained_on: tuple[str, ...] = (),
) -> Evaluation:
    """These answers of the base and of a version `tuned`, scored."""
    writer = LineWriter(folder / "results.jsonl")
    for each in answers:
        writer.write(each)
    writer.close()
    asked = Asked(
        results=folder / "results.jsonl",
        run="run",
        version="tuned",
        dataset=folder / "datasets" / dataset.id if dataset else NOWHERE,
        dataset_hash=dataset.hash if dataset else "",
        dataset_name=dataset.name if dataset else "",
        side=side,
        trained_on=trained_on,
        suite=suite,
    )
    return evaluate(asked)


def dataset_in(datasets: Path, rows: int = 12) -> Dataset:
    """A small imported dataset."""
    from engine.data.library import import_file

    source = datasets.parent / "rows.csv"
    lines = [f"question {i},answer {i}" for i in range(rows)]
    source.write_text("\n".join(["question,answer", *lines]), encoding="utf-8")
    datasets.mkdir(exist_ok=True)
    return import_file(datasets, source)
