"""The dataset library: what lies in `datasets/<id>/`, found by name or id, and its rows. Datasets never change."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.data.importing import import_file
from engine.data.nouns import BadRow, Dataset, DatasetRow, HiddenRow
from engine.spec.files import read_struct
from engine.spec.prepared import Split

HIDDEN = "hidden.jsonl"
__all__ = [
    "all_rows_in",
    "damaged",
    "first_questions",
    "hidden_in",
    "import_file",
    "list_datasets",
    "load_dataset",
    "read_bad",
    "read_rows",
    "rows_in",
]


def list_datasets(datasets: Path) -> list[Dataset]:
    """Every readable dataset, the newest first."""
    found: list[Dataset] = []
    for file in datasets.glob("[!.]*/dataset.json"):
        try:
            found.append(read_struct(file, Dataset))
        except (OSError, msgspec.MsgspecError):
            continue
    return sorted(found, key=lambda each: each.made, reverse=True)


def load_dataset(datasets: Path, wanted: str) -> Dataset:
    """The dataset with this id, unambiguous beginning of an id, or name. Raises DataError with the choices.

    Of several versions of one dataset a name means the newest.
    """
    known = list_datasets(datasets)
    for matches in (
        [each for each in known if each.id == wanted],
        [each for each in known if each.name == wanted],
        [each for each in known if len(wanted) >= 3 and each.id.startswith(wanted)],
        [each for each in known if each.name.casefold() == wanted.casefold()],
    ):
        if len({_root(each, known) for each in matches}) == 1:
            return matches[0]  # the newest version
        if matches:
            raise _ambiguous(wanted, matches)
    raise _unknown(wanted, known)


def _root(dataset: Dataset, known: list[Dataset]) -> str:
    """The id of the first dataset in a line of versions, as far as it is still there."""
    by_id = {each.id: each for each in known}
    while dataset.parent and dataset.parent in by_id:
        dataset = by_id[dataset.parent]
    return dataset.parent or dataset.id


def _ambiguous(wanted: str, matches: list[Dataset]) -> DataError:
    return DataError(
        f"“{wanted}” could be several datasets.",
        "; ".join(f"{each.id} ({each.name}, {each.rows:,} rows)" for each in matches),
        "Name the one you mean by its id.",
    )


def _unknown(wanted: str, known: list[Dataset]) -> DataError:
    if not known:
        return DataError(
            f"There is no dataset “{wanted}”.", "Nothing has been imported yet.", "Import a data file first."
        )
    near = difflib.get_close_matches(wanted, [each.name for each in known] + [each.id for each in known], 1)
    listed = ", ".join(f"{each.name} ({each.id})" for each in known[:10])
    return DataError(
        f"There is no dataset “{wanted}”.",
        f"There are: {listed}{' and more' if len(known) > 10 else ''}.",
        f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
        "Or import a data file first.",
    )


def read_rows(datasets: Path, dataset: str, split: Split | None = None) -> Iterator[DatasetRow]:
    """The rows of a dataset (by id), in order; of one side, when named. Raises DataError when it is damaged."""
    yield from rows_in(datasets / dataset, split)


def rows_in(folder: Path, split: Split | None = None) -> Iterator[DatasetRow]:
    """The rows in a dataset's folder. Raises DataError when the folder is damaged."""
    decoder = msgspec.json.Decoder(DatasetRow)
    try:
        with (folder / "rows.jsonl").open("rb") as file:
            for data in file:
                row = decoder.decode(data)
                if split is None or row.split == split:
                    yield row
    except FileNotFoundError as error:
        raise damaged(folder, "its rows are missing") from error
    except msgspec.MsgspecError as error:
        raise damaged(folder, f"a row cannot be read ({error})") from error


def hidden_in(folder: Path) -> Iterator[HiddenRow]:
    """The rows that are hidden, in order. Raises DataError when the folder is damaged."""
    if not (folder / HIDDEN).is_file():
        return
    decoder = msgspec.json.Decoder(HiddenRow)
    try:
        with (folder / HIDDEN).open("rb") as file:
            yield from map(decoder.decode, file)
    except msgspec.MsgspecError as error:
        raise damaged(folder, f"a hidden row cannot be read ({error})") from error


def all_rows_in(folder: Path) -> Iterator[DatasetRow]:
    """Every row in its order; those that are hidden are `HiddenRow`s."""
    hidden = hidden_in(folder)
    waiting = next(hidden, None)
    for count, row in enumerate(rows_in(folder)):
        while waiting is not None and waiting.before <= count:
            yield waiting
            waiting = next(hidden, None)
        yield row
    if waiting is not None:
        yield waiting
    yield from hidden


def read_bad(datasets: Path, dataset: str) -> list[BadRow]:
    """Every record of the source that could not be used."""
    decoder = msgspec.json.Decoder(BadRow)
    with (datasets / dataset / "problems.jsonl").open("rb") as file:
        return [decoder.decode(line) for line in file]


def damaged(folder: Path, how: str) -> DataError:
    """The card for a dataset folder that was changed or broken from outside."""
    return DataError(
        f"The dataset in {folder.name} is damaged.",
        f"In its folder {how}.",
        "Delete it and import the file again.",
    )


def first_questions(datasets: Path, dataset: str, count: int) -> tuple[str, ...]:
    """What is asked first in the first held-out rows; empty when the dataset is gone or has no questions."""
    questions: list[str] = []
    try:
        for row in read_rows(datasets, dataset, "validation"):
            asked = [message.content for message in row.messages if message.role == "user"]
            questions += asked[:1]
            if len(questions) == count:
                break
    except DataError:
        return ()
    return tuple(questions)
