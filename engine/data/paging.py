"""A page of a dataset's rows, sorted by score or length and filtered by finding, without reading the rest."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Literal

import msgspec

from engine.core.errors import DataError
from engine.data.library import damaged
from engine.data.marks import MARKS, score_of
from engine.data.nouns import DatasetRow
from engine.data.quality_report import FLAGS, LENGTHS, OFFSETS, RowQuality, read_numbers, reasons_of

Order = Literal["row", "score", "length"]


class PagedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its number, score and reasons."""

    quality: RowQuality
    row: DatasetRow


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows, of `total` that pass the filter."""

    rows: tuple[PagedRow, ...]
    total: int


def rows_page(
    folder: Path, start: int = 0, count: int = 50, *, by: Order = "row", descending: bool = False, finding: str = ""
) -> Page:
    """Up to `count` rows from `start` on, in the order wanted; only those that bear the finding, when one is named.

    Raises DataError when the dataset has no quality report or is damaged.
    """
    flags, lengths = read_numbers(folder / FLAGS, "I"), read_numbers(folder / LENGTHS, "I")
    offsets = read_numbers(folder / OFFSETS, "Q")
    if not len(flags) == len(lengths) == len(offsets) > 0:
        raise DataError(
            "The dataset has no quality report.", "It was imported before there were any.", "Import its file again."
        )
    mask = MARKS[finding].mask if finding in MARKS else 0
    numbers = [each for each in range(len(flags)) if not finding or flags[each] & mask]
    scores = {value: score_of(value) for value in set(flags)}
    if by == "score":
        numbers.sort(key=lambda each: scores[flags[each]], reverse=descending)
    else:
        numbers.sort(key=lambda each: lengths[each] if by == "length" else each, reverse=descending)
    chosen = numbers[max(0, start) : max(0, start) + count]
    rows = _read(folder, [offsets[each] for each in chosen])
    return Page(
        rows=tuple(
            PagedRow(quality=_quality(number, flags, lengths), row=row)
            for number, row in zip(chosen, rows, strict=True)
        ),
        total=len(numbers),
    )


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
