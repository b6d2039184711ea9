"""An evaluation run in this process, on the tiny model with a tokenizer of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from engine.spec.answers import Answer
from engine.spec.exits import Exit
from engine.spec.files import LineReader, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import LaunchRecord
from engine.spec.runspec import AdapterRef, DataRef, EvaluateJob, ModelRef, RunSpec
from engine.worker.evaluation import Evaluation
from engine.worker.reporter import Reporter
from tests.making import VOCABULARY, run_folder
from tests.worker.loop import Interrupting


def speaking_model(model: Path, folder: Path) -> Path:
    """The tiny model with words w0 to w127."""
    shutil.copytree(model, folder)
    words = Tokenizer(WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w0"))
    words.pre_tokenizer = WhitespaceSplit()
    words.save(str(folder / "tokenizer.json"))
    return folder


def job_for(model: Path, rows: Path, answers: Path | str, *adapters: AdapterRef) -> EvaluateJob:
    """Every held-out row, a dozen tokens each, four at a time."""
    return EvaluateJob(
        model=ModelRef(path=str(model), name="tiny", fingerprint="f"),
        data=DataRef(prepared=str(rows), dataset="d", name="rows", hash="dh"),
        adapters=adapters,
        precision="fp32",
        rows=100,
        max_new_tokens=12,
        batch_size=4,
        seed=0,
        answers=str(answers),
    )


def evaluation_folder(place: Path, job: EvaluateJob) -> RunFolder:
    """The folder of an evaluation run that has not begun."""
    spec = RunSpec(
        format=2, id=place.name, name="evaluate", created=0.0, threads=1, processes=1, priority=0, job=job
    )  # fmt: skip
    return run_folder(place, spec)


def attempt(folder: RunFolder, number: int = 0, stop_at: int | None = None) -> Exit:
    """One attempt, stopped before the n-th group of questions where asked for."""
    launch = LaunchRecord(attempt=number, pid=0, process_started=0, host="", time=0, threads=1)
    write_struct(folder.launch_file, launch)
    reporter = Reporter(folder, number)
    reporter.start()
    job = folder.spec().job
    assert isinstance(job, EvaluateJob)
    try:
        return Evaluation(job, folder, reporter, Interrupting(folder, reporter, number, stop_at, "stop")).run()
    finally:
        reporter.close()


def said(folder: RunFolder) -> dict[tuple[str, int], Answer]:
    """Every answer by model and row; a row is answered once."""
    found = LineReader(folder.results_file, Answer).read()
    by_key = {(answer.model, answer.row): answer for answer in found}
    assert len(by_key) == len(found)
    return by_key
