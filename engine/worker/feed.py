"""Micro-batches made ready in the background: while one is computed, the next is put together by another thread.

Which rows they hold is settled before (engine/worker/batches.py); the thread changes when, never what.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from engine.worker.examples import Examples
from engine.worker.objective import Batch, collate

Pieces = list[tuple[list[int], float]]
"""The micro-batches of one optimizer step: example numbers, and the factor of each one's loss."""


class Feed:
    """Batches of the training split. `waited` counts the seconds that computing stood still for them."""

    def __init__(self, examples: Examples, device: torch.device, pieces_of: Callable[[int], Pieces]) -> None:
        self._examples = examples
        self._device = device
        self._pieces_of = pieces_of
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feed")
        self._ahead: tuple[list[int], Future[Batch]] | None = None
        self.packed = False
        self.waited = 0.0

    def step(self, step: int, last: int) -> Iterator[tuple[list[int], float, Batch]]:
        """The micro-batches of one step; beside its last one the next step's first is made (before `last`)."""
        pieces = self._pieces_of(step)
        follows = self._pieces_of(step + 1)[:1] if step + 1 < last else []
        for (piece, factor), after in zip(pieces, [*pieces[1:], *(follows or [None])], strict=True):
            batch = self._take(piece)
            self._ahead = (after[0], self._begin(after[0])) if after is not None else None
            yield piece, factor, batch.to(self._device)

    def _begin(self, piece: Sequence[int]) -> Future[Batch]:
        rows, cpu = self._examples.rows(piece), torch.device("cpu")
        return self._thread.submit(collate, self._examples.split, rows, cpu, packed=self.packed)

    def _take(self, piece: list[int]) -> Batch:
        """The batch made ahead, when it is the wanted one; after a pause or a smaller micro-batch it is not."""
        ready = self._ahead[1] if self._ahead and self._ahead[0] == piece else self._begin(piece)
        started = time.perf_counter()
        batch = ready.result()
        self.waited += time.perf_counter() - started
        return batch

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
