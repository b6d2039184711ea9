"""Finding what is to be compared in a Home's folders, and comparing it in a spawned process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import DataError, StudioError
from engine.plan.costs import USUAL_TARIFF, Tariff
from engine.results.comparison import Compared, Comparison, check_number, compare
from engine.results.shared_rows import common
from engine.results.subjects import Subject, subject_of, subject_of_run
from engine.results.versions import Version, Versions
from engine.runs.index import view_of
from engine.runs.runs import find_view
from engine.spec.folder import RunFolder


async def compare_named(
    versions: Versions, runs: Path, words: Sequence[str], tariff: Tariff = USUAL_TARIFF
) -> Comparison:
    """Compare two to five versions or runs, named as people name them, at this price of electricity.

    Raises StudioError.
    """
    from anyio import to_process

    found = named(versions, runs, words, tariff)
    return await to_process.run_sync(compare, found, cancellable=True)


def named(versions: Versions, runs: Path, words: Sequence[str], tariff: Tariff = USUAL_TARIFF) -> list[Compared]:
    """What these words mean, each with its evaluation on rows that all were asked. Raises StudioError."""
    check_number(len(words))
    chosen = [version_or_run(versions, runs, each) for each in words]
    ids = [each.id for each in chosen]
    if len(set(ids)) < len(ids):
        raise DataError(
            "The same was named twice.", f"They mean: {', '.join(ids)}.", "Name different versions or runs."
        )
    evaluations = common([versions.evaluations(each) if isinstance(each, Version) else () for each in chosen])
    return [
        Compared(subject=_subject(versions, runs, each, tariff), evaluation=evaluation)
        for each, evaluation in zip(chosen, evaluations, strict=True)
    ]


def _subject(versions: Versions, runs: Path, chosen: Version | RunFolder, tariff: Tariff) -> Subject:
    if isinstance(chosen, Version):
        return subject_of(versions, chosen, RunFolder(runs / chosen.run), tariff)
    return subject_of_run(chosen, tariff)


def version_or_run(versions: Versions, runs: Path, words: str) -> Version | RunFolder:
    """A version, or a run that became none. Raises DataError naming the versions there are."""
    try:
        return versions.find(words)
    except DataError as unknown:
        folders = [RunFolder(path) for path in runs.iterdir() if (path / "spec.json").exists()]
        views = sorted((view_of(folder) for folder in folders), key=lambda view: -view.created)
        try:
            return RunFolder(runs / find_view([view for view in views if view.kind == "train"], words).id)
        except StudioError:
            raise unknown from None
