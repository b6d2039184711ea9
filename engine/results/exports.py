"""Exports of a Home: what was made of which version, where it lies, and whether its certificate holds.

exports/<run>/export.json     what, of which version, and where
exports/<run>/files/          the export itself, unless the user named another folder; complete or not there
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec

from engine.core.errors import DataError, StorageError, from_os
from engine.core.home import Home
from engine.plan.fitting import size
from engine.spec.exports import CERTIFICATE, Certificate, Form, Quant
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import RunState

FILES = "files"
RECORD = "export.json"


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """`export.json`: `id` is its run's, `version` the version's id and `title` its name for people."""

    id: str
    version: str
    title: str
    form: Form
    quant: Quant
    folder: str
    made: float


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """An export as it stands: its run's state, its certificate once there is one, and the bytes in its folder."""

    export: Export
    state: RunState
    certificate: Certificate | None
    bytes: int

    @property
    def proven(self) -> bool:
        """It is whole, and answers like the trained model."""
        return self.state is RunState.COMPLETED and self.certificate is not None and self.certificate.passed


class ExportFolders:
    """The exports of a Home, by their folders."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._folder = home.exports

    def all(self) -> tuple[Exported, ...]:
        """Newest first. A folder whose record cannot be read is passed over."""
        found = []
        for path in self._folder.glob(f"*/{RECORD}"):
            try:
                found.append(self._standing(read_struct(path, Export)))
            except (OSError, msgspec.MsgspecError):
                continue
        return tuple(sorted(found, key=lambda each: -each.export.made))

    def find(self, words: str) -> Exported:
        """By id, the start of it, or `last`. Raises DataError naming the choices."""
        known = self.all()
        if words == "last" and known:
            return known[0]
        matching = [each for each in known if each.export.id == words or (words and each.export.id.startswith(words))]
        if len(matching) == 1:
            return matching[0]
        choices = ", ".join(each.export.id for each in known[:5]) or "none yet"
        raise DataError(
            f"There is no export “{words}”.",
            f"The newest are: {choices}.",
            "Look at `peft-studio exports`.",
            "Use `last` for the newest one.",
        )

    def keep(self, export: Export) -> None:
        """Write down that an export was asked for. Raises StorageError."""
        try:
            (self._folder / export.id).mkdir(parents=True, exist_ok=True)
            write_struct(self._folder / export.id / RECORD, export)
        except OSError as error:
            raise from_os(error, "noting the export") from error

    def keeps(self, export: Export) -> bool:
        """Whether its files lie in the Home, and go with it."""
        return Path(export.folder).is_relative_to(self._folder)

    def delete(self, export: Export) -> None:
        """Forget an export, and delete its files where the Home keeps them; those in a folder of the user's stay.

        Raises StorageError.
        """
        try:
            shutil.rmtree(self._folder / export.id)
        except OSError as error:
            raise from_os(error, "deleting the export") from error

    def own(self, run_id: str) -> Path:
        """Where an export lies when no folder was named."""
        return self._folder / run_id / FILES

    def _standing(self, export: Export) -> Exported:
        run, folder = RunFolder(self._home.runs / export.id), Path(export.folder)
        there = [path.stat().st_size for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
        state = run.state().state if run.path.is_dir() else (RunState.COMPLETED if there else RunState.LOST)
        certificate = _certificate(run.path) or _certificate(folder)
        return Exported(export=export, state=state, certificate=certificate, bytes=sum(there))


def _certificate(folder: Path) -> Certificate | None:
    try:
        return read_struct(folder / CERTIFICATE, Certificate)
    except (OSError, msgspec.MsgspecError):
        return None


def safe_name(words: str) -> str:
    """A name for files and folders: letters, digits, dots and dashes, nothing that leads out of a folder."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", words)
    return re.sub(r"\.{2,}", ".", plain).strip("-._")[:80] or "export"


def refuse_place(target: Path, home: Home, model: Path) -> None:
    """Raises StorageError when the export would lie over something, or inside the Home or the base model."""
    real = target.resolve()
    for place, called in ((home.path, "the Home"), (model, "the base model's folder")):
        inside = real.is_relative_to(place.resolve())
        if inside and not real.is_relative_to(home.exports.resolve()):
            raise StorageError(
                "An export cannot be put there.",
                f"{target} lies inside {called}, which PEFT Studio reads as its own.",
                "Choose a folder of your own with --into.",
                "Or leave --into away: the export is then kept in the Home.",
            )
    above = next((each for each in target.parents if each.exists()), target)
    if not above.is_dir():
        raise StorageError(
            "An export cannot be put there.",
            f"{above} is a file, and no folder can be made in it.",
            "Choose a folder that is empty, or one that does not exist yet.",
        )
    if target.exists() and not target.is_dir():
        raise StorageError(
            "An export cannot be put there.",
            f"{target} is a file, and an export is a folder.",
            "Choose a folder that is empty, or one that does not exist yet.",
        )
    if target.exists() and any(target.iterdir()):
        raise StorageError(
            "The folder for the export is not empty.",
            f"{target} holds something already, and an export never writes over anything.",
            "Choose another folder, or one that does not exist yet.",
        )


def refuse_small_disk(target: Path, needed: int) -> None:
    """Raises StorageError when the disk has too little room. The worker meets a disk that fills up later by itself."""
    place = next(each for each in (target, *target.parents) if each.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise StorageError(
            "There is not enough room on the disk.",
            f"The export needs about {size(needed)}, and {size(free)} are free at {place}.",
            "Free some space, or delete exports and versions you no longer need.",
            "Choose a folder on another disk with --into, or a smaller form.",
        )
