"""Versions: what came out of completed runs, each a folder of its own that no longer needs the run.

versions/<id>/version.json      number, lineage, dataset hash, metrics, notes and tags
versions/<id>/adapter/          the adapter, or the whole model after full fine-tuning
versions/<id>/adapter.zip       instead of the folder, once archived
versions/<id>/spec.json         the run's spec: with it the version can be made again
versions/<id>/integrity.json    what the adapter's files were when it was kept
versions/<id>/evaluation.json   base and tuned on the held-out rows: of most rows, the newest among equals
versions/<id>/evaluations/      every evaluation, by its run
versions/<id>/judgements/       what judges said of their examples, by the same run
versions/active.json            the version of each name that is in use, and those before it
versions/deleted.json           what was deleted: its number is never given to other weights
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.results import integrity
from engine.results.evaluation import Evaluation
from engine.spec.files import read_struct, rename, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Full, method_name
from engine.spec.runspec import RunSpec, SpecInvalid, SpecTooNew, TrainJob, decode_spec

ARCHIVE = "adapter.zip"
DELETED = "deleted.json"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """`version.json`. `whole` is true after full fine-tuning: the folder is a model, not an adapter.

    `parent` is the id of the version that training went on from, `model_digests` are of the base's files as they were.
    """

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
    tags: tuple[str, ...] = ()
    model_digests: dict[str, str] = {}

    @property
    def title(self) -> str:
        """How people call it."""
        return f"{self.name} {self.number}"


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was deleted: what its number was, and how far its run had come."""

    id: str
    number: str
    name: str
    dataset_hash: str
    run: str
    steps: int


class Versions:
    """The versions of a Home, by their folders."""

    def __init__(self, folder: Path) -> None:
        self.path = folder

    def all(self) -> tuple[Version, ...]:
        """Newest first. A folder whose record cannot be read is passed over; it is half made or damaged."""
        found = []
        for path in self.path.glob("[!.]*/version.json"):
            try:
                found.append(read_struct(path, Version))
            except (OSError, msgspec.MsgspecError):
                continue
        return tuple(sorted(found, key=lambda version: -version.made))

    def of_run(self, run_id: str) -> Version | None:
        """The version a run became."""
        return next((version for version in self.all() if version.run == run_id), None)

    def gone(self) -> tuple[Gone, ...]:
        """What was deleted. A note that cannot be read counts as empty: it names no weights that are there."""
        try:
            return read_struct(self.path / DELETED, tuple[Gone, ...])
        except (OSError, msgspec.MsgspecError):
            return ()

    def note_gone(self, version: Version) -> None:
        """Remember what a version was that is about to be deleted. Raises OSError."""
        note = Gone(
            id=version.id,
            number=version.number,
            name=version.name,
            dataset_hash=version.dataset_hash,
            run=version.run,
            steps=version.steps,
        )
        write_struct(self.path / DELETED, (*(each for each in self.gone() if each.id != note.id), note))

    def find(self, words: str) -> Version:
        """By id, number, name, run, or `last`. Raises DataError naming the choices."""
        versions = self.all()
        if words == "last" and versions:
            return versions[0]
        for version in versions:
            if words in (version.id, version.title, version.run):
                return version
        named = [version for version in versions if words in (version.number, version.name)]
        if named:
            return named[0]
        choices = ", ".join(version.title for version in versions[:5]) or "none yet"
        raise DataError(
            f"There is no version “{words}”.",
            f"The newest are: {choices}.",
            "Look at `peft-studio versions`.",
            "Use `last` for the newest one.",
        )

    def folder(self, version: Version) -> Path:
        """The folder of everything about a version."""
        return self.path / version.id

    def archived(self, version: Version) -> bool:
        """Its weights are packed away and must be restored before they can be used."""
        folder = self.folder(version)
        return (folder / ARCHIVE).exists() and not (folder / "adapter").is_dir()

    def adapter(self, version: Version) -> Path:
        """The folder with the adapter or the whole model, found to be as it was kept.

        Raises DataError when it is archived or gone, Tampered (a DataError) when a file is not what it was.
        """
        folder = self.folder(version)
        if self.archived(version):
            raise DataError(
                f"{version.title} is archived.",
                "Its weights are packed away to save space.",
                f"Restore it: peft-studio versions restore {version.id}",
            )
        if not (folder / "adapter").is_dir():
            raise DataError(
                f"The weights of {version.title} are gone.",
                "The folder with its adapter is not there any more.",
                "Put it back from a backup or a capsule.",
                "Or delete this version.",
            )
        integrity.check(folder, folder / "adapter", version.title)
        return folder / "adapter"

    def spec(self, version: Version) -> RunSpec:
        """The spec that the version was trained by. Raises DataError when it was not kept."""
        try:
            return decode_spec((self.folder(version) / "spec.json").read_bytes())
        except (OSError, SpecTooNew, SpecInvalid) as error:
            raise DataError(
                f"How {version.title} was made is not known.",
                f"The spec of its run cannot be read ({error}).",
                "Use a version that was made later.",
                "Or train it again.",
            ) from error

    def trained_on(self, version: Version) -> tuple[str, ...]:
        """The hashes of the datasets that it, and those it went on from as far as they are here, were trained on."""
        known = {each.id: each for each in self.all()}
        found = {version.id: version}
        while (parent := known.get(version.parent)) and parent.id not in found:
            found[parent.id] = version = parent
        return tuple(dict.fromkeys(each.dataset_hash for each in found.values() if each.dataset_hash))

    def job(self, version: Version) -> TrainJob:
        """The training that made the version. Raises DataError."""
        job = self.spec(version).job
        assert isinstance(job, TrainJob)
        return job

    def add(self, folder: RunFolder, metrics: dict[str, float], steps: int) -> Version | None:
        """Make a completed or stopped run's version; the same run makes it once.

        None when it left no adapter, or when its version was deleted and it has not gone on since.
        """
        if found := self.of_run(folder.id):
            return found
        gone = self.gone()
        if any(each.run == folder.id and each.steps >= steps for each in gone):
            return None
        spec = folder.spec()
        if not isinstance(spec.job, TrainJob) or not folder.adapter.is_dir():
            return None
        job = spec.job
        parent = job.parent.name if job.parent else ""
        number = next_number((*self.all(), *gone), spec.name, job.data.hash, parent)
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
            parent=parent,
            model_digests=_model_digests(folder),
        )
        try:
            self._write(version, folder)
        except OSError as error:
            raise from_os(error, "keeping the new version") from error
        return version

    def _write(self, version: Version, run: RunFolder) -> None:
        beside = self.path / f".{version.id}.tmp"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(run.adapter, beside / "adapter", copy_function=_link_or_copy)
        shutil.copyfile(run.spec_file, beside / "spec.json")
        integrity.write_integrity(beside, beside / "adapter")
        write_struct(beside / "version.json", version)
        rename(beside, self.path / version.id)

    def change(self, version: Version, *, notes: str | None = None, tags: Sequence[str] | None = None) -> Version:
        """The version with other notes or tags (each once, in order). Raises StorageError."""
        changed = msgspec.structs.replace(
            version,
            notes=version.notes if notes is None else notes,
            tags=version.tags if tags is None else tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip())),
        )
        try:
            write_struct(self.folder(version) / "version.json", changed)
        except OSError as error:
            raise from_os(error, "changing the version") from error
        return changed

    def evaluation(self, version: Version) -> Evaluation | None:
        """The version's own evaluation, on most of its held-out rows, or None before there is one."""
        return _evaluation(self.folder(version) / "evaluation.json")

    def evaluation_by(self, version: Version, run: str) -> Evaluation | None:
        """The evaluation of the version that a run made."""
        return _evaluation(self.folder(version) / "evaluations" / f"{run}.json")

    def evaluations(self, version: Version) -> tuple[Evaluation, ...]:
        """Every evaluation of the version, the newest first."""
        files = (self.folder(version) / "evaluations").glob("*.json")
        newest = sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        found = [_evaluation(path) for path in newest] or [self.evaluation(version)]
        return tuple(each for each in found if each is not None)

    def keep_evaluation(self, version: Version, evaluation: Evaluation) -> None:
        """Store an evaluation with its version; of those on its held-out rows the one with most rows, the newest among
        equals, is the version's own. Raises OSError."""
        folder = self.folder(version)
        (folder / "evaluations").mkdir(exist_ok=True)
        others = (each for each in self.evaluations(version) if each.run != evaluation.run)
        kept = (evaluation, *others, self.evaluation(version))
        own = [each for each in kept if each is not None and _of_own_rows(each, version)]
        if own:  # first: who sees the other file takes all to be kept
            write_struct(folder / "evaluation.json", max(own, key=lambda each: each.base.examples))
        write_struct(folder / "evaluations" / f"{evaluation.run}.json", evaluation)


