"""How much of what the processor can do is used: useful operations over the best matrix product of the same run."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from engine.worker import products

SIZE = 2048


def best_product(kind: torch.dtype, *, onednn: bool = False) -> float:
    """Floating-point operations a second of the fastest of ten products of 2048 x 2048, PyTorch's own or oneDNN's."""
    a, b = torch.randn(SIZE, SIZE, dtype=kind), torch.randn(SIZE, SIZE, dtype=kind)
    best, before = float("inf"), products.in_use()
    products.use(onednn)
    for _ in range(10):
        started = time.perf_counter()
        products.forward(a, b)
        best = min(best, time.perf_counter() - started)
    products.use(before)
    return 2 * SIZE**3 / best


def useful_operations(model: Path, rows: list[list[int]], rank: int) -> float:
    """Operations that one pass over the rows cannot do without.

    2 x weights x tokens forward and the same again for the gradients of inputs; 6 for each adapter weight; the output
    layer at labelled tokens only; attention over the tokens before (half a square), forward and twice backward.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model)
    width, middle, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    weights = layers * (4 * width * width + 3 * width * middle)
    adapter = layers * rank * (4 * 2 * width + 3 * (width + middle))
    tokens = sum(len(row) for row in rows)
    labelled = sum(len(row) - len(row) // 2 for row in rows)
    attention = sum(len(row) ** 2 / 2 * 4 * width * layers * 3 for row in rows)
    return 4 * weights * tokens + 6 * adapter * tokens + 4 * width * config.vocab_size * labelled + attention
