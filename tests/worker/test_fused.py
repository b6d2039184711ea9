"""The fused LoRA layer against PEFT's own: the same outputs and the same gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.worker.fused import fuse


def adapted(model: Path, dropout: float, *, dora: bool = False) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=12, target_modules="all-linear", lora_dropout=dropout, use_dora=dora
    )
    made = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), config).train()
    for name, parameter in made.named_parameters():
        if "lora_B" in name:  # a zero B would hide half of the gradients
            torch.nn.init.normal_(parameter, std=0.1)
    return made


def outcome(model: torch.nn.Module) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    torch.manual_seed(5)
    tokens = torch.randint(3, 120, (3, 17))
    logits = model(input_ids=tokens).logits
    logits.square().sum().backward()
    return logits.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_outputs_and_gradients_are_those_of_peft(model: Path, dropout: float) -> None:
    plain, ours = adapted(model, dropout), adapted(model, dropout)
    assert fuse(ours) == 14  # two layers of seven projections
    expected, found = outcome(plain), outcome(ours)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=1e-6)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-4 * gradient.abs().max().item())


def test_the_base_answers_when_the_adapter_is_off(model: Path) -> None:
    ours = adapted(model, 0.0)
    tokens = torch.randint(3, 120, (2, 9))
    with torch.no_grad(), ours.disable_adapter():  # type: ignore[operator]
        before = ours(input_ids=tokens).logits
    fuse(ours)
    with torch.no_grad(), ours.disable_adapter():  # type: ignore[operator]
        assert torch.equal(ours(input_ids=tokens).logits, before)


def test_layers_that_do_more_keep_their_own_way(model: Path) -> None:
    assert fuse(adapted(model, 0.0, dora=True)) == 0