class _Provenance(msgspec.Struct, frozen=True):
    model: dict[str, str]


def _model_digests(run: RunFolder) -> dict[str, str]:
    """What the worker noted of the base's files at the start; empty where it noted nothing."""
    try:
        return read_struct(run.path / "provenance.json", _Provenance).model
    except (OSError, msgspec.MsgspecError):
        return {}


def _of_own_rows(evaluation: Evaluation, version: Version) -> bool:
    return evaluation.side == "held-out" and evaluation.dataset_hash in ("", version.dataset_hash)


def _evaluation(path: Path) -> Evaluation | None:
    try:
        return read_struct(path, Evaluation)
    except (OSError, msgspec.MsgspecError):
        return None


def next_number(versions: Sequence[Version | Gone], name: str, dataset_hash: str, parent: str = "") -> str:
    """v1.0.0 first; a new patch for training that went on from a version of this name, a new minor for another run on
    the same data, a new major when the data changed. Deleted ones count: a number means the same weights for ever."""
    line = [version for version in versions if version.name == name]
    if not line:
        return "v1.0.0"
    numbers = [parts(version.number) for version in line]
    origin = next((parts(version.number) for version in line if version.id == parent), None)
    if origin:
        patch = max(number[2] for number in numbers if number[:2] == origin[:2])
        return f"v{origin[0]}.{origin[1]}.{patch + 1}"
    major, minor, _patch = max(numbers)
    newest = max(line, key=lambda version: parts(version.number))
    return f"v{major}.{minor + 1}.0" if newest.dataset_hash == dataset_hash else f"v{major + 1}.0.0"


def parts(number: str) -> tuple[int, int, int]:
    """A number to sort by."""
    major, minor, patch = number.removeprefix("v").split(".")
    return int(major), int(minor), int(patch)


def _link_or_copy(source: str, target: str) -> str:
    """A hard link where the file system has them: a whole model is not stored twice."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
