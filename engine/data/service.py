"""The data functions for the app: each runs in a spawned process, so that the app neither waits nor grows.

Cancelling a call ends its process. Only the nouns are imported here; everything heavy is imported over there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import msgspec

from engine.core.errors import DataError, ModelError, StorageError, StudioError
from engine.data.nouns import Dataset, Inspection, Limits, Mapping
from engine.spec.prepared import PreparedHeader, Split
from engine.spec.records import Card

if TYPE_CHECKING:
    from engine.data.preview import PreviewRow

T = TypeVar("T")
_KINDS: dict[str, type[StudioError]] = {each.code: each for each in (DataError, ModelError, StorageError)}


class _Answer(msgspec.Struct, Generic[T], frozen=True):
    """What comes back from the other process: a value, or the card of an error (exceptions do not travel whole)."""

    value: T | None
    card: Card | None


async def inspect_file(path: Path, limits: Limits | None = None, mapping: Mapping | None = None) -> Inspection:
    """`engine.data.inspect.inspect_file` in a spawned process."""
    return await _away(partial(_inspect, path, limits, mapping), f"reading {path.name}")


async def import_file(
    datasets: Path,
    source: Path,
    *,
    name: str = "",
    mapping: Mapping | None = None,
    seed: int = 42,
    limits: Limits | None = None,
) -> Dataset:
    """`engine.data.library.import_file` in a spawned process."""
    return await _away(partial(_import, datasets, source, name, mapping, seed, limits), f"importing {source.name}")


async def prepare(dataset_folder: Path, model_folder: Path, max_length: int, prepared_root: Path) -> PreparedHeader:
    """`engine.data.prepare.prepare` in a spawned process."""
    work = partial(_prepare, dataset_folder, model_folder, max_length, prepared_root)
    return await _away(work, f"preparing {dataset_folder.name}")


async def preview(
    prepared_folder: Path, model_folder: Path, split: Split = "train", start: int = 0, count: int = 10
) -> tuple[PreviewRow, ...]:
    """`engine.data.preview.preview` in a spawned process."""
    return await _away(partial(_preview, prepared_folder, model_folder, split, start, count), "rendering rows")


async def _away(work: Callable[[], T], doing: str) -> T:
    from anyio import to_process

    try:
        answer = await to_process.run_sync(_answered, work, cancellable=True)
    except anyio.BrokenWorkerProcess as error:
        raise DataError(
            "The process that reads your data ended unexpectedly.",
            f"That happened while {doing}. Most often the system ended it because memory ran out.",
            "Close other programs and try again.",
            "Or split the file into smaller ones.",
        ) from error
    if answer.card is not None:
        kind = _KINDS.get(answer.card.code, DataError)
        raise kind(answer.card.what, answer.card.why, *answer.card.actions, help=answer.card.help)
    assert answer.value is not None
    return answer.value


def _answered(work: Callable[[], T]) -> _Answer[T]:
    """In the spawned process: the value, or the card of what went wrong."""
    try:
        return _Answer(work(), None)
    except StudioError as error:
        return _Answer(None, error.card)
    except MemoryError:
        card = DataError(
            "Memory ran out.",
            "The file needs more than this machine has free.",
            "Close other programs and try again.",
            "Or split the file into smaller ones.",
        ).card
        return _Answer(None, card)


def _inspect(path: Path, limits: Limits | None, mapping: Mapping | None) -> Inspection:
    from engine.data.inspect import inspect_file as work

    return work(path, limits, mapping)


def _import(
    datasets: Path, source: Path, name: str, mapping: Mapping | None, seed: int, limits: Limits | None
) -> Dataset:
    from engine.data.library import import_file as work

    return work(datasets, source, name=name, mapping=mapping, seed=seed, limits=limits)


def _prepare(dataset_folder: Path, model_folder: Path, max_length: int, prepared_root: Path) -> PreparedHeader:
    from engine.data.prepare import prepare as work

    return work(dataset_folder, model_folder, max_length, prepared_root)


def _preview(prepared_folder: Path, model_folder: Path, split: Split, start: int, count: int) -> tuple[PreviewRow, ...]:
    from engine.data.preview import preview as work

    return work(prepared_folder, model_folder, split, start, count)
