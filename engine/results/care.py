"""Caring for versions: which one is in use, room on the disk, archives, and whether the base is still what it was."""

from __future__ import annotations

import contextlib
import functools
import shutil
import zipfile
from pathlib import Path

import msgspec

from engine.core.errors import DataError, ModelError, from_os
from engine.plan.models import read_base_model
from engine.results import integrity
from engine.results.packing import below, names_in, opened, pack, unpack
from engine.results.versions import ARCHIVE, Version, Versions
from engine.spec.digests import MODEL_FILES, digest
from engine.spec.files import read_struct, rename, sync_folder, write_struct
from engine.spec.records import Action, Card

ACTIVE = "active.json"
LOW_BYTES = 5_000_000_000
LOW_SHARE = 0.05
"""A disk with less free than 5 GB and than a twentieth of it is called low."""


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """`active.json`: for each name the ids of the versions that were in use, the present one last."""

    history: dict[str, tuple[str, ...]] = {}


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a version's files, and how many of them deleting it would free (others belong to its run too)."""

    bytes: int
    reclaimable: int


class Reclaimable(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can go to make room: a version and what deleting it frees, or why it should stay."""

    version: str
    title: str
    size: Size
    active: bool


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """The disk and what of the versions could go, the largest first. `low` says that it is time to ask."""

    free: int
    total: int
    low: bool
    versions: tuple[Reclaimable, ...]


def active(versions: Versions, name: str) -> Version | None:
    """The version of this name that is in use; None when none was chosen, or it is gone."""
    chosen = _active(versions).history.get(name, ())
    there = {version.id: version for version in versions.all()}
    return there.get(chosen[-1]) if chosen else None


def set_active(versions: Versions, version: Version) -> Version:
    """Use this version under its name from now on. Raises DataError or ModelError when it cannot be loaded."""
    loadable(versions, version)
    known = _active(versions)
    line = tuple(each for each in known.history.get(version.name, ()) if each != version.id)
    _keep_active(versions, known, version.name, (*line, version.id))
    return version


def loadable(versions: Versions, version: Version) -> Path:
    """The folder of a version's weights, if its base and its own files are as they were. Raises DataError, ModelError.

    Ask this before anything is loaded: on another base it would answer otherwise, and nobody would know.
    """
    checked_base(version)
    return versions.adapter(version)


def roll_back(versions: Versions, name: str) -> Version:
    """Use the version that was in use before; returns it. Raises DataError when there is none before, or DataError or
    ModelError when it cannot be loaded."""
    known = _active(versions)
    there = {version.id: version for version in versions.all()}
    line = tuple(each for each in known.history.get(name, ()) if each in there)
    if len(line) < 2:
        raise DataError(
            f"There is nothing to roll {name} back to.",
            "No other version of this name was in use before.",
            "Choose one yourself: peft-studio versions use <version>",
        )
    before = there[line[-2]]
    loadable(versions, before)
    _keep_active(versions, known, name, line[:-1])
    return before


def _active(versions: Versions) -> Active:
    try:
        return read_struct(versions.path / ACTIVE, Active)
    except FileNotFoundError:
        return Active()
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(
            "Which versions are in use cannot be read.",
            f"{ACTIVE} in the versions folder is damaged ({error}).",
            "Delete that file, and choose the versions again.",
        ) from error


def _keep_active(versions: Versions, known: Active, name: str, line: tuple[str, ...]) -> None:
    history = {each: ids for each, ids in {**known.history, name: line}.items() if ids}
    try:
        write_struct(versions.path / ACTIVE, Active(history=history))
    except OSError as error:
        raise from_os(error, "choosing the version") from error


def size_of(versions: Versions, version: Version) -> Size:
    """What a version takes; files that its run holds too are freed only with that run."""
    states = [path.stat() for path in versions.folder(version).rglob("*") if path.is_file()]
    return Size(
        bytes=sum(state.st_size for state in states),
        reclaimable=sum(state.st_size for state in states if state.st_nlink == 1),
    )


def archive(versions: Versions, version: Version) -> Size:
    """Pack a version's weights away, checked before the folder goes; returns its new size. Raises StudioError."""
    folder = versions.folder(version)
    if versions.archived(version):
        return size_of(versions, version)
    _refuse_active(versions, version, "archived")
    adapter = versions.adapter(version)
    try:
        pack(folder / ARCHIVE, below(adapter))
        with opened(folder / ARCHIVE) as package:
            _check_packed(package, adapter, version)
        gone = folder / ".adapter.gone"
        shutil.rmtree(gone, ignore_errors=True)
        rename(adapter, gone)
        sync_folder(folder)
        shutil.rmtree(gone)
    except OSError as error:
        raise from_os(error, f"archiving {version.title}") from error
    return size_of(versions, version)


def _check_packed(package: zipfile.ZipFile, adapter: Path, version: Version) -> None:
    found = {name: entry.file_size for name, entry in names_in(package, version.title).items()}
    if package.testzip() or found != {name: path.stat().st_size for name, path in below(adapter)}:
        raise DataError(
            f"{version.title} could not be archived.",
            "What was packed is not what is in its folder, so the folder was kept.",
            "Try again.",
            "Look whether the disk reports errors.",
        )


def restore(versions: Versions, version: Version) -> Path:
    """Unpack an archived version and check it; returns its adapter folder. Raises StudioError."""
    folder = versions.folder(version)
    if not versions.archived(version):
        return versions.adapter(version)
    beside = folder / ".adapter.tmp"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with opened(folder / ARCHIVE) as package:
            unpack(package, names_in(package, version.title).values(), beside, version.title)
        integrity.check(folder, beside, version.title)
        rename(beside, folder / "adapter")
        (folder / ARCHIVE).unlink()
    except OSError as error:
        raise from_os(error, f"restoring {version.title}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder / "adapter"


def delete(versions: Versions, version: Version) -> Size:
    """Delete a version for good; returns what that freed. Raises StudioError for the one in use."""
    _refuse_active(versions, version, "deleted")
    freed = size_of(versions, version)
    gone = versions.path / f".{version.id}.gone"
    try:
        shutil.rmtree(gone, ignore_errors=True)
        with contextlib.suppress(OSError):  # a full disk: it is noted once there is room
            versions.note_gone(version)
        rename(versions.folder(version), gone)
        shutil.rmtree(gone)
        versions.note_gone(version)
    except OSError as error:
        raise from_os(error, f"deleting {version.title}") from error
    known = _active(versions)
    line = tuple(each for each in known.history.get(version.name, ()) if each != version.id)
    if version.name in known.history:
        _keep_active(versions, known, version.name, line)
    return freed


def _refuse_active(versions: Versions, version: Version, done: str) -> None:
    now = active(versions, version.name)
    if now and now.id == version.id:
        raise DataError(
            f"{version.title} cannot be {done}.",
            "It is the version in use.",
            "Use another version first: peft-studio versions use <version>",
            "Or roll back: peft-studio versions back " + version.name,
        )


def space(versions: Versions) -> Space:
    """How full the disk is, and what of the versions could go."""
    disk = shutil.disk_usage(versions.path)
    used = {version.id for version in versions.all() if _in_use(versions, version)}
    found = [
        Reclaimable(
            version=version.id,
            title=version.title,
            size=size_of(versions, version),
            active=version.id in used,
        )
        for version in versions.all()
    ]
    return Space(
        free=disk.free,
        total=disk.total,
        low=disk.free < min(LOW_BYTES, LOW_SHARE * disk.total),
        versions=tuple(sorted(found, key=lambda each: -each.size.reclaimable)),
    )


def _in_use(versions: Versions, version: Version) -> bool:
    now = active(versions, version.name)
    return now is not None and now.id == version.id


def base_problem(version: Version) -> Card | None:
    """What is wrong with the base model that a version sits on; None when it is as it was trained on."""
    try:
        now = read_base_model(Path(version.model_path))
    except ModelError as error:
        return _base_card(version, "is gone", f"At {version.model_path}: {error.card.what} {error.card.why}")
    changed = _changed_files(version)
    if changed or (version.model_fingerprint and now.ref.fingerprint != version.model_fingerprint):
        files = ", ".join(changed) or "The files"
        verb = "is not what" if len(changed) == 1 else "are not what"
        why = f"{files} in {version.model_path} {verb} it was trained on, and it would answer otherwise."
        return _base_card(version, "has changed", why)
    return None


def _changed_files(version: Version) -> list[str]:
    """The base's files that are other than they were; none where nothing was noted."""
    if not version.model_digests:
        return []
    paths = (path for pattern in MODEL_FILES for path in Path(version.model_path).glob(pattern))
    now = {path.name: _digest(path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths}
    names = sorted(now.keys() | version.model_digests.keys())
    return [name for name in names if now.get(name) != version.model_digests.get(name)]


@functools.lru_cache(maxsize=1024)
def _digest(path: Path, _size: int, _changed: int) -> str:
    """Read again only when its size or time changed: a version is attached in milliseconds."""
    return digest(path)


def _base_card(version: Version, how: str, why: str) -> Card:
    return Card(
        what=f"The base model of {version.title} {how}.",
        why=why,
        actions=(
            Action(label=f"Put {version.model} back as it was."),
            Action(label="Or train again on the model that is there now."),
        ),
        code="model",
    )


def checked_base(version: Version) -> None:
    """Raises ModelError when the base has changed or is gone."""
    if card := base_problem(version):
        raise ModelError.from_card(card)
