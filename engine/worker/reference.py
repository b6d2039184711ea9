"""Log-probabilities of every answer under the model as it was before training: computed once, kept in the run's folder.

The reference is the base without its adapter; where the beginning itself is the base (full fine-tuning, PiSSA), it is
the model as it begins. A step then needs one pass, not two, and no second model in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engine.spec.files import rename
from engine.spec.methods import Full, Method, Pissa
from engine.worker.batches import micro_batches
from engine.worker.examples import Mismatched, Rows
from engine.worker.group import Group
from engine.worker.model import evaluating
from engine.worker.objective import Objective, collate

FILE = "reference.safetensors"


class References:
    """The reference's log-probability of each row's labelled tokens: [rows] fp32, in nats."""

    def __init__(self, values: torch.Tensor, device: torch.device) -> None:
        self._values = values.to(device)
        self.device = device

    def of(self, rows: Sequence[int]) -> torch.Tensor:
        """The values of some rows: [rows]."""
        return self._values[torch.tensor(list(rows), device=self.device)]


def references(
    objective: Objective,
    method: Method,
    wanted: dict[str, Rows],
    folder: Path,
    device: torch.device,
    at_once: int,
    group: Group,
) -> dict[str, References]:
    """The values for each named set of rows; from the file when it has them all. Call before any training step.

    Every process computes them itself, before the model is cut into shards; the first one keeps them.
    """
    sizes = {name: len(rows) for name, rows in wanted.items()}
    found = _read(folder / FILE)
    if {name: len(values) for name, values in found.items()} != sizes:
        with evaluating(objective), _without_adapter(objective, method):
            found = {name: _values(objective, rows, device, at_once) for name, rows in wanted.items()}
        group.wait()  # until all have looked
        if group.first:
            _write(folder / FILE, found)
    return {name: References(values, device) for name, values in found.items()}


def _values(objective: Objective, rows: Rows, device: torch.device, at_once: int) -> torch.Tensor:
    values = torch.zeros(len(rows))
    lengths = [len(rows.row(i)[0]) for i in range(len(rows))]
    for micro in micro_batches(range(len(rows)), lengths, at_once):
        values[torch.tensor(micro)] = objective(collate(rows, micro, device), each_row=True).float().cpu()
    return values


def _without_adapter(objective: Objective, method: Method) -> AbstractContextManager[None]:
    if isinstance(method, Full | Pissa):
        return nullcontext()
    return objective.model.disable_adapter()  # type: ignore[operator, no-any-return]


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        return {}


def _write(path: Path, values: dict[str, torch.Tensor]) -> None:
    beside = path.with_suffix(".tmp")
    save_file(values, beside)
    rename(beside, path)


def sets_of_rows(splits: dict[str, Rows], *, mismatched: bool) -> dict[str, Rows]:
    """The rows that need a reference: each split's, and for KTO each split's mismatched ones."""
    sets = dict(splits)
    if mismatched:
        sets |= {f"{name}/mismatched": Mismatched(rows) for name, rows in splits.items()}  # type: ignore[arg-type]
    return sets
