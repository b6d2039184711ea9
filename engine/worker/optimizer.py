"""AdamW over the trained parameters, with LoRA+'s second rate where the method has one.

Loshchilov and Hutter 2017 (arXiv:1711.05101); LoRA+: Hayou et al. 2024 (arXiv:2402.12354); 8-bit state: Dettmers et al.
2021 (arXiv:2110.02861).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from engine.spec.exits import Exit
from engine.spec.methods import Method
from engine.spec.runspec import Training
from engine.worker.fault import Fault
from engine.worker.methods import faster, rate_ratio


def make_optimizer(parameters: dict[str, nn.Parameter], method: Method, numbers: Training) -> torch.optim.Optimizer:
    """The optimizer, its groups in the order of the parameters. Raises Fault where 8 bits cannot be had."""
    groups = _groups(parameters, rate_ratio(method))
    options: dict[str, Any] = {
        "lr": numbers.learning_rate,
        "betas": (numbers.beta1, numbers.beta2),
        "eps": numbers.epsilon,
        "weight_decay": numbers.weight_decay,
    }
    if numbers.optimizer == "adamw8bit":
        return _eight_bit(groups, options)
    return torch.optim.AdamW(groups, **options, fused=True)


def _groups(parameters: dict[str, nn.Parameter], ratio: float) -> list[dict[str, Any]]:
    """One group, or two when some parameters learn at a multiple of the rate."""
    fast = [each for name, each in parameters.items() if ratio != 1 and faster(name)]
    known = {id(each) for each in fast}
    slow = [each for each in parameters.values() if id(each) not in known]
    return [{"params": part, "ratio": own} for part, own in ((slow, 1.0), (fast, ratio)) if part]


def _eight_bit(groups: list[dict[str, Any]], options: dict[str, Any]) -> torch.optim.Optimizer:
    if not torch.cuda.is_available():
        raise Fault(
            Exit.BAD_SPEC,
            "The 8-bit optimizer needs an NVIDIA GPU.",
            "Its kernels exist for CUDA only.",
            "Choose the optimizer adamw.",
        )
    from bitsandbytes.optim.adamw import AdamW8bit

    return AdamW8bit(groups, **options)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its multiple of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["ratio"]
