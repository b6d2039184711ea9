"""What follows the end of a run: a trained one becomes a version, an evaluation becomes a verdict."""

from __future__ import annotations

from pathlib import Path

from engine.results.evaluation import evaluate
from engine.results.versions import Version, Versions
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.prepared import read_header
from engine.spec.runspec import AdapterRef, DataRef, EvaluateJob, ModelRef

EVALUATED_ROWS = 1_000
LONGEST_ANSWER = 512
ANSWERED_AT_ONCE = 32


def keep_version(versions: Versions, folder: RunFolder, view: RunView) -> None:
    """Make the run's version with its last figures. Raises StudioError."""
    metrics = {"loss": view.loss, "validation_loss": view.validation_loss, "seconds": view.seconds}
    known = {name: value for name, value in metrics.items() if value is not None}
    versions.add(folder, known, view.step)


async def keep_verdict(versions: Versions, folder: RunFolder, datasets: Path) -> None:
    """Score an evaluation run's answers in a spawned process, and keep the result with its version."""
    from anyio import to_process

    job = folder.spec().job
    assert isinstance(job, EvaluateJob)
    version = versions.find(job.adapters[0].name)
    result = await to_process.run_sync(
        evaluate,
        folder.results_file,
        folder.id,
        version.id,
        version.id,
        datasets / version.dataset_id,
        cancellable=True,
    )
    versions.keep_evaluation(version, result)


def evaluation_job(versions: Versions, version: Version) -> EvaluateJob:
    """The base and this version on the held-out rows that it never saw. Raises OSError when the rows are gone."""
    header = read_header(Path(version.prepared))
    return EvaluateJob(
        model=ModelRef(path=version.model_path, name=version.model, fingerprint=version.model_fingerprint),
        data=DataRef(
            prepared=version.prepared, dataset=version.dataset_id, name=version.dataset, hash=version.dataset_hash
        ),
        adapters=(AdapterRef(name=version.id, path=str(versions.adapter(version)), whole=version.whole),),
        precision="fp32" if version.precision == "fp32" else "bf16",
        rows=EVALUATED_ROWS,
        max_new_tokens=min(LONGEST_ANSWER, header.splits["validation"].longest + 8),
        batch_size=ANSWERED_AT_ONCE,
        seed=0,
    )
