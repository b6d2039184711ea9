"""The versions of a dataset: which came from which by what, how large they are, undone and deleted."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.library import list_datasets, load_dataset
from engine.data.nouns import Dataset
from engine.data.steps import word_of
from engine.spec.files import rename


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version: from which it was made, by what (as `data fix` writes it), its rows, score, and bytes on the disk."""

    id: str
    name: str
    parent: str
    fixes: tuple[str, ...]
    rows: int
    score: float | None
    made: float
    bytes: int


def versions(datasets: Path, wanted: str) -> tuple[DatasetVersion, ...]:
    """Every version in the line of a dataset, the oldest first. Raises DataError."""
    known = list_datasets(datasets)
    line = {load_dataset(datasets, wanted).id}
    while grown := {each.id for each in known if each.id not in line and _related(each, line, known)}:
        line |= grown
    return tuple(_version(datasets, each, known) for each in reversed(known) if each.id in line)


def _related(one: Dataset, line: set[str], known: list[Dataset]) -> bool:
    return one.parent in line or any(each.parent == one.id for each in known if each.id in line)


def _version(datasets: Path, dataset: Dataset, known: list[Dataset]) -> DatasetVersion:
    before = next((len(each.steps) for each in known if each.id == dataset.parent), 0)
    return DatasetVersion(
        id=dataset.id,
        name=dataset.name,
        parent=dataset.parent,
        fixes=tuple(word_of(each) for each in dataset.steps[before:]),
        rows=dataset.rows,
        score=dataset.score,
        made=dataset.made,
        bytes=size_on_disk(datasets / dataset.id),
    )


def size_on_disk(folder: Path) -> int:
    """The bytes of everything in a folder."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def undo(datasets: Path, wanted: str) -> Dataset:
    """Delete the version and answer with the one it was made from. Raises DataError when there is none."""
    dataset = load_dataset(datasets, wanted)
    if not dataset.parent:
        raise DataError(
            f"There is nothing to undo in {dataset.name}.",
            "It stands as it was imported.",
            "To remove it altogether, delete it.",
        )
    before = load_dataset(datasets, dataset.parent)
    delete(datasets, dataset.id)
    return before


def delete(datasets: Path, wanted: str) -> Dataset:
    """Delete a dataset, whole or not at all; versions made from it stay. Raises DataError, StorageError."""
    dataset = load_dataset(datasets, wanted)
    gone = datasets / f".work-{uuid.uuid4().hex[:8]}"
    try:
        rename(datasets / dataset.id, gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise from_os(error, f"deleting {dataset.name}") from error
    return dataset
