"""What follows the end of a run: a trained one becomes a version, an evaluation becomes a verdict.

Either can be cut off with the process that does it, and is done again when the Home is opened; what is there already is
left as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from engine.core.errors import unexpected
from engine.core.lifeline import end_with_parent
from engine.results.evaluation import Asked, Evaluation, evaluate
from engine.results.versions import Version, Versions
from engine.runs.views import RunView
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Card
from engine.spec.runspec import EvaluateJob, SpecInvalid, SpecTooNew

log = logging.getLogger(__name__)


class Unscored(msgspec.Struct, frozen=True, kw_only=True):
    """`unscored.json` of an evaluation run: why there is no verdict, by the version's id."""

    why: dict[str, Card]


class Unkept(msgspec.Struct, frozen=True, kw_only=True):
    """`unkept.json` of a training run: why it became no version."""

    why: Card


def keep_version(versions: Versions, folder: RunFolder, view: RunView) -> None:
    """Make the run's version with its last figures; why that could not be is kept with the run. Raises OSError."""
    metrics = {"loss": view.loss, "validation_loss": view.validation_loss, "seconds": view.seconds}
    known = {name: value for name, value in metrics.items() if value is not None}
    try:
        versions.add(folder, known, view.step)
    except Exception as error:
        log.exception("the version of %s could not be kept", folder.id)
        write_struct(folder.unkept_file, Unkept(why=unexpected(error)))
    else:
        folder.unkept_file.unlink(missing_ok=True)


def why_unkept(folder: RunFolder) -> Card | None:
    """Why a run that ended became no version; None where nothing stood against it."""
    try:
        return read_struct(folder.unkept_file, Unkept).why
    except (OSError, msgspec.MsgspecError):
        return None


async def keep_verdicts(versions: Versions, folder: RunFolder, datasets: Path, limit: anyio.CapacityLimiter) -> None:
    """Score an evaluation run's answers in a spawned process, and keep the results with their versions.

    What a stopped run had answered is scored too. Why something could not be scored is kept with the run. Raises
    OSError.
    """
    job = folder.spec().job
    assert isinstance(job, EvaluateJob)
    why: dict[str, Card] = {}
    for adapter in job.adapters:
        try:
            await _keep_verdict(versions, versions.find(adapter.name), folder, job, datasets, limit)
        except Exception as error:
            log.exception("the answers of %s to %s could not be scored", adapter.name, folder.id)
            why[adapter.name] = unexpected(error)
    if why:
        write_struct(folder.unscored_file, Unscored(why=why))
    else:
        folder.unscored_file.unlink(missing_ok=True)


async def _keep_verdict(
    versions: Versions,
    version: Version,
    folder: RunFolder,
    job: EvaluateJob,
    datasets: Path,
    limit: anyio.CapacityLimiter,
) -> None:
    from anyio import to_process

    if verdict_of_run(versions, version, folder):
        return
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
    versions.keep_evaluation(version, await to_process.run_sync(_scored, asked, cancellable=True, limiter=limit))


def _scored(asked: Asked) -> Evaluation:
    end_with_parent()
    return evaluate(asked)


def verdict_of_run(versions: Versions, version: Version, folder: RunFolder) -> Evaluation | None:
    """The verdict on what a run had answered last; None while it is not made, or a resumed run answered more."""
    made = versions.folder(version) / "evaluations" / f"{folder.id}.json"
    return versions.evaluation_by(version, folder.id) if _newer(made, folder.results_file) else None


def never_scored(versions: Versions, folders: Sequence[RunFolder]) -> list[str]:
    """Of runs that ended as evaluations, the ids of those with answers that were never scored, for no known reason."""
    there = {version.id: version for version in versions.all()}
    found = []
    for folder in folders:
        try:
            job = folder.spec().job
        except (OSError, SpecTooNew, SpecInvalid):
            continue
        asked = (
            [there[each.name] for each in job.adapters if each.name in there] if isinstance(job, EvaluateJob) else []
        )
        if folder.results_file.exists() and any(
            versions.evaluation_by(each, folder.id) is None and why_unscored(each, folder) is None for each in asked
        ):
            found.append(folder.id)
    return found


def why_unscored(version: Version, folder: RunFolder) -> Card | None:
    """Why there is no verdict of a run on a version; None where nothing stood against it."""
    if not _newer(folder.unscored_file, folder.results_file):
        return None
    try:
        return read_struct(folder.unscored_file, Unscored).why.get(version.id)
    except (OSError, msgspec.MsgspecError):
        return None


def _newer(made: Path, answers: Path) -> bool:
    try:
        return made.stat().st_mtime_ns >= answers.stat().st_mtime_ns
    except OSError:
        return made.exists() and not answers.exists()
