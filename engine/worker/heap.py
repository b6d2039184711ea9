"""What glibc's allocator does with freed memory, once it is known how large the model is.

A worker starts with settings that give every tensor of 4 MB back to the system (engine/runs/launch.py): large models
need that to fit. A small model's steps are made of such tensors, and asking the system for each of them again took a
fifth of the time of a step; its run keeps them.
"""

from __future__ import annotations

import ctypes
import sys

from torch import nn

from engine.worker.model import PACKED

SMALL = 512 * 2**20
"""Bytes of weights up to which memory is kept."""
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # malloc.h
_LARGEST_KEPT = 32 * 2**20
"""The most that glibc takes as a threshold on 64 bits."""
_SPARE = 256 * 2**20


def settle(model: nn.Module) -> bool:
    """Keep freed memory for the next step when the model is small; answers whether that was set.

    Quantized weights are not: what they are unpacked into, layer by layer, tears the heap to pieces.
    """
    if sys.platform != "linux" or any(type(each).__name__ in PACKED for each in model.parameters()):
        return False
    if sum(each.nbytes for each in model.parameters()) > SMALL:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT) and mallopt(_TRIM_THRESHOLD, _SPARE))
