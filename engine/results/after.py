"""What follows the end of a run: a trained one becomes a version, an evaluation becomes a verdict."""

from __future__ import annotations

from pathlib import Path

from engine.results.evaluation import Asked, evaluate
from engine.results.versions import Versions
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.runspec import EvaluateJob


def keep_version(versions: Versions, folder: RunFolder, view: RunView) -> None:
    """Make the run's version with its last figures. Raises StudioError."""
    metrics = {"loss": view.loss, "validation_loss": view.validation_loss, "seconds": view.seconds}
    known = {name: value for name, value in metrics.items() if value is not None}
    versions.add(folder, known, view.step)


async def keep_verdict(versions: Versions, folder: RunFolder, datasets: Path) -> None:
    """Score an evaluation run's answers in a spawned process, and keep the results with their versions.

    What a stopped run had answered is scored too. Raises StudioError.
    """
    from anyio import to_process

    job = folder.spec().job
    assert isinstance(job, EvaluateJob)
    for adapter in job.adapters:
        version = versions.find(adapter.name)
        asked = Asked(
            results=folder.results_file,
            run=folder.id,
            version=version.id,
            dataset=datasets / job.data.dataset,
            dataset_hash=job.data.hash,
            dataset_name=job.data.name,
            trained_on=versions.trained_on(version),
            side=job.side,
            suite=job.suite,
        )
        versions.keep_evaluation(version, await to_process.run_sync(evaluate, asked, cancellable=True))
