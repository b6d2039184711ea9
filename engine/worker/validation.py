"""The held-out rows under the objective of the run, measured without dropout and without gradients."""

from __future__ import annotations

import torch

from engine.worker.aims import Aim, Numbers
from engine.worker.batches import micro_batches
from engine.worker.examples import Examples
from engine.worker.group import Group
from engine.worker.model import computing, evaluating
from engine.worker.objective import Objective, collate

ROWS_AT_ONCE = 32


class Validation:
    """One split's loss, over all of its rows at once."""

    def __init__(
        self, aim: Aim, objective: Objective, examples: Examples, precision: str, device: torch.device, group: Group
    ) -> None:
        self._aim, self._objective, self._examples = aim, objective, examples
        self._precision, self._device, self._group = precision, device, group

    def measure(self, micro_batch: int) -> Numbers | None:
        """`validation_loss`, and what else the aim sees; None where no rows are held out."""
        held = self._examples
        if len(held) == 0:
            return None
        everything = list(range(len(held)))
        total = torch.zeros((), device=self._device)
        with evaluating(self._objective), computing(self._precision, self._device):
            whole = self._aim.begin(everything)
            pieces = micro_batches(everything, held.lengths, self._at_once(micro_batch))
            for piece, factor in self._group.deal(pieces):
                batch = collate(held.split, held.rows(piece), torch.device("cpu")).to(self._device)
                total += self._aim.loss(batch, piece, whole) * (factor > 0)
            total = self._group.sum(total)
        more = {f"validation_{name}": value for name, value in self._aim.numbers().items()}
        return {"validation_loss": total.item(), **more}

    def _at_once(self, micro_batch: int) -> int:
        """As many rows as training holds, or more where they are short."""
        tokens = micro_batch * self._examples.split.header.max_length
        return max(1, min(ROWS_AT_ONCE, tokens // max(self._examples.lengths)))
