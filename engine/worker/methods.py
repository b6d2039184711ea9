"""The method applied to a base model: one function per family, and the library's own class behind each.

Knows nothing of the loop. Every family ends in a PEFT model, so that its adapter loads unchanged in plain PEFT.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from engine.spec.exits import Exit
from engine.spec.methods import (
    Dora,
    Full,
    Ia3,
    Lora,
    LowRank,
    Method,
    Pissa,
    Prefix,
    Qlora,
    RsLora,
    Tuner,
    method_name,
    quantization_of,
)
from engine.spec.runspec import AdapterRef, ModelRef
from engine.worker import products
from engine.worker.fault import Fault
from engine.worker.fused import fuse
from engine.worker.kernels import use_kernels
from engine.worker.model import attach, load_base

VIRTUAL_TOKENS = 20
"""Of the tuners that learn positions; prefix tuning has a setting of its own."""


def load_for_training(
    model: ModelRef,
    method: Method,
    precision: str,
    seed: int,
    *,
    shared: bool = False,
    parent: AdapterRef | None = None,
) -> nn.Module:
    """The model with its trainable parameters, in training mode, deterministic in `seed`.

    `shared`: it will be cut into shards, so 4-bit weights are stored in the numbers' own format. `parent`: the trained
    weights that it goes on from. Raises Fault.
    """
    match method:
        case Full():
            # Weights are trained in fp32 whatever the precision of the sums: pure bf16 steps of 1e-4 move nothing.
            begun = ModelRef(path=parent.path, name=parent.name, fingerprint="") if parent else model
            whole = load_base(begun, "fp32")
            use_kernels(whole)
            whole.requires_grad_(True)
            products.install(whole)
            return whole.train()
        case _:
            base = load_base(model, precision, quantization_of(method), double=double_quantized(method), shared=shared)
            use_kernels(base)
            tuned = continued(base, parent, seed) if parent else adapted(base, method, seed)
            products.install(tuned)
            return tuned


def continued(base: nn.Module, parent: AdapterRef, seed: int) -> nn.Module:
    """The base with a version's adapter, ready to train on. Raises Fault when it cannot be."""
    torch.manual_seed(seed)
    model = attach(base, parent, trainable=True).train()
    fuse(model)
    return model


def double_quantized(method: Method) -> bool:
    """Whether the scales of 4-bit weights are quantized too."""
    return isinstance(method, Dora | Qlora) and method.double_quantization


def adapted(base: nn.Module, method: Method, seed: int) -> nn.Module:
    """The base with a fresh adapter, ready to train. Raises Fault when the two do not fit."""
    from peft import get_peft_model

    torch.manual_seed(seed)  # the adapter's first values come from here
    try:
        model = get_peft_model(base, peft_config(method)).train()
    except (ValueError, TypeError, NotImplementedError) as error:
        raise Fault(
            Exit.BAD_SPEC,
            f"The method {method_name(method)} does not fit this model.",
            str(error).splitlines()[0][:300],
            "Set the target modules back to all-linear.",
            "Or choose LoRA, which fits every model.",
        ) from error
    fuse(model)
    return model


def peft_config(method: Method) -> Any:
    """The library's configuration of a method. Full fine-tuning has none."""
    match method:
        case Lora() | RsLora() | Dora() | Pissa() | Qlora():
            return _low_rank(method)
        case Prefix():
            from peft import PrefixTuningConfig

            return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=method.virtual_tokens)
        case Ia3():
            from peft import IA3Config

            feedforward = sorted(method.feedforward)
            return IA3Config(
                task_type="CAUSAL_LM", target_modules=_targets(method.targets), feedforward_modules=feedforward
            )
        case Tuner():
            return _tuner(method)
        case Full():
            raise TypeError("full fine-tuning has no adapter")


def _low_rank(method: LowRank) -> Any:
    from peft import LoraConfig

    start: bool | str = True
    if isinstance(method, Pissa):
        start = f"pissa_niter_{method.iterations}" if method.iterations else "pissa"
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=method.rank,
        lora_alpha=method.alpha,
        lora_dropout=method.dropout,
        target_modules=_targets(method.targets),
        use_rslora=isinstance(method, RsLora),
        use_dora=isinstance(method, Dora),
        init_lora_weights=start,  # type: ignore[arg-type]  # pissa_niter_k is a pattern, not a choice
    )


def _tuner(method: Tuner) -> Any:
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftType

    kind = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(method.tuner.upper())]
    known: dict[str, Any] = {"target_modules": _targets(method.targets), "num_virtual_tokens": VIRTUAL_TOKENS}
    own = {name: value for name, value in known.items() if name in kind.__dataclass_fields__}
    return kind(task_type="CAUSAL_LM", **own)


def _targets(names: tuple[str, ...]) -> str | list[str]:
    """Sorted: the library makes a set of them, whose order changes from process to process."""
    return "all-linear" if names == ("all-linear",) else sorted(names)


def faster(name: str) -> bool:
    """Whether a trained parameter is the second matrix of an adapter, which LoRA+ trains at a higher rate."""
    return "lora_B" in name or "lora_embedding_B" in name


def rate_ratio(method: Method) -> float:
    """How many times the learning rate those parameters get; 1 for methods without it."""
    return method.rate_ratio if isinstance(method, LowRank) else 1.0
