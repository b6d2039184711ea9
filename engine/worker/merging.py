"""An adapter merged into its base: one whole model that answers as the two together did.

An adapter trained against a quantized base was fitted to that base's rounding. It is merged into the dequantised
weights, the ones it saw; how far a merge into the original weights would be is measured, not guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from torch import nn

from engine.spec.exits import Exit
from engine.spec.methods import Method, mergeable, method_name, quantization_of
from engine.spec.runspec import ModelRef
from engine.worker.fault import Fault
from engine.worker.methods import double_quantized
from engine.worker.model import load_base


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far two models' answers are apart on the same texts.

    largest: the largest difference of any logit; agreement: share of positions with the same first choice, 0 to 1.
    """

    largest: float
    agreement: float


def merged(model: ModelRef, adapter: Path, method: Method, precision: str, *, original: bool = False) -> nn.Module:
    """The base with the adapter added to its weights, in evaluation mode.

    A quantized base is dequantised first; with `original` the weights as published are taken instead. Raises Fault
    when the method cannot be merged or the files do not fit.
    """
    from peft import PeftModel

    refuse_unmergeable(method)
    base = trained_base(model, "none" if original else quantization_of(method), method, precision)
    together = PeftModel.from_pretrained(base, str(adapter))  # type: ignore[arg-type]
    return together.merge_and_unload(safe_merge=True).eval()  # type: ignore[operator]


def refuse_unmergeable(method: Method) -> None:
    """Raises Fault for a method whose adapters cannot be added to weights."""
    if not mergeable(method):
        raise Fault(
            Exit.BAD_SPEC,
            f"An adapter of the kind {method_name(method)} cannot be merged into the model.",
            "It works beside the model's weights, as learned positions for one; there is nothing to add it to.",
            "Export the adapter itself.",
            "Or train with LoRA to get a model that can be merged.",
        )


def trained_base(model: ModelRef, quantization: str, method: Method, precision: str) -> nn.Module:
    """The base without the adapter, with the plain weights that `quantization` leaves of it. Raises Fault."""
    base = load_base(model, precision, quantization, double=double_quantized(method))
    return base.dequantize() if quantization != "none" else base  # type: ignore[operator]


def distance(one: nn.Module, other: nn.Module, texts: Sequence[torch.Tensor]) -> Distance:
    """Compare two models over token ids, each [tokens]."""
    largest, same, total = 0.0, 0, 0
    with torch.no_grad():
        for ids in texts:
            a, b = (each(input_ids=ids[None], use_cache=False).logits.float() for each in (one, other))
            largest = max(largest, (a - b).abs().max().item())
            same += int((a.argmax(-1) == b.argmax(-1)).sum())
            total += ids.numel()
    return Distance(largest=largest, agreement=same / max(1, total))
