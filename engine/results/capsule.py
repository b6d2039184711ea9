"""A run capsule: one zip file with everything about a version, which another machine can verify and run again.

    capsule.json      what it is, and the size and sha256 of every other file
    recipe.json       the run's spec, without places on the machine that made it
    version.json evaluation.json certificate.json
    adapter/          the trained weights
    dataset/          the rows, when they may travel; otherwise their hash is in capsule.json

It proves that its parts belong together and are whole, not who made it: whoever changes a part and writes capsule.json
anew has made another capsule, with another digest.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.core.errors import DataError, StorageError, from_os
from engine.data.nouns import Dataset, Row
from engine.results.integrity import FileHash, hashes_of
from engine.results.packing import BadPackage, below, names_in, opened, pack, unpack
from engine.results.versions import Version, Versions
from engine.spec.exports import CERTIFICATE
from engine.spec.files import LineReader, read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Event, Fact
from engine.spec.runspec import RunSpec, SpecInvalid, SpecTooNew, TrainJob, decode_spec

FORMAT = 1
MANIFEST = "capsule.json"
MOST_MANIFEST = 20_000_000
ADAPTER_CONFIG = "adapter_config.json"


class DataPart(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset: its hash, the seed of its split, and whether its rows are inside."""

    name: str
    id: str
    hash: str
    rows: int
    seed: int
    inside: bool


class Capsule(msgspec.Struct, frozen=True, kw_only=True):
    """`capsule.json`. `environment` has the versions of the libraries, the threads and the machine of the run."""

    format: int
    made: float
    title: str
    model: str
    model_fingerprint: str
    dataset: DataPart
    seed: int
    metrics: dict[str, float]
    environment: dict[str, Fact]
    files: dict[str, FileHash]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A capsule that was looked through. `digest` is the sha256 of its list of files: compare it with its maker's."""

    capsule: Capsule
    digest: str
    bytes: int
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Every part is there, whole, and belongs to the others."""
        return not self.problems


def make(versions: Versions, version: Version, runs: Path, datasets: Path, target: Path, *, rows: bool) -> Verified:
    """Write a version's capsule to `target`; with `rows` its dataset travels along. Raises StudioError."""
    if target.exists():
        raise StorageError(
            f"There is already a file {target.name}.",
            "A capsule never replaces a file.",
            "Choose another name, or delete that file first.",
        )
    run = RunFolder(runs / version.run)
    try:
        with tempfile.TemporaryDirectory(prefix="peft-studio-capsule-") as place:
            folder = Path(place)
            dataset = _put_together(folder, versions, version, run, datasets / version.dataset_id, rows)
            write_struct(folder / MANIFEST, _manifest(folder, versions, version, run, dataset))
            pack(target, below(folder))
    except OSError as error:
        raise from_os(error, f"making the capsule of {version.title}") from error
    return verify(target)


def _put_together(
    folder: Path, versions: Versions, version: Version, run: RunFolder, dataset: Path, rows: bool
) -> DataPart:
    """Copy the parts into one folder; returns what is said of the dataset. Raises StudioError or OSError."""
    shutil.copytree(versions.adapter(version), folder / "adapter")
    _without_base_path(folder / "adapter", version.model)
    write_struct(folder / "recipe.json", _without_places(versions.spec(version)))
    write_struct(folder / "version.json", msgspec.structs.replace(version, model_path="", prepared=""))
    if evaluation := versions.evaluation(version):
        write_struct(folder / "evaluation.json", evaluation)
    if certificate := _certificate(run.path.parent, version):
        shutil.copyfile(certificate, folder / CERTIFICATE)
    known = _dataset(dataset) if dataset.is_dir() else None
    if rows:
        if known is None:
            raise _no_rows(version)
        shutil.copytree(dataset, folder / "dataset")
    return DataPart(
        name=version.dataset,
        id=version.dataset_id,
        hash=version.dataset_hash,
        rows=known.rows if known else 0,
        seed=known.seed if known else 0,
        inside=rows,
    )


