"""What a run refuses before or while it trains, each with its own words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.spec.exits import Exit
from engine.worker.fault import Fault, fault_from
from tests.making import tiny_model, train_spec
from tests.worker.loop import run_through


def test_a_weight_that_is_no_number_is_named(tmp_path: Path, rows: Path) -> None:
    model = tiny_model(tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name][3, 4] = float("nan")
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Fault, match="is damaged") as fault:
        run_through(tmp_path / "run-1", train_spec(model, rows), [])
    assert fault.value.exit_code is Exit.BAD_MODEL
    assert "layers.1.mlp.up_proj" in fault.value.card.why


def test_a_device_that_disappears_is_said_and_can_be_resumed_from() -> None:
    fault = fault_from(RuntimeError("CUDA error: device-side assert triggered\nmore lines"))
    assert "GPU stopped answering" in fault.card.what
    assert any(action.do == "resume" for action in fault.card.actions)


def test_a_model_without_an_output_layer_is_refused(tmp_path: Path, rows: Path) -> None:
    from engine.worker.objective import output_layer

    class Headless(torch.nn.Module):
        def get_output_embeddings(self) -> None:
            return None

    with pytest.raises(Fault, match="no output layer"):
        output_layer(Headless())
