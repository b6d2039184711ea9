"""Prepared data: token ids, trained flags and row offsets as flat little-endian arrays beside a JSON header.

    prepared/<hash>/header.json
    prepared/<hash>/{train,validation}.tokens    int32, all rows one after the other
    prepared/<hash>/{train,validation}.trained   uint8, 1 where the token is learned from
    prepared/<hash>/{train,validation}.offsets   int64, rows + 1 of them
    prepared/<hash>/{train,validation}.desired   uint8, one per row: 1 a good answer, 0 a bad one (`rated` layout only)

Written once by engine/data; the preview, the counts, the planner and the worker read these same bytes.
"""

from __future__ import annotations

import array
import sys
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from engine.spec.files import read_struct

Split = Literal["train", "validation", "test"]
"""A side of a dataset. Rows of the test side are never prepared for training."""
Layout = Literal["rows", "pairs", "rated"]
"""What the rows are to each other.

rows: each stands alone. pairs: rows 2i and 2i + 1 are the chosen and the rejected answer to one prompt, and are kept or
dropped together. rated: each row is one answer, and `desired` says whether it is one to learn or one to avoid.
"""
SPLITS: tuple[Split, ...] = ("train", "validation")
"""The sides that prepared data has."""
FORMAT = 2


class SplitCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one split after rendering. `dropped` rows had nothing to train on within the context length."""

    rows: int
    tokens: int
    trained_tokens: int
    longest: int
    truncated: int
    dropped: int


class PreparedHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What was prepared from what. `end_tokens` end a turn; `source_rows` map prepared rows to rows of the dataset."""

    format: int
    hash: str
    dataset: str
    dataset_hash: str
    tokenizer_hash: str
    template_hash: str
    layout: Layout
    max_length: int
    vocabulary: int
    pad_token: int
    end_tokens: tuple[int, ...]
    splits: dict[str, SplitCounts]
    source_rows: dict[str, tuple[int, ...]]


class PreparedDamaged(ValueError):
    """An array is missing, has another size than the header says, or holds impossible values."""


class PreparedSplit:
    """One split, held as flat arrays of the standard library (the worker views them as tensors without copying)."""

    def __init__(self, folder: Path, split: Split, header: PreparedHeader) -> None:
        counts = header.splits[split]
        self.header = header
        self.counts = counts
        self.tokens = _read_array(folder / f"{split}.tokens", "i", 4, counts.tokens)
        self.trained = _read_array(folder / f"{split}.trained", "B", 1, counts.tokens)
        self.offsets = _read_array(folder / f"{split}.offsets", "q", 8, counts.rows + 1)
        rated = header.layout == "rated"
        self.desired = _read_array(folder / f"{split}.desired", "B", 1, counts.rows) if rated else array.array("B")
        if header.layout == "pairs" and counts.rows % 2:
            raise PreparedDamaged(f"{split} has {counts.rows} rows, which are not pairs")
        if self.offsets[0] != 0 or self.offsets[-1] != counts.tokens:
            raise PreparedDamaged(f"{split}.offsets does not span {counts.tokens} tokens")

    def __len__(self) -> int:
        return self.counts.rows

    def row(self, index: int) -> tuple[array.array[int], array.array[int]]:
        """Token ids and trained flags of one row, of equal length."""
        start, end = self.offsets[index], self.offsets[index + 1]
        return self.tokens[start:end], self.trained[start:end]

    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return _between(self.offsets)


def read_header(folder: Path) -> PreparedHeader:
    """Raises OSError, or msgspec.ValidationError."""
    return read_struct(folder / "header.json", PreparedHeader)


def read_split(folder: Path, split: Split) -> PreparedSplit:
    """Read one split whole. Raises OSError, msgspec.ValidationError or PreparedDamaged."""
    return PreparedSplit(folder, split, read_header(folder))


def read_good_share(folder: Path, header: PreparedHeader) -> float:
    """The share of rated training answers that are good; a half where rows are not rated.

    Raises OSError or PreparedDamaged.
    """
    rows = header.splits["train"].rows
    if header.layout != "rated" or rows == 0:
        return 0.5
    return sum(_read_array(folder / "train.desired", "B", 1, rows)) / rows


def read_lengths(folder: Path, split: Split) -> list[int]:
    """Tokens of each row, from the offsets alone: the tokens themselves stay on disk.

    Raises OSError, msgspec.ValidationError or PreparedDamaged.
    """
    rows = read_header(folder).splits[split].rows
    return _between(_read_array(folder / f"{split}.offsets", "q", 8, rows + 1))


def _between(offsets: array.array[int]) -> list[int]:
    return [end - start for start, end in pairwise(offsets)]


def _read_array(path: Path, code: str, size: int, count: int) -> array.array[int]:
    data = path.read_bytes()
    if len(data) != size * count:
        raise PreparedDamaged(f"{path.name} has {len(data)} bytes where {size * count} belong")
    values = array.array(code)
    assert values.itemsize == size
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def array_bytes(code: str, values: list[int]) -> bytes:
    """Flat little-endian bytes of integers: code "i" for int32, "B" for uint8, "q" for int64."""
    flat = array.array(code, values)
    if sys.byteorder == "big":
        flat.byteswap()
    return flat.tobytes()
