"""The rows of a split as an objective takes them: one example is one row, or a pair of answers to one prompt.

Everything that chooses rows (steps, micro-batches) counts in examples; only collation sees rows.
"""

from __future__ import annotations

import array
from collections.abc import Iterable
from typing import Protocol

from engine.spec.prepared import PreparedHeader, PreparedSplit


class Rows(Protocol):
    """Something with numbered rows of tokens and trained flags."""

    header: PreparedHeader

    def __len__(self) -> int: ...

    def row(self, index: int) -> tuple[array.array[int], array.array[int]]: ...


class Examples:
    """A split by examples. `lengths`: tokens of the longest row of each; `tokens` and `labels`: sums over its rows."""

    def __init__(self, split: PreparedSplit) -> None:
        self.split = split
        self.width = 2 if split.header.layout == "pairs" else 1
        rows = split.lengths()
        trained = [sum(split.row(i)[1][1:]) for i in range(len(rows))]  # nothing predicts a first token
        count = len(rows) // self.width
        self.lengths = [max(rows[i] for i in self._rows(example)) for example in range(count)]
        self.tokens = [sum(rows[i] for i in self._rows(example)) for example in range(count)]
        self.labels = [sum(trained[i] for i in self._rows(example)) for example in range(count)]
        self.row_labels = trained

    def __len__(self) -> int:
        return len(self.lengths)

    def _rows(self, example: int) -> range:
        return range(example * self.width, (example + 1) * self.width)

    def rows(self, examples: Iterable[int]) -> list[int]:
        """Row numbers of these examples, in their order; a pair's chosen answer comes first."""
        return [row for example in examples for row in self._rows(example)]


class Mismatched:
    """Each row's prompt with the answer of the next row, cut to the context length.

    What KTO measures the distance from the reference with: answers that do not belong (arXiv:2402.01306, section 4).
    """

    def __init__(self, split: PreparedSplit) -> None:
        self.header = split.header
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    def row(self, index: int) -> tuple[array.array[int], array.array[int]]:
        prompt, flags = self._split.row(index)
        answer, wanted = self._split.row((index + 1) % len(self._split))
        start, begin = _first(flags), _first(wanted)
        most = self.header.max_length
        return (prompt[:start] + answer[begin:])[:most], (flags[:start] + wanted[begin:])[:most]

    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(self.row(i)[0]) for i in range(len(self))]


def _first(flags: array.array[int]) -> int:
    return flags.index(1) if 1 in flags else len(flags)
