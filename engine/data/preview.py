"""Prepared rows as the model will see them, what is learned marked: decoded from the very bytes the worker reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.data.tokenizer import ModelTokenizer
from engine.spec.prepared import PreparedDamaged, Split, read_header, read_split


class Segment(msgspec.Struct, frozen=True):
    """A stretch of text that is learned, or not."""

    text: str
    trained: bool


class PreviewRow(msgspec.Struct, frozen=True, kw_only=True):
    """One prepared row: its number in the split, its row of the dataset, its counts, and its text in segments."""

    index: int
    source_row: int
    tokens: int
    trained_tokens: int
    segments: tuple[Segment, ...]


def preview(
    prepared_folder: Path, model_folder: Path, split: Split = "train", start: int = 0, count: int = 10
) -> tuple[PreviewRow, ...]:
    """Up to `count` rows from `start` on. Raises DataError when the prepared data is damaged or of another model."""
    try:
        header = read_header(prepared_folder)
        rows = read_split(prepared_folder, split)
    except (OSError, msgspec.MsgspecError, PreparedDamaged) as error:
        raise DataError(
            "The prepared data cannot be read.",
            f"{error}.",
            "Prepare the dataset again; that takes no longer than the first time.",
        ) from error
    tokenizer = ModelTokenizer(model_folder)
    if tokenizer.hash != header.tokenizer_hash:
        raise DataError(
            "The data was prepared for another model.",
            "Its tokens belong to another tokenizer and would read as nonsense.",
            "Prepare the dataset for this model.",
        )
    numbers = range(max(0, start), min(len(rows), max(0, start) + count))
    return tuple(_row(number, *rows.row(number), header.source_rows[split][number], tokenizer) for number in numbers)


def _row(index: int, ids: Sequence[int], trained: Sequence[int], source: int, tokenizer: ModelTokenizer) -> PreviewRow:
    return PreviewRow(
        index=index,
        source_row=source,
        tokens=len(ids),
        trained_tokens=sum(trained),
        segments=tuple(_segments(ids, trained, tokenizer)),
    )


def _segments(ids: Sequence[int], trained: Sequence[int], tokenizer: ModelTokenizer) -> Iterator[Segment]:
    """Runs of equal flags; a run's text is what it adds to the text so far, for some tokens hold half a character."""
    before, at = "", 0
    for flag, run in groupby(trained):
        at += len(list(run))
        text = tokenizer.decode(ids[:at])
        yield Segment(text[len(before) :], bool(flag))
        before = text