def _no_rows(version: Version) -> DataError:
    return DataError(
        f"The rows of {version.dataset} are gone.",
        "The dataset was deleted, so its rows cannot travel in the capsule.",
        "Import the data again.",
        "Or make the capsule without rows: --no-rows",
    )


def _dataset(folder: Path) -> Dataset:
    try:
        return read_struct(folder / "dataset.json", Dataset)
    except msgspec.MsgspecError as error:
        raise BadPackage("The dataset cannot be read.", f"dataset.json: {error}.", "Import the data again.") from error


def _without_base_path(adapter: Path, model: str) -> None:
    """PEFT notes where the base lay on this machine, in two files; its name says as much elsewhere."""
    (adapter / "README.md").unlink(missing_ok=True)
    config = adapter / ADAPTER_CONFIG
    if config.exists():
        settings = msgspec.json.decode(config.read_bytes())
        settings["base_model_name_or_path"] = model
        config.write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=2))


def _without_places(spec: RunSpec) -> RunSpec:
    job = spec.job
    assert isinstance(job, TrainJob)
    change = msgspec.structs.replace
    parent = change(job.parent, path="") if job.parent else None
    bare = change(job, model=change(job.model, path=""), data=change(job.data, prepared=""), parent=parent)
    return change(spec, job=bare)


def _certificate(runs: Path, version: Version) -> Path | None:
    """The newest certificate that an export of this version got."""
    found = []
    for path in runs.glob(f"*/{CERTIFICATE}"):
        try:
            adapter = getattr(RunFolder(path.parent).spec().job, "adapter", None)
        except (OSError, SpecTooNew, SpecInvalid):
            continue
        if adapter is not None and adapter.name == version.id:
            found.append(path)
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def _manifest(folder: Path, versions: Versions, version: Version, run: RunFolder, dataset: DataPart) -> Capsule:
    return Capsule(
        format=FORMAT,
        made=time.time(),
        title=version.title,
        model=version.model,
        model_fingerprint=version.model_fingerprint,
        dataset=dataset,
        seed=versions.job(version).training.seed,
        metrics=version.metrics,
        environment=_environment(run),
        files=hashes_of(folder),
    )


def _environment(run: RunFolder) -> dict[str, Fact]:
    """What the worker said of its libraries and device when it loaded, and this machine's system."""
    loaded = [event for event in LineReader(run.events_file, Event).read() if event.kind == "loaded"]
    names = ("torch", "transformers", "peft", "threads", "device", "processes")
    facts = {name: loaded[-1].facts[name] for name in names if name in loaded[-1].facts} if loaded else {}
    return {**facts, "python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}


def verify(path: Path) -> Verified:
    """Look through a capsule without writing anything. Raises StudioError when it is none, or holds path tricks."""
    try:
        with opened(path) as package:
            entries = names_in(package, path.name)
            capsule = _read_manifest(package, entries, path.name)
            problems = [*_files(package, entries, capsule), *_belonging(package, entries, capsule)]
    except OSError as error:
        raise from_os(error, f"reading {path.name}") from error
    listed = msgspec.json.encode(dict(sorted(capsule.files.items())))
    size = sum(entry.file_size for entry in entries.values())
    return Verified(capsule=capsule, digest=hashlib.sha256(listed).hexdigest(), bytes=size, problems=tuple(problems))


def _read_manifest(package: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], called: str) -> Capsule:
    entry = entries.get(MANIFEST)
    if entry is None or entry.file_size > MOST_MANIFEST:
        raise BadPackage(f"{called} is no capsule.", f"It has no {MANIFEST}.", "Make one: peft-studio capsule make")
    try:
        capsule = msgspec.json.decode(package.read(entry), type=Capsule)
    except (msgspec.MsgspecError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise BadPackage(f"{called} is damaged.", f"{MANIFEST}: {error}.", "Get the file again.") from error
    if capsule.format > FORMAT:
        raise BadPackage(
            f"{called} was made by a newer version of PEFT Studio.",
            f"It has format {capsule.format}, and this version reads up to {FORMAT}.",
            "Update PEFT Studio.",
        )
    return capsule


def _files(package: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], capsule: Capsule) -> list[str]:
    """What is changed, gone or added."""
    problems = [f"{name} is gone" for name in capsule.files if name not in entries]
    problems += [f"{name} was added" for name in entries if name not in capsule.files and name != MANIFEST]
    for name, wanted in capsule.files.items():
        if name in entries and _hash_in(package, entries[name]) != wanted:
            problems.append(f"{name} was changed")
    return problems


