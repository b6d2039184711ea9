"""Cross-entropy fused with the output projection, in chunks: a `tokens x vocabulary` matrix never exists.

For a chunk of labelled positions the scores are made, reduced to a loss, and turned into the gradient of the hidden
states at once, while they are in the cache; only that gradient is kept. The idea is that of Liger Kernel (Hsu et al.
2024, arXiv:2410.10989) and of cut cross-entropy (Wijmans et al. 2024, arXiv:2411.09009), without kernels of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from engine.worker import products

CHUNK_BYTES = 16_000_000
"""Scores held at once, in 32 bits: about what a processor's last cache or one wave of a GPU takes."""


def chunk_rows(vocabulary: int) -> int:
    """Labelled positions in one chunk."""
    return max(16, CHUNK_BYTES // (4 * vocabulary))


def loss_sum(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """The sum of the losses in nats: a scalar, fp32.

    hidden [labels, width]; weight [vocabulary, width] and bias [vocabulary] or None, of the same type as hidden;
    targets [labels] int64.
    """
    return _LossSum.apply(hidden, weight, bias, targets)  # type: ignore[no-any-return]


def token_losses(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """The loss in nats of each labelled token: [labels] fp32. Each may have a gradient of its own."""
    return _TokenLosses.apply(hidden, weight, bias, targets)  # type: ignore[no-any-return]


def _chunks(labels: int, vocabulary: int) -> Iterator[slice]:
    size = chunk_rows(vocabulary)
    for start in range(0, labels, size):
        yield slice(start, min(start + size, labels))


def _scores(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return products.forward(hidden, weight, bias).float()


def _losses(scores: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The losses [chunk] and the sums of exponentials [chunk, 1]; the scores become the exponentials in place."""
    most = scores.amax(1, keepdim=True)
    at_target = scores.gather(1, targets[:, None])
    total = scores.sub_(most).exp_().sum(1, keepdim=True)
    return (total.log() + most - at_target).squeeze(1), total


def _to_gradient(exponentials: torch.Tensor, total: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Softmax minus one-hot, in place of the exponentials."""
    gradient = exponentials.div_(total)
    return gradient.scatter_add_(1, targets[:, None], torch.full_like(total, -1.0))


class _Gradients:
    """Gradients of hidden states, weight and bias, filled chunk by chunk; only those that are asked for."""

    def __init__(self, ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        learns_hidden, learns_weight, learns_bias, _ = ctx.needs_input_grad
        self._inputs = (hidden, weight)
        self.hidden = torch.empty_like(hidden) if learns_hidden else None
        self.weight = torch.zeros_like(weight, dtype=torch.float32) if learns_weight else None
        self.bias = torch.zeros_like(bias, dtype=torch.float32) if learns_bias and bias is not None else None

    @property
    def wanted(self) -> bool:
        return not (self.hidden is None and self.weight is None and self.bias is None)

    def add(self, part: slice, scores: torch.Tensor) -> None:
        """Take in the gradient of one chunk's scores: [chunk, vocabulary] fp32."""
        hidden, weight = self._inputs
        if self.bias is not None:
            self.bias += scores.sum(0)
        scores = scores.to(hidden.dtype)
        if self.hidden is not None:
            self.hidden[part] = products.backward(scores, weight)
        if self.weight is not None:
            self.weight += products.of_columns(scores, hidden[part])


class _LossSum(torch.autograd.Function):
    """Gradients are made in the forward pass, for a factor of 1, and scaled in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
    ) -> torch.Tensor:
        found = _Gradients(ctx, hidden, weight, bias)
        total = torch.zeros((), device=hidden.device)
        for part in _chunks(len(targets), len(weight)):
            scores = _scores(hidden[part], weight, bias)
            losses, sums = _losses(scores, targets[part])
            total += losses.sum()
            if found.wanted:
                found.add(part, _to_gradient(scores, sums, targets[part]))
        ctx.save_for_backward(found.hidden, found.weight, found.bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return (*(None if each is None else each * gradients[0].to(each.dtype) for each in ctx.saved_tensors), None)


class _TokenLosses(torch.autograd.Function):
    """Scores are made again in the backward pass, where the factor of each token is known."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
    ) -> torch.Tensor:
        losses = torch.empty(len(targets), device=hidden.device)
        for part in _chunks(len(targets), len(weight)):
            losses[part], _ = _losses(_scores(hidden[part], weight, bias), targets[part])
        ctx.save_for_backward(hidden, weight, bias, targets)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        hidden, weight, bias, targets = ctx.saved_tensors
        found = _Gradients(ctx, hidden, weight, bias)
        for part in _chunks(len(targets), len(weight)):
            scores = _scores(hidden[part], weight, bias)
            _, sums = _losses(scores, targets[part])
            found.add(part, _to_gradient(scores, sums, targets[part]).mul_(gradients[0][part, None]))
        return found.hidden, found.weight, found.bias, None
