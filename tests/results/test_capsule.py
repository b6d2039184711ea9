"""A capsule holds together, says what was changed in it, and writes nothing where it must not."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.core.errors import DataError, StorageError
from engine.data.library import load_dataset, rows_in
from engine.results import capsule
from engine.results.packing import BadPackage, names_in, unpack
from engine.results.versions import Version, Versions
from tests.results.made import dataset_in, finished_run, spec_of


@pytest.fixture
def version(tmp_path: Path) -> Version:
    """A version trained on a dataset that is there."""
    dataset = dataset_in(tmp_path / "datasets")
    spec = spec_of("run-1", data=dataset.hash)
    job = msgspec.structs.replace(spec.job, data=msgspec.structs.replace(spec.job.data, dataset=dataset.id))  # type: ignore[union-attr, type-var]
    versions = Versions(tmp_path / "versions")
    versions.path.mkdir()
    made = versions.add(finished_run(tmp_path / "runs", msgspec.structs.replace(spec, job=job)), {"loss": 0.5}, 10)
    assert made is not None
    return made


def packed(place: Path, version: Version, *, rows: bool = True) -> Path:
    versions = Versions(place / "versions")
    capsule.make(versions, version, place / "runs", place / "datasets", place / "c.zip", rows=rows)
    return place / "c.zip"


@pytest.mark.parametrize("rows", [True, False], ids=["with rows", "hash only"])
def test_a_capsule_is_sound_and_brings_its_rows_along(tmp_path: Path, version: Version, rows: bool) -> None:
    path = packed(tmp_path, version, rows=rows)
    found = capsule.sound(path)
    assert found.capsule.dataset.inside is rows and found.capsule.metrics == {"loss": 0.5}
    assert capsule.recipe_of(path).job.training == Versions(tmp_path / "versions").job(version).training  # type: ignore[union-attr]
    if rows:
        (tmp_path / "elsewhere").mkdir()
        dataset = capsule.take_dataset(path, found.capsule, tmp_path / "elsewhere")
        assert dataset == load_dataset(tmp_path / "datasets", version.dataset_id)
        assert len(list(rows_in(tmp_path / "elsewhere" / dataset.id))) == 12


def test_a_capsule_names_no_place_on_the_machine_that_made_it(tmp_path: Path, version: Version) -> None:
    with zipfile.ZipFile(packed(tmp_path, version)) as package:
        for name in package.namelist():
            data = package.read(name)
            assert b"/home/me" not in data and str(tmp_path).encode() not in data, name


def test_a_capsule_never_replaces_a_file(tmp_path: Path, version: Version) -> None:
    path = packed(tmp_path, version)
    with pytest.raises(StorageError, match="already a file"):
        packed(tmp_path, version)
    assert capsule.verify(path).sound


def test_rows_that_are_gone_are_said(tmp_path: Path, version: Version) -> None:
    shutil.rmtree(tmp_path / "datasets")
    with pytest.raises(DataError, match="are gone"):
        packed(tmp_path, version)
    assert not (tmp_path / "c.zip").exists()
    assert capsule.verify(packed(tmp_path, version, rows=False)).sound


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The capsule with other contents, as someone with a zip program makes it."""
    with zipfile.ZipFile(path) as package:
        contents = {name: package.read(name) for name in package.namelist()}
    change(contents)
    with zipfile.ZipFile(path, "w") as package:
        for name, data in contents.items():
            package.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update({"adapter/adapter_model.safetensors": b"other"}), "adapter_model.safetensors was changed"),
        (lambda c: c.pop("recipe.json"), "recipe.json is gone"),
        (lambda c: c.update({"adapter/evil.py": b"1"}), "adapter/evil.py was added"),
        (lambda c: c.update({"dataset/rows.jsonl": c["dataset/rows.jsonl"][:-20] + b"\n"}), "rows.jsonl was changed"),
    ],
    ids=["weights", "recipe", "added", "rows"],
)
def test_tampering_is_found_and_named(tmp_path: Path, version: Version, change, words: str) -> None:
    path = rewritten(packed(tmp_path, version), change)
    found = capsule.verify(path)
    assert not found.sound and any(words in problem for problem in found.problems)
    with pytest.raises(BadPackage, match="not what was packed"):
        capsule.sound(path)


def test_rows_of_other_data_do_not_belong_even_with_a_new_list_of_files(tmp_path: Path, version: Version) -> None:
    before = capsule.verify(packed(tmp_path, version))

    def swap(contents: dict[str, bytes]) -> None:
        import hashlib

        rows = contents["dataset/rows.jsonl"].replace(b"answer 3", b"answer 4")
        contents["dataset/rows.jsonl"] = rows
        listed = json.loads(contents["capsule.json"])
        listed["files"]["dataset/rows.jsonl"] = {"size": len(rows), "sha256": hashlib.sha256(rows).hexdigest()}
        contents["capsule.json"] = json.dumps(listed).encode()

    found = capsule.verify(rewritten(tmp_path / "c.zip", swap))
    assert found.problems == ("the rows are not those that it was trained on",)
    assert found.digest != before.digest


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "a/../../evil",
        "a\\..\\evil",
        "C:evil",
        "aux.txt",
        "a//b",
        "a/./b",
        "trailing. ",
        "x\x01",
    ],
)
def test_path_tricks_are_refused(tmp_path: Path, version: Version, name: str) -> None:
    path = rewritten(packed(tmp_path, version), lambda contents: contents.update({name: b"evil"}))
    with pytest.raises(BadPackage):
        capsule.verify(path)


def test_links_and_names_that_are_the_same_elsewhere_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("adapter/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for number, entries in enumerate(([link], [zipfile.ZipInfo("Recipe.json"), zipfile.ZipInfo("recipe.JSON")])):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as package:
            for entry in entries:
                package.writestr(entry, "/etc/passwd")
        with zipfile.ZipFile(path) as package, pytest.raises(BadPackage):
            names_in(package, path.name)


def test_a_file_larger_than_announced_is_not_written_out(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("big", b"0" * 1_000_000)
    with zipfile.ZipFile(path) as package:
        entries = names_in(package, path.name)
        entries["big"].file_size = 10
        with pytest.raises(BadPackage):
            unpack(package, entries.values(), tmp_path / "out", path.name)
    assert (tmp_path / "out" / "big").stat().st_size <= 10


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04 half"], ids=["empty", "text", "half"])
def test_what_is_no_capsule_is_refused_with_a_card(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "c.zip"
    path.write_bytes(data)
    with pytest.raises(BadPackage) as caught:
        capsule.verify(path)
    assert caught.value.card.actions
