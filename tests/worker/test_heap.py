"""Freed memory is kept by small models only."""

from __future__ import annotations

import sys

import pytest
from torch import nn

from engine.worker import heap


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_small_models_keep_memory_and_large_or_quantized_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(10, 10)
    assert heap.settle(model)
    monkeypatch.setattr(heap, "SMALL", 100)
    assert not heap.settle(model)
    monkeypatch.undo()
    monkeypatch.setattr(heap, "PACKED", ("Parameter",))
    assert not heap.settle(model)


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _name: object())
    assert not heap.settle(nn.Linear(2, 2))
