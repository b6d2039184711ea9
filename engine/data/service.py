"""The data functions for the app: each runs in a spawned process, so that the app neither waits nor grows.

Cancelling a call ends its process. Only the nouns are imported here; everything heavy is imported over there.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import msgspec

from engine.core.errors import DataError, ModelError, StorageError, StudioError, from_os
from engine.data.nouns import (
    Dataset,
    ExportFormat,
    HiddenRow,
    Inspection,
    Limits,
    Mapping,
    Order,
    RatedAnswer,
    SplitPlan,
    Step,
    TextRows,
)
from engine.data.quality_report import TokenLengths
from engine.spec.files import read_struct, write_atomically, write_struct
from engine.spec.prepared import Layout, PreparedHeader, Split
from engine.spec.records import Card
from engine.spec.suite import Side

if TYPE_CHECKING:
    from engine.data.diff import Difference
    from engine.data.export import Exported
    from engine.data.merge import Part
    from engine.data.paging import Filter, Page
    from engine.data.preview import PreviewRow
    from engine.data.ratings import RatedSchema
    from engine.data.remapping import Columns

T = TypeVar("T")
PROGRESS_SECONDS = 0.25
_KINDS: dict[str, type[StudioError]] = {each.code: each for each in (DataError, ModelError, StorageError)}


class _Answer(msgspec.Struct, Generic[T], frozen=True):
    """What comes back from the other process: a value, or the card of an error (exceptions do not travel whole)."""

    value: T | None
    card: Card | None


class Progress(msgspec.Struct, frozen=True):
    """How many bytes of how many were read."""

    done: int
    total: int


async def inspect_file(
    path: Path | Sequence[Path],
    limits: Limits | None = None,
    mapping: Mapping | None = None,
    split: SplitPlan | None = None,
    text_rows: TextRows = "auto",
) -> Inspection:
    """`engine.data.inspect.inspect_file` in a spawned process."""
    return await _away(partial(_inspect, path, limits, mapping, split, text_rows), f"reading {_called(path)}")


async def import_file(
    datasets: Path,
    source: Path | Sequence[Path],
    *,
    name: str = "",
    mapping: Mapping | None = None,
    seed: int = 42,
    split: SplitPlan | None = None,
    limits: Limits | None = None,
    text_rows: TextRows = "auto",
    on_progress: Callable[[Progress], None] | None = None,
) -> Dataset:
    """`engine.data.importing.import_file` in a spawned process; `on_progress` is told at most four times a second."""
    plan = split or SplitPlan(seed=seed)
    work = partial(_import, datasets, source, name, mapping, plan, limits, text_rows)
    doing = f"importing {_called(source)}"
    if on_progress is None:
        return await _away(partial(work, None), doing)
    with tempfile.TemporaryDirectory(prefix="peft-studio-") as folder:
        told = Path(folder) / "progress.json"
        return await _followed(partial(work, told), doing, told, on_progress)


async def _followed(work: Callable[[], T], doing: str, told: Path, on_progress: Callable[[Progress], None]) -> T:
    """The result of `work`, while what it writes about its progress is handed on."""
    outcome: list[T | StudioError] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_follow, told, on_progress)
        try:
            outcome.append(await _away(work, doing))
        except StudioError as error:
            outcome.append(error)
        tasks.cancel_scope.cancel()
    (result,) = outcome
    if isinstance(result, StudioError):
        raise result
    return result


async def _follow(told: Path, on_progress: Callable[[Progress], None]) -> None:
    """Hand on what the other process writes."""
    while True:
        await anyio.sleep(PROGRESS_SECONDS)
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            on_progress(read_struct(told, Progress))


def _called(source: Path | Sequence[Path]) -> str:
    return source.name if isinstance(source, Path) else f"{len(source)} files"


async def keep_pasted(folder: Path, text: str) -> Path:
    """Pasted text as a file that can be inspected and imported; the same text again is the same file."""
    data = text.encode("utf-8", "surrogatepass")
    file = folder / f"pasted-{hashlib.sha256(data).hexdigest()[:8]}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, data)
    except OSError as error:
        raise from_os(error, "keeping the pasted text") from error
    return file


async def prepare(
    dataset_folder: Path,
    model_folder: Path,
    max_length: int,
    prepared_root: Path,
    layout: Layout = "rows",
    asked: Side = "held-out",
) -> PreparedHeader:
    """`engine.data.prepare.prepare` in a spawned process."""
    work = partial(_prepare, dataset_folder, model_folder, max_length, prepared_root, layout, asked)
    return await _away(work, f"preparing {dataset_folder.name}")


async def preview(
    prepared_folder: Path, model_folder: Path, split: Split = "train", start: int = 0, count: int = 10
) -> tuple[PreviewRow, ...]:
    """`engine.data.preview.preview` in a spawned process."""
    return await _away(partial(_preview, prepared_folder, model_folder, split, start, count), "rendering rows")


async def fix(datasets: Path, dataset: str, steps: Sequence[Step]) -> Dataset:
    """`engine.data.fixing.fix` in a spawned process."""
    return await _away(partial(_fix, datasets, dataset, tuple(steps)), f"fixing {dataset}")


async def diff(datasets: Path, one: str, other: str) -> Difference:
    """`engine.data.diff.diff` in a spawned process."""
    return await _away(partial(_diff, datasets, one, other), f"comparing {one} and {other}")


async def export(datasets: Path, dataset: str, format: ExportFormat, target: Path) -> Exported:
    """`engine.data.export.export` in a spawned process."""
    return await _away(partial(_export, datasets, dataset, format, target), f"writing {target.name}")


async def export_into(datasets: Path, dataset: str, format: ExportFormat, folder: Path) -> Exported:
    """`engine.data.export.export_into` in a spawned process."""
    return await _away(partial(_export_into, datasets, dataset, format, folder), f"writing {dataset}")


async def merge(datasets: Path, parts: Sequence[Part], *, name: str = "", seed: int = 42) -> Dataset:
    """`engine.data.merge.merge` in a spawned process."""
    return await _away(partial(_merge, datasets, tuple(parts), name, seed), "putting datasets together")


async def rows_page(
    folder: Path,
    start: int = 0,
    count: int = 50,
    *,
    by: Order = "row",
    descending: bool = False,
    filter: Filter | None = None,
) -> Page:
    """`engine.data.paging.rows_page` in a spawned process."""
    return await _away(partial(_page, folder, start, count, by, descending, filter), "reading rows")


async def hidden_page(folder: Path, start: int = 0, count: int = 50) -> tuple[HiddenRow, ...]:
    """`engine.data.paging.hidden_page` in a spawned process."""
    return await _away(partial(_hidden, folder, start, count), "reading hidden rows")


async def columns_of(datasets: Path, dataset: str) -> Columns:
    """`engine.data.remapping.columns_of_source` in a spawned process."""
    return await _away(partial(_columns, datasets, dataset), f"reading the columns of {dataset}")


async def from_ratings(datasets: Path, answers: Sequence[RatedAnswer], schema: RatedSchema, name: str) -> Dataset:
    """`engine.data.ratings.dataset_from_ratings` in a spawned process."""
    return await _away(partial(_ratings, datasets, tuple(answers), schema, name), "making rows of conversations")


async def token_lengths(dataset_folder: Path, model_folder: Path, *, every: bool = False) -> TokenLengths:
    """`engine.data.lengths.token_lengths` in a spawned process."""
    return await _away(partial(_lengths, dataset_folder, model_folder, every), "counting tokens")


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


def _inspect(
    path: Path | Sequence[Path],
    limits: Limits | None,
    mapping: Mapping | None,
    split: SplitPlan | None,
    text_rows: TextRows,
) -> Inspection:
    from engine.data.inspect import inspect_file as work

    return work(path, limits, mapping, split, text_rows)


def _import(
    datasets: Path,
    source: Path | Sequence[Path],
    name: str,
    mapping: Mapping | None,
    split: SplitPlan,
    limits: Limits | None,
    text_rows: TextRows,
    told: Path | None,
) -> Dataset:
    from engine.data.importing import import_file as work

    progress = _telling(told) if told else None
    return work(
        datasets,
        source,
        name=name,
        mapping=mapping,
        split=split,
        limits=limits,
        text_rows=text_rows,
        progress=progress,
    )


def _telling(told: Path) -> Callable[[int, int], None]:
    """Writes what was read so far, at most four times a second."""
    last = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            write_struct(told, Progress(done, total))

    return tell


def _prepare(
    dataset_folder: Path, model_folder: Path, max_length: int, prepared_root: Path, layout: Layout, asked: Side
) -> PreparedHeader:
    from engine.data.prepare import prepare as work

    return work(dataset_folder, model_folder, max_length, prepared_root, layout, asked)


def _preview(prepared_folder: Path, model_folder: Path, split: Split, start: int, count: int) -> tuple[PreviewRow, ...]:
    from engine.data.preview import preview as work

    return work(prepared_folder, model_folder, split, start, count)


def _fix(datasets: Path, dataset: str, steps: tuple[Step, ...]) -> Dataset:
    from engine.data.fixing import fix as work

    return work(datasets, dataset, steps)


def _diff(datasets: Path, one: str, other: str) -> Difference:
    from engine.data.diff import diff as work

    return work(datasets, one, other)


def _export(datasets: Path, dataset: str, format: ExportFormat, target: Path) -> Exported:
    from engine.data.export import export as work

    return work(datasets, dataset, format, target)


def _export_into(datasets: Path, dataset: str, format: ExportFormat, folder: Path) -> Exported:
    from engine.data.export import export_into as work

    return work(datasets, dataset, format, folder)


def _merge(datasets: Path, parts: tuple[Part, ...], name: str, seed: int) -> Dataset:
    from engine.data.merge import merge as work

    return work(datasets, parts, name=name, seed=seed)


def _page(folder: Path, start: int, count: int, by: Order, descending: bool, filter: Filter | None) -> Page:
    from engine.data.paging import rows_page as work

    return work(folder, start, count, by=by, descending=descending, filter=filter)


def _hidden(folder: Path, start: int, count: int) -> tuple[HiddenRow, ...]:
    from engine.data.paging import hidden_page as work

    return work(folder, start, count)


def _columns(datasets: Path, dataset: str) -> Columns:
    from engine.data.remapping import columns_of_source as work

    return work(datasets, dataset)


def _ratings(datasets: Path, answers: tuple[RatedAnswer, ...], schema: RatedSchema, name: str) -> Dataset:
    from engine.data.ratings import dataset_from_ratings as work

    return work(datasets, answers, schema, name=name)


def _lengths(dataset_folder: Path, model_folder: Path, every: bool) -> TokenLengths:
    from engine.data.lengths import token_lengths as work

    return work(dataset_folder, model_folder, every=every)
