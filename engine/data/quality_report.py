"""What was seen of a dataset's quality, as it is shown and stored (`quality.json`): score, reasons, histograms.

Knows no numpy: screens and commands read it in the app process. `flags.u32`, `lengths.u32` and `offsets.u64` beside it
are flat little-endian arrays: each row's marks, its characters, and where it begins in `rows.jsonl`.
"""

from __future__ import annotations

from array import array
from pathlib import Path

import msgspec

from engine.data.marks import marks_of
from engine.spec.files import read_struct

CONTEXTS = (512, 1024, 2048, 4096, 8192)
REPORT, FLAGS, LENGTHS, OFFSETS = "quality.json", "flags.u32", "lengths.u32", "offsets.u64"


class Reason(msgspec.Struct, frozen=True):
    """A finding and the points it takes off the score."""

    finding: str
    points: float


class Histogram(msgspec.Struct, frozen=True):
    """Counts between edges; there is one more edge than counts."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]


class LanguageShare(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the rows is in a language: the share in the sample, and its 95 % interval."""

    language: str
    name: str
    rows: int
    share: float
    low: float
    high: float


class Truncation(msgspec.Struct, frozen=True, kw_only=True):
    """The share of rows longer than a context length; the 95 % interval when it was seen in a sample."""

    context: int
    share: float
    low: float
    high: float


class TokenLengths(msgspec.Struct, frozen=True, kw_only=True):
    """How long rows are in tokens. `measured` is the model whose tokenizer counted, "" for an estimate from characters.

    `rows` of `of` rows were counted: a seeded sample, or all.
    """

    measured: str
    rows: int
    of: int
    mean: float
    median: int
    p95: int
    longest: int
    truncated: tuple[Truncation, ...]


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """The score of a dataset (0 to 100) with its reasons, and how its rows are spread."""

    score: float
    reasons: tuple[Reason, ...]
    row_scores: Histogram
    row_lengths: Histogram
    languages: tuple[LanguageShare, ...]
    language_sample: int
    tokens: TokenLengths


class RowQuality(msgspec.Struct, frozen=True, kw_only=True):
    """A row's number (from 1), its score, what took points off it, and its length in characters."""

    row: int
    score: int
    reasons: tuple[Reason, ...]
    characters: int


def reasons_of(flags: int) -> tuple[Reason, ...]:
    """What takes points off a row."""
    return tuple(Reason(each.id, float(each.points)) for each in marks_of(flags))


def read_quality(folder: Path) -> QualityReport | None:
    """The report stored with a dataset; None when it has none (it was imported before there were any)."""
    try:
        return read_struct(folder / REPORT, QualityReport)
    except (OSError, msgspec.MsgspecError):
        return None


def read_numbers(file: Path, kind: str) -> array[int]:
    """One of the arrays beside the rows; empty when it is not there. `kind` is I (32 bits) or Q (64 bits)."""
    numbers = array(kind)
    if file.is_file():
        numbers.frombytes(file.read_bytes())
    return numbers
