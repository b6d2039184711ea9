"""What can be wrong with a single row, what each takes off its score, and how it is put right.

A row's score is 100 less the points of its marks, at least 0. A dataset's score is 100 less, for each mark, its points
times the share of rows that bear it, less the points of findings about the whole (`LEVEL_POINTS`), at least 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Repair = Literal["drop", "repair_encoding", "redact", "trim", "raise_length", "remap"]
LEVEL_POINTS = {"problem": 20.0, "warning": 5.0, "info": 0.0}
"""What a finding about the dataset as a whole takes off its score."""


class Mark(msgspec.Struct, frozen=True):
    """Something wrong with a row: the finding's id, its points, the bit that stands for it, and what mends it."""

    id: str
    points: int
    bit: int
    repair: str

    @property
    def mask(self) -> int:
        """The mark as a number."""
        return 1 << self.bit


_TABLE: tuple[tuple[str, int, str], ...] = (
    ("duplicates", 20, "drop:duplicates"),
    ("near_duplicates", 10, "drop:near_duplicates"),
    ("leakage", 30, "drop:leakage"),
    ("near_leakage", 15, "drop:near_leakage"),
    ("secrets", 40, "redact"),
    ("personal_data", 15, "redact"),
    ("encoding_damage", 25, "repair_encoding"),
    ("refusals", 20, "drop:refusals"),
    ("boilerplate", 15, "drop:boilerplate"),
    ("role_order", 15, "drop:role_order"),
    ("length_outliers", 5, "drop:length_outliers"),
    ("lopsided", 5, "drop:lopsided"),
    ("nothing_to_train", 40, "drop:nothing_to_train"),
    ("untrimmed", 1, "trim"),
)
MARKS: dict[str, Mark] = {name: Mark(name, points, bit, repair) for bit, (name, points, repair) in enumerate(_TABLE)}
"""Every mark by its id. Bits are part of the files that hold them: new marks come last."""


def marks_of(flags: int) -> tuple[Mark, ...]:
    """The marks that a row bears."""
    return tuple(each for each in MARKS.values() if flags & each.mask)


def score_of(flags: int) -> int:
    """The row's score, 0 to 100."""
    return max(0, 100 - sum(each.points for each in marks_of(flags)))
