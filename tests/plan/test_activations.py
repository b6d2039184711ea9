"""What planning says a block keeps for the backward pass, against what autograd really saves on a small model."""

from __future__ import annotations

import weakref
from pathlib import Path

import pytest

from engine.plan.activations import per_token
from engine.plan.models import read_base_model
from engine.spec.methods import Full, Ia3, Lora
from engine.spec.runspec import ModelRef
from tests.plan.made import dora, lora, training

ROWS, LENGTH, LAYERS = 2, 128, 2
IA3 = Ia3(targets=("k_proj", "v_proj", "down_proj"), feedforward=("down_proj",))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama, wide enough that its blocks outweigh everything around them."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("model")
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def saved_bytes(folder: Path, method: Lora | Ia3 | Full) -> float:
    """Bytes that autograd keeps per token and block, parameters not counted."""
    import torch

    from engine.worker.methods import load_for_training

    whole = load_for_training(ModelRef(path=str(folder), name="x", fingerprint=""), method, "fp32", 0)
    known = {each.untyped_storage().data_ptr() for each in whole.parameters()}
    kept: list[weakref.ref[torch.Tensor]] = []  # DoRA throws a part of its graph away, and other tensors take its place

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in known:
            kept.append(weakref.ref(tensor))
        return tensor

    tokens = torch.zeros((ROWS, LENGTH), dtype=torch.int64)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = whole(input_ids=tokens, use_cache=False)
    assert output.logits.requires_grad
    storages = {each.untyped_storage() for reference in kept if (each := reference()) is not None}
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return sum(sizes.values()) / (ROWS * LENGTH * LAYERS)


METHODS = {  # with how near the count is; a trained head's tensors are not all counted
    "LoRA": (lora(), 0.02),
    "LoRA with dropout": (lora(dropout=0.1), 0.02),
    "LoRA on two layers": (lora(16, ("q_proj", "v_proj")), 0.02),
    "IA3": (IA3, 0.02),
    "every weight": (Full(), 0.06),
    "DoRA": (dora(), 0.02),
}


@pytest.mark.parametrize(("method", "near"), METHODS.values(), ids=METHODS)
def test_what_a_block_keeps_is_what_autograd_saves(model: Path, method, near: float) -> None:
    numbers = training(ROWS, LENGTH, checkpointing=False, precision="fp32")
    planned = per_token(read_base_model(model), method, numbers).block
    assert planned == pytest.approx(saved_bytes(model, method), rel=near)
