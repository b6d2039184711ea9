"""The way steps are computed on this device: rows packed or padded, layers compiled or not, and whose products.

No way changes what is learned, only how fast, and the last bits. What a recipe leaves to measurement is tried on the
first rows of the run, without an update, and the fastest is kept; `way.json` holds it, so that a resumed run goes the
same way.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Sequence

import msgspec
import torch

from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Method, Prefix, Tuner
from engine.spec.runspec import Training
from engine.worker import products
from engine.worker.attention import use_packed, use_padded
from engine.worker.group import decoder_layers
from engine.worker.model import evaluating
from engine.worker.objective import Objective, end_to_end

log = logging.getLogger(__name__)
COMPILER = "inductor"


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """`way.json`. `seconds`: what each way that was tried took for the same rows, by its words; empty when none was."""

    packed: bool = False
    compiled: bool = False
    onednn: bool = False
    seconds: dict[str, float] = {}

    @property
    def words(self) -> str:
        rows = "rows packed end to end" if self.packed else "rows padded to equal length"
        return rows + ", layers compiled" * self.compiled + ", products by oneDNN" * self.onednn


def padded(way: Way) -> Way:
    """The simplest way of computing: what remains where a better one cannot be gone."""
    return Way(onednn=way.onednn)


def kept(folder: RunFolder) -> Way | None:
    """The way that an earlier attempt of this run went."""
    try:
        return read_struct(folder.way_file, Way)
    except (OSError, msgspec.MsgspecError):
        return None


def keep(folder: RunFolder, way: Way) -> None:
    """Remember the way for later attempts. Raises OSError."""
    write_struct(folder.way_file, way)


def ways(numbers: Training, method: Method, *, alone: bool, onednn: bool = False) -> list[Way]:
    """What the recipe allows, the one to prefer first. Several processes would have to agree: they measure nothing."""
    packing = {"off": [False], "on": [True], "measured": [True, False] if alone else [False]}[numbers.packing]
    if isinstance(method, Prefix | Tuner):  # prompts stand before every row, and not every tuner takes rows end to end
        packing = [False]
    compiling = [False, True] if numbers.compilation == "measured" and alone else [False]
    return [Way(packed=packed, compiled=compiled, onednn=onednn) for compiled in compiling for packed in packing]


def go(way: Way, objective: Objective) -> bool:
    """Have the model computed this way; False, and padded rows, when it cannot be."""
    products.use(way.onednn)
    for layer in decoder_layers(objective):
        if way.compiled:
            layer.compile(backend=COMPILER, dynamic=True)
        else:
            layer._compiled_call_impl = None
    if not way.packed:
        use_padded(objective.model, objective.own_attention)
        return True
    if use_packed(objective.model) and packs_truly(objective):
        return True
    use_padded(objective.model, objective.own_attention)
    return False


def packs_truly(objective: Objective) -> bool:
    """Whether rows packed together get the losses that each has alone: tried on two short ones."""
    there = next(objective.parameters()).device
    rows = [(array("i", ids), array("B", [1] * len(ids))) for ids in ([1, 2, 3, 4], [4, 3, 2])]
    with evaluating(objective):
        try:
            together = objective.token_losses(end_to_end(rows).to(there))
        except (NotImplementedError, TypeError, ValueError, RuntimeError) as error:
            log.info("rows are not packed: %s", error)
            return False
        alone = torch.cat([objective.token_losses(end_to_end([row]).to(there)) for row in rows])
    exact = next(objective.parameters()).dtype == torch.float32
    return torch.allclose(together, alone, atol=1e-3 if exact else 0.1, rtol=1e-3 if exact else 0.05)


def fastest(found: Sequence[Way], objective: Objective, seconds: Callable[[Way], float]) -> Way:
    """The quickest of the ways that can be gone. `seconds` tries one out and raises what the allocator raises."""
    tried: dict[str, float] = {}
    best = padded(found[0])
    for way in found:
        try:
            if not go(way, objective):
                continue
            tried[way.words] = seconds(way)
        except Exception as error:  # noqa: BLE001 - compilers and allocators fail in many ways; padded rows remain
            log.info("%s: %s", way.words, error)
            continue
        if tried[way.words] <= min(tried.values()):
            best = way
    go(best, objective)
    return msgspec.structs.replace(best, seconds=tried)
