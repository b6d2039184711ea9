"""A version as lists show it: in use or archived, its size, whether it can still be loaded, and how good it is."""

from __future__ import annotations

import msgspec

from engine.core.errors import DataError
from engine.results import care
from engine.results.evaluation import Evaluation
from engine.results.measured import Mean
from engine.results.versions import Version, Versions
from engine.spec.records import Card


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One version and how it stands.

    `base_problem` is what is wrong with its base, `files_problem` what is wrong with its own files. `main` is its mean
    in the measure that its own evaluation turns on, called `measure`, with the unit of that.
    """

    version: Version
    active: bool
    archived: bool
    size: care.Size
    base_problem: Card | None
    files_problem: Card | None
    outcome: str
    score: float | None
    band: str | None = None
    measure: str = ""
    main: Mean | None = None
    unit: str = ""

    @property
    def usable(self) -> bool:
        """It can be loaded as it was kept."""
        return not self.archived and self.base_problem is None and self.files_problem is None


def listed(versions: Versions, version: Version) -> Listed:
    """How one version stands. Reads its files, and those of its base that changed since they were last read."""
    evaluation = versions.evaluation(version)
    used = care.active(versions, version.name)
    archived = versions.archived(version)
    score = evaluation.score if evaluation else None
    result = evaluation.result(evaluation.main) if evaluation else None
    return Listed(
        version=version,
        active=used is not None and used.id == version.id,
        archived=archived,
        size=care.size_of(versions, version),
        base_problem=care.base_problem(version),
        files_problem=None if archived else _files_problem(versions, version),
        outcome=_outcome(evaluation),
        score=score.value if score else None,
        band=score.band if score else None,
        measure=result.measure.title if result else "",
        main=result.tuned if result else None,
        unit=result.measure.unit if result else "",
    )


def _files_problem(versions: Versions, version: Version) -> Card | None:
    try:
        versions.adapter(version)
    except DataError as error:
        return error.card
    return None


def _outcome(evaluation: Evaluation | None) -> str:
    return evaluation.outcome if evaluation else "not evaluated"


def every(versions: Versions) -> tuple[Listed, ...]:
    """All of them, the newest first."""
    return tuple(listed(versions, version) for version in versions.all())
