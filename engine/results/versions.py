"""Versions: what came out of completed runs, each a folder of its own that no longer needs the run.

versions/<id>/version.json    number, lineage, dataset hash, metrics
versions/<id>/adapter/        the adapter, or the whole model after full fine-tuning
versions/<id>/evaluation.json base and tuned on the held-out rows, once evaluated
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.results.evaluation import Evaluation
from engine.spec.files import read_struct, rename, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Full, method_name
from engine.spec.runspec import TrainJob


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """`version.json`. `whole` is true after full fine-tuning: the folder is a model, not an adapter."""

    id: str
    number: str
    name: str
    run: str
    made: float
    model: str
    model_path: str
    model_fingerprint: str
    dataset: str
    dataset_id: str
    dataset_hash: str
    prepared: str
    method: str
    profile: str
    precision: str
    whole: bool
    steps: int
    metrics: dict[str, float]
    parent: str = ""
    notes: str = ""


class Versions:
    """The versions of a Home, by their folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[Version, ...]:
        """Newest first. A folder whose record cannot be read is passed over; it is half made or damaged."""
        found = []
        for path in self._folder.glob("*/version.json"):
            try:
                found.append(read_struct(path, Version))
            except (OSError, msgspec.MsgspecError):
                continue
        return tuple(sorted(found, key=lambda version: -version.made))

    def of_run(self, run_id: str) -> Version | None:
        """The version a run became."""
        return next((version for version in self.all() if version.run == run_id), None)

    def find(self, words: str) -> Version:
        """By id, number, name, run, or `last`. Raises DataError naming the choices."""
        versions = self.all()
        if words == "last" and versions:
            return versions[0]
        for version in versions:
            if words in (version.id, f"{version.name} {version.number}", version.run):
                return version
        named = [version for version in versions if words in (version.number, version.name)]
        if named:
            return named[0]
        choices = ", ".join(f"{version.name} {version.number}" for version in versions[:5]) or "none yet"
        raise DataError(
            f"There is no version “{words}”.",
            f"The newest are: {choices}.",
            "Look at `peft-studio versions`.",
            "Use `last` for the newest one.",
        )

    def adapter(self, version: Version) -> Path:
        """The folder with the adapter or the whole model."""
        return self._folder / version.id / "adapter"

    def add(self, folder: RunFolder, metrics: dict[str, float], steps: int) -> Version | None:
        """Make a completed or stopped run's version; the same run makes it once. None when it left no adapter."""
        if found := self.of_run(folder.id):
            return found
        spec = folder.spec()
        if not isinstance(spec.job, TrainJob) or not folder.adapter.is_dir():
            return None
        job = spec.job
        number = next_number(self.all(), spec.name, job.data.hash)
        version = Version(
            id=f"{spec.id}-{number}",
            number=number,
            name=spec.name,
            run=spec.id,
            made=time.time(),
            model=job.model.name,
            model_path=job.model.path,
            model_fingerprint=job.model.fingerprint,
            dataset=job.data.name,
            dataset_id=job.data.dataset,
            dataset_hash=job.data.hash,
            prepared=job.data.prepared,
            method=method_name(job.method),
            profile=job.profile,
            precision=job.training.precision,
            whole=isinstance(job.method, Full),
            steps=steps,
            metrics=metrics,
        )
        try:
            self._write(version, folder.adapter)
        except OSError as error:
            raise from_os(error, "keeping the new version") from error
        return version

    def _write(self, version: Version, adapter: Path) -> None:
        beside = self._folder / f".{version.id}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(adapter, beside / "adapter", copy_function=_link_or_copy)
        write_struct(beside / "version.json", version)
        rename(beside, self._folder / version.id)

    def evaluation(self, version: Version) -> Evaluation | None:
        """The version's evaluation, or None before there is one."""
        try:
            return read_struct(self._folder / version.id / "evaluation.json", Evaluation)
        except (OSError, msgspec.MsgspecError):
            return None

    def keep_evaluation(self, version: Version, evaluation: Evaluation) -> None:
        """Store the evaluation with its version. Raises OSError."""
        write_struct(self._folder / version.id / "evaluation.json", evaluation)


def next_number(versions: Sequence[Version], name: str, dataset_hash: str) -> str:
    """v1.0.0 first; a new minor for another run on the same data, a new major when the data changed."""
    line = [version for version in versions if version.name == name]
    if not line:
        return "v1.0.0"
    newest = max(line, key=lambda version: _parts(version.number))
    major, minor, _patch = _parts(newest.number)
    return f"v{major}.{minor + 1}.0" if newest.dataset_hash == dataset_hash else f"v{major + 1}.0.0"


def _parts(number: str) -> tuple[int, int, int]:
    major, minor, patch = number.removeprefix("v").split(".")
    return int(major), int(minor), int(patch)


def _link_or_copy(source: str, target: str) -> str:
    """A hard link where the file system has them: a whole model is not stored twice."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
