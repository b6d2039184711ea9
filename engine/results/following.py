"""Gathering what advice about a version rests on, from the folders of a Home."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.data.library import load_dataset
from engine.data.nouns import Dataset
from engine.monitor.reading import Reading
from engine.results.advice import Advice, advise
from engine.results.comparison import errors_by_topic
from engine.results.versions import Version, Versions
from engine.runs.reading import reading_of
from engine.spec.folder import RunFolder
from engine.spec.runspec import SpecInvalid, SpecTooNew


async def advice_for(versions: Versions, version: Version, runs: Path, datasets: Path) -> tuple[Advice, ...]:
    """What to do next about a version; what is gone or was never measured is left out.

    Advice changes the recipe, so without one that can be read there is none.
    """
    from anyio import to_process

    try:
        job = versions.job(version)
    except DataError:
        return ()
    evaluation = versions.evaluation(version)
    topics = await to_process.run_sync(errors_by_topic, evaluation, cancellable=True) if evaluation else ()
    return advise(
        job,
        evaluation,
        _reading(RunFolder(runs / version.run)),
        _dataset(datasets, version.dataset_id),
        topics,
    )


def _reading(run: RunFolder) -> Reading | None:
    try:
        kept = reading_of(run)
    except (OSError, SpecInvalid, SpecTooNew, msgspec.MsgspecError):
        return None
    return kept.reading if kept else None


def _dataset(datasets: Path, wanted: str) -> Dataset | None:
    try:
        return load_dataset(datasets, wanted)
    except DataError:
        return None