def _hash_in(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> FileHash | None:
    """A file's size and hash; None when it cannot be read."""
    found, size = hashlib.sha256(), 0
    try:
        with package.open(entry) as file:
            while piece := file.read(1 << 20):
                found.update(piece)
                size += len(piece)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError):
        return None
    return FileHash(size=size, sha256=found.hexdigest())


def _belonging(package: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], capsule: Capsule) -> list[str]:
    """Whether recipe, version and rows are of the same training."""
    problems = []
    try:
        recipe = decode_spec(package.read(entries["recipe.json"]))
        version = msgspec.json.decode(package.read(entries["version.json"]), type=Version)
    except (KeyError, SpecTooNew, SpecInvalid, msgspec.MsgspecError, zipfile.BadZipFile) as error:
        return [f"the recipe or the version cannot be read ({error})"]
    if not isinstance(recipe.job, TrainJob):
        return ["the recipe is no training"]
    if {recipe.job.data.hash, version.dataset_hash, capsule.dataset.hash} != {capsule.dataset.hash}:
        problems.append("the recipe is of other data")
    if version.run != recipe.id:
        problems.append("the version is of another run")
    if capsule.dataset.inside and _rows_hash(package, entries) != capsule.dataset.hash:
        problems.append("the rows are not those that it was trained on")
    return problems


def _rows_hash(package: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> str:
    """The hash of the rows inside, as a dataset has it; empty when they cannot be read."""
    if "dataset/rows.jsonl" not in entries:
        return ""
    decoder, encoder, found = msgspec.json.Decoder(Row), msgspec.json.Encoder(), hashlib.sha256()
    try:
        with package.open(entries["dataset/rows.jsonl"]) as lines:
            for line in lines:
                found.update(encoder.encode(decoder.decode(line)) + b"\n")
    except (msgspec.MsgspecError, zipfile.BadZipFile, RuntimeError, EOFError):
        return ""
    return found.hexdigest()


def sound(path: Path) -> Verified:
    """A capsule that may be used. Raises BadPackage naming what is wrong with it."""
    found = verify(path)
    if not found.sound:
        raise BadPackage(
            f"{path.name} is not what was packed.",
            f"{found.problems[0][:1].upper()}{found.problems[0][1:]}.",
            "Get the file again from where it came.",
            "Do not use it if it stays so.",
        )
    return found


def recipe_of(path: Path) -> RunSpec:
    """The recipe inside a sound capsule. Raises BadPackage."""
    with opened(path) as package:
        return decode_spec(package.read(names_in(package, path.name)["recipe.json"]))


def take_dataset(path: Path, capsule: Capsule, datasets: Path) -> Dataset:
    """Put the rows of a sound capsule among the datasets, unless they are there. Raises StudioError."""
    if not (capsule.dataset.id.isascii() and capsule.dataset.id.isalnum()):
        raise BadPackage(
            f"{path.name} cannot be used.", "Its dataset has a name that is not allowed.", "Do not use it."
        )
    target = datasets / capsule.dataset.id
    if not (target / "dataset.json").exists():
        try:
            _unpack_dataset(path, target)
        except OSError as error:
            raise from_os(error, "unpacking the capsule's rows") from error
    return _dataset(target)


def _unpack_dataset(path: Path, target: Path) -> None:
    beside = target.with_name(f".{target.name}.capsule")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with opened(path) as package:
            entries = names_in(package, path.name)
            inside = [entry for name, entry in entries.items() if name.startswith("dataset/")]
            if sum(entry.file_size for entry in inside) > shutil.disk_usage(target.parent).free:
                raise StorageError("The disk is full.", "The capsule's rows do not fit on it.", "Free some space.")
            unpack(package, inside, beside, path.name)
        _dataset(beside / "dataset")
        (beside / "dataset").rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
