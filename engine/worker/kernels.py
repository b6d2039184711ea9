"""Liger's kernels for norms, rotary positions and gated layers, where they are installed and there is a CUDA device.

Hsu et al. 2024 (arXiv:2410.10989); https://github.com/linkedin/Liger-Kernel. Our own loss stays: it is fused already.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec

import torch
from torch import nn

log = logging.getLogger(__name__)
LIBRARY = "liger_kernel"


def use_kernels(model: nn.Module) -> bool:
    """Put the kernels into a base model, before any adapter; False where there are none for it."""
    if not torch.cuda.is_available() or find_spec(LIBRARY) is None:
        return False
    from liger_kernel.transformers import monkey_patch  # type: ignore[import-not-found]

    kind = getattr(model.config, "model_type", "")
    if kind not in monkey_patch.MODEL_TYPE_TO_APPLY_LIGER_FN:
        return False
    try:
        monkey_patch._apply_liger_kernel_to_instance(model, fused_linear_cross_entropy=False, cross_entropy=False)
    except (ImportError, AttributeError, RuntimeError, TypeError) as error:
        log.warning("Liger's kernels do not fit %s: %s", kind, error)
        return False
    return True
