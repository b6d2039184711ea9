"""16-bit sums and activation checkpointing: they train, resume exactly, and do not change what is learned."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.making import FULL, LORA, train_spec
from tests.worker.loop import losses, run_through


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("method", [LORA, FULL], ids=["lora", "full"])
def test_a_cut_run_in_16_bits_ends_with_the_same_losses(
    tmp_path: Path, model: Path, rows: Path, precision: str, method: object
) -> None:
    spec = train_spec(model, rows, method, precision=precision)  # type: ignore[arg-type]
    whole = losses(run_through(tmp_path / "whole", spec, []))
    cut = losses(run_through(tmp_path / "cut", spec, [(7, "kill"), (5, "pause")]))
    assert cut == whole
    assert all(math.isfinite(loss) for loss in whole.values())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_stay_near_32(tmp_path: Path, model: Path, rows: Path, precision: str) -> None:
    exact = losses(run_through(tmp_path / "fp32", train_spec(model, rows, LORA), []))
    near = losses(run_through(tmp_path / "near", train_spec(model, rows, LORA, precision=precision), []))
    assert max(abs(exact[step] - near[step]) for step in exact) < 0.02


def test_activation_checkpointing_changes_no_loss(tmp_path: Path, model: Path, rows: Path) -> None:
    plain = losses(run_through(tmp_path / "plain", train_spec(model, rows, LORA), []))
    saved = losses(run_through(tmp_path / "saved", train_spec(model, rows, LORA, gradient_checkpointing=True), []))
    assert saved == pytest.approx(plain, abs=1e-5)
