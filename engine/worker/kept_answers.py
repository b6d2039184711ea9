"""Answers kept by content, so that nobody waits for the same answer twice: re-scoring is free, and all versions of a
base share its answers.

One file for each (weights of the model, weights of the adapter, settings of generation), one line for each row, found
by the row's tokens and which of them are the reference. Lines are only added, so a file survives a kill at any moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.spec.digests import digests
from engine.spec.files import LineReader, LineWriter
from engine.spec.runspec import AdapterRef, EvaluateJob

ADAPTER_FILES = ("*.json", "*.safetensors", "*.bin")
MODEL_FILES = ("config.json", "*.safetensors", "tokenizer.json")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said to one row (token ids, the end included), and its summed loss over the reference in nats."""

    row: str
    said: tuple[int, ...]
    nll: float


class KeptAnswers:
    """The kept answers of one model; with an empty `folder` nothing is kept."""

    def __init__(self, job: EvaluateJob, adapter: AdapterRef | None, end_tokens: Sequence[int]) -> None:
        self._known: dict[str, Kept] = {}
        self._writer: LineWriter | None = None
        if job.answers:
            folder = Path(job.answers)
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"{_key(job, adapter, end_tokens)}.jsonl"
            self._known = {kept.row: kept for kept in LineReader(file, Kept).read()}
            self._writer = LineWriter(file)

    def find(self, row: str) -> Kept | None:
        """The answer to this row, when there is one."""
        return self._known.get(row)

    def keep(self, answer: Kept) -> None:
        """Write an answer down. Raises OSError."""
        if self._writer:
            self._writer.write(answer)

    def close(self) -> None:
        if self._writer:
            self._writer.close()


def row_key(tokens: Sequence[int], trained: Sequence[int]) -> str:
    """A row by what is asked and what is expected."""
    found = hashlib.blake2b(digest_size=16)
    found.update(msgspec.json.encode(list(tokens)))
    found.update(bytes(trained))
    return found.hexdigest()


def _key(job: EvaluateJob, adapter: AdapterRef | None, end_tokens: Sequence[int]) -> str:
    settings = (
        digests(Path(job.model.path), MODEL_FILES),
        digests(Path(adapter.path), ADAPTER_FILES) if adapter else {},
        job.precision,
        job.max_new_tokens,
        list(end_tokens),
    )
    return hashlib.blake2b(msgspec.json.encode(settings), digest_size=16).hexdigest()
