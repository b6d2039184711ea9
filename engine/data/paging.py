"""A page of a dataset's rows, sorted by score or length and filtered, without reading the rest.

Only a search for words and a side of the split read every row. Runs in a spawned process (numpy).
"""

from __future__ import annotations

import difflib
from array import array
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.core.errors import DataError
from engine.data.library import damaged, hidden_in, rows_in
from engine.data.marks import MARKS, score_of
from engine.data.nouns import DatasetRow, HiddenRow, Order
from engine.data.quality_report import FLAGS, LENGTHS, OFFSETS, RowQuality, read_numbers, reasons_of
from engine.spec.prepared import Split

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Chosen = NDArray[numpy.bool_]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are wanted: those that bear a finding, on a side, with these words, with points and characters within.

    What is left as it is says nothing.
    """

    finding: str = ""
    side: Split | None = None
    words: str = ""
    points: tuple[int, int] = (0, 100)
    characters: tuple[int, int] = (0, 2**32 - 1)


class PagedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its number, score and reasons."""

    quality: RowQuality
    row: DatasetRow


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows, of `total` that pass the filter."""

    rows: tuple[PagedRow, ...]
    total: int


def rows_page(
    folder: Path,
    start: int = 0,
    count: int = 50,
    *,
    by: Order = "row",
    descending: bool = False,
    filter: Filter | None = None,
) -> Page:
    """Up to `count` rows from `start` on, in the order wanted; rows that are alike in it stay in their order.

    Raises DataError when the dataset has no quality report or is damaged, or no finding is called so.
    """
    import numpy

    flags, lengths = read_numbers(folder / FLAGS, "I"), read_numbers(folder / LENGTHS, "I")
    offsets = read_numbers(folder / OFFSETS, "Q")
    if not len(flags) == len(lengths) == len(offsets) > 0:
        raise DataError(
            "The dataset has no quality report.", "It was imported before there were any.", "Import its file again."
        )
    scores = _scores(flags)
    numbers = numpy.flatnonzero(_passing(folder, flags, lengths, scores, filter or Filter()))
    if by != "row":
        keys = (scores if by == "score" else numpy.frombuffer(lengths, numpy.uint32).astype(numpy.int64))[numbers]
        numbers = numbers[numpy.argsort(-keys if descending else keys, kind="stable")]
    elif descending:
        numbers = numbers[::-1]
    chosen = numbers[max(0, start) : max(0, start) + count].tolist()
    rows = _read(folder, [offsets[each] for each in chosen])
    return Page(
        rows=tuple(
            PagedRow(quality=_quality(number, flags, lengths), row=row)
            for number, row in zip(chosen, rows, strict=True)
        ),
        total=len(numbers),
    )


def hidden_page(folder: Path, start: int = 0, count: int = 50) -> tuple[HiddenRow, ...]:
    """Up to `count` hidden rows from `start` on. Raises DataError when the dataset is damaged."""
    return tuple(islice(hidden_in(folder), start, start + count))


def _scores(flags: array[int]) -> NDArray[numpy.int64]:
    """Each row's points."""
    import numpy

    values, places = numpy.unique(numpy.frombuffer(flags, numpy.uint32), return_inverse=True)
    return numpy.array([score_of(each) for each in values.tolist()])[places]


def _passing(
    folder: Path, flags: array[int], lengths: array[int], scores: NDArray[numpy.int64], wanted: Filter
) -> Chosen:
    """Which rows pass."""
    import numpy

    characters = numpy.frombuffer(lengths, numpy.uint32)
    found = (scores >= wanted.points[0]) & (scores <= wanted.points[1])
    found &= (characters >= wanted.characters[0]) & (characters <= wanted.characters[1])
    if wanted.finding:
        found &= (numpy.frombuffer(flags, numpy.uint32) & numpy.uint32(_mask(wanted.finding))) != 0
    if wanted.words.strip() or wanted.side:
        found &= numpy.fromiter((_says(each, wanted) for each in rows_in(folder)), bool, len(found))
    return found


def _mask(finding: str) -> int:
    if finding not in MARKS:
        near = difflib.get_close_matches(finding, MARKS, 1)
        raise DataError(
            f"Rows cannot bear the finding “{finding}”.",
            f"There are: {', '.join(MARKS)}.",
            f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
        )
    return MARKS[finding].mask


def _says(row: DatasetRow, wanted: Filter) -> bool:
    """The row is on the side and has every word, whatever their case and order."""
    if wanted.side and row.split != wanted.side:
        return False
    said = " ".join((row.text, *(each.content for each in (*row.messages, *row.rejected)))).casefold()
    return all(word in said for word in wanted.words.casefold().split())


def _quality(number: int, flags: array[int], lengths: array[int]) -> RowQuality:
    marks = flags[number]
    return RowQuality(row=number + 1, score=score_of(marks), reasons=reasons_of(marks), characters=lengths[number])


def _read(folder: Path, places: list[int]) -> list[DatasetRow]:
    decoder = msgspec.json.Decoder(DatasetRow)
    rows: list[DatasetRow] = []
    try:
        with (folder / "rows.jsonl").open("rb") as file:
            for place in places:
                file.seek(place)
                rows.append(decoder.decode(file.readline()))
    except (OSError, msgspec.MsgspecError) as error:
        raise damaged(folder, f"a row cannot be read ({error})") from error
    return rows
