"""LoRA on a plain linear layer as one operation: less memory traffic and half the temporaries of PEFT's own forward.

PEFT computes base(x), then B(A(x)), then a scaled copy of that, then the sum: three passes over a tensor as large as
the layer's output, and as many again going back. Here B's product is added onto the base's output in place with its
scale (one GEMM does both), and the scale is applied to the small rank-sized matrices in the backward pass.

The numbers are those of PEFT up to rounding (tests/worker/test_fused.py). Saved adapters are not touched by this.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from engine.worker import products


class _LoraLinear(torch.autograd.Function):
    """A linear layer and its adapter: x [.., in] to [.., out].

    dropped [.., in]: x after dropout, or None without; weight [out, in]; a [rank, in]; b [out, rank].
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        dropped: torch.Tensor | None,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        out = products.forward(x, weight, bias)
        seen = x if dropped is None else dropped
        small = seen.flatten(0, -2) @ a.T
        out.view(-1, out.shape[-1]).addmm_(small, b.T, alpha=scale)
        ctx.save_for_backward(seen, weight, a, b, small)
        ctx.scale = scale
        ctx.same = dropped is None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        seen, weight, a, b, small = ctx.saved_tensors
        gradient = gradients[0].flatten(0, -2)
        to_small = (gradient @ b).mul_(ctx.scale)
        to_a = products.of_columns(to_small, seen.flatten(0, -2))
        to_b = products.of_columns(small, gradient).T.mul(ctx.scale)
        wants_x, wants_dropped = ctx.needs_input_grad[:2]
        to_x = products.backward(gradient, weight) if wants_x else None
        to_dropped = to_small @ a if wants_dropped else None
        if ctx.same and to_x is not None:
            to_x.addmm_(to_small, a)  # both ways lead to x: one GEMM more, no further tensor
        return (
            None if to_x is None else to_x.view(seen.shape),
            None if to_dropped is None else to_dropped.view(seen.shape),
            None,
            None,
            to_a,
            to_b,
            None,
        )


def _forward(layer: nn.Module, x: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
    """In place of PEFT's forward while one adapter trains; anything else goes the usual way."""
    from peft.tuners.lora import Linear

    assert isinstance(layer, Linear)
    if layer.disable_adapters or layer.merged or args or kwargs:
        return Linear.forward(layer, x, *args, **kwargs)
    name = layer.active_adapters[0]
    base = layer.get_base_layer()
    dropout = layer.lora_dropout[name]
    return _LoraLinear.apply(  # type: ignore[no-any-return]
        x,
        None if isinstance(dropout, nn.Identity) else dropout(x),
        base.weight,
        base.bias,
        layer.lora_A[name].weight,
        layer.lora_B[name].weight,
        layer.scaling[name],
    )


def fuse(model: nn.Module) -> int:
    """Use the fused form in every LoRA layer that is plain enough for it; returns how many are.

    Plain: an fp32 `nn.Linear` with one adapter, no DoRA, no bias in the adapter. Others keep PEFT's forward.
    """
    from peft.tuners.lora import Linear

    fused = 0
    for layer in model.modules():
        if type(layer) is Linear and _plain(layer):
            layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]
            fused += 1
    return fused


def _plain(layer: Any) -> bool:
    names = layer.active_adapters
    base = layer.get_base_layer()
    return (
        len(names) == 1
        and type(base) is nn.Linear
        and base.weight.dtype == torch.float32
        and not base.weight.requires_grad
        and not layer.lora_variant
        and not layer.fan_in_fan_out
        and layer.lora_A[names[0]].bias is None
        and layer.lora_B[names[0]].bias is None
    )
