"""Matrix products in 32 bits on a processor, by the faster of the two libraries that PyTorch carries.

PyTorch gives them to MKL, which keeps to older instructions on processors that are not its maker's: on an AMD EPYC with
AVX-512 it does 215 GFLOP/s on two cores where oneDNN does 490, in the same precision (a product's largest error is 1e-6
of its largest value with both). Which is faster is measured once for a run and kept with it (engine/worker/way.py),
because the last bits differ.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

GAIN = 1.3
"""How many times as fast oneDNN must be to be used: more than the noise of measuring, so that runs agree."""
SMALLEST = 2**21
"""Multiplications below which calling oneDNN costs more than it saves."""
TRIES = 10
_fast = False


def use(fast: bool) -> None:
    """Have the products of this process computed by oneDNN from now on, where it is there, or as PyTorch does."""
    global _fast
    _fast = fast and _available()


def in_use() -> bool:
    """Whether products are computed by oneDNN."""
    return _fast


def _available() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@functools.cache
def faster(threads: int) -> bool:
    """Whether oneDNN is the faster one on this processor, and finds the same: tried on one product, in 30 ms."""
    del threads  # the answer may depend on them
    if not _available():
        return False
    size = 512
    x, weight = (torch.linspace(-1, 1, size * size).reshape(size, size).roll(by, 0) for by in (0, 7))
    ways = (linear, _by_onednn)
    with torch.no_grad():
        theirs, ours = (way(x, weight, None) for way in ways)
        if not torch.allclose(theirs, ours, rtol=1e-4, atol=1e-3):
            return False
        tries = [[_seconds(way, x, weight) for way in ways] for _ in range(TRIES)]
    slow, fast = (min(each) for each in zip(*tries, strict=True))
    return slow > GAIN * fast


def _seconds(way: Callable[..., torch.Tensor], x: torch.Tensor, weight: torch.Tensor) -> float:
    started = time.perf_counter()
    way(x, weight, None)
    return time.perf_counter() - started


def forward(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x [.., in] with weight [out, in] and bias [out]: [.., out]. Has no gradient; for autograd functions."""
    return _by_onednn(x, weight, bias) if _suits(x, weight) else linear(x, weight, bias)


def backward(gradient: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The gradient of the input: gradient [.., out] with weight [out, in] makes [.., in]."""
    return _by_onednn(gradient, weight.T, None) if _suits(gradient, weight) else gradient @ weight


def of_columns(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The transposed first matrix times the second, summed over rows: [rows, m] and [rows, n] make [m, n]."""
    return _by_onednn(a.T, b.T, None) if _suits(a.T, b) else a.T @ b


def _suits(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether the product of x [.., n] with a weight of n rows or columns is one for oneDNN."""
    return (
        _fast
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and x.shape[:-1].numel() * weight.numel() >= SMALLEST
        and not torch.is_autocast_enabled("cpu")
    )


def _by_onednn(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


class _Linear(torch.autograd.Function):
    """A linear layer whose three products may be oneDNN's."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return forward(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        return (
            backward(gradient, weight) if wants_x else None,
            of_columns(gradient.flatten(0, -2), x.flatten(0, -2)) if wants_weight else None,
            gradient.flatten(0, -2).sum(0) if wants_bias else None,
        )


def _forward(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    if not _suits(x, layer.weight) or not torch.is_grad_enabled():
        return forward(x, layer.weight, layer.bias)
    return _Linear.apply(x, layer.weight, layer.bias)  # type: ignore[no-any-return]


def quicken(model: nn.Module) -> nn.Module:
    """The same model, answering with the faster library's products; for work that pins no bits."""
    install(model)
    use(next(model.parameters()).device.type == "cpu" and faster(torch.get_num_threads()))
    return model


def install(model: nn.Module) -> None:
    """Let every plain linear layer of a model take its products from here."""
    for layer in model.modules():
        if type(layer) is nn.Linear:
            layer.forward = MethodType(_forward, layer)  # type: ignore[method-assign]
