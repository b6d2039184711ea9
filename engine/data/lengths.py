"""How long a dataset's rows are in a model's own tokens: of a seeded sample with its interval, or of every row.

The texts alone are counted, not the marks that a chat template puts around each turn (three to six tokens a turn); what
a run really trains on is counted by `prepare`. Runs in a spawned process.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy

from engine.data.appraise import token_lengths as spread
from engine.data.library import rows_in
from engine.data.nouns import Row
from engine.data.quality_report import OFFSETS, TokenLengths, read_numbers
from engine.data.tokenizer import ModelTokenizer

SAMPLED, SEED, BATCH = 2_000, 0, 1_000


def token_lengths(dataset_folder: Path, model_folder: Path, *, every: bool = False) -> TokenLengths:
    """The spread of the rows' lengths. Raises DataError and ModelError when one of the two cannot be read."""
    tokenizer = ModelTokenizer(model_folder).own
    total = len(read_numbers(dataset_folder / OFFSETS, "Q")) or sum(1 for _ in rows_in(dataset_folder))
    chosen = None if every or total <= SAMPLED else set(random.Random(SEED).sample(range(total), SAMPLED))
    texts = (_text(row) for number, row in enumerate(rows_in(dataset_folder)) if chosen is None or number in chosen)
    counts: list[int] = []
    for batch in _batches(texts):
        counts += map(len, tokenizer.encode_batch_fast(batch, add_special_tokens=False))
    return spread(numpy.array(counts), total, model_folder.name)


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(texts, BATCH)):
        yield batch


def _text(row: Row) -> str:
    return row.text or "\n".join(each.content for each in row.messages)
