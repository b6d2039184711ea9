"""One suite for every further PEFT method on offer; a method that fails here is not offered (engine.spec.methods)."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from engine.spec.methods import Tuner, TunerName, mergeable
from engine.spec.runspec import AdapterRef, ModelRef
from engine.worker.fault import Fault
from engine.worker.merging import merged
from engine.worker.model import attach
from tests.worker.loop import run_through, spec_for, trained
from tests.worker.reference import plain_base

WEIGHTS = "adapter_model.safetensors"


@pytest.mark.parametrize("name", get_args(TunerName))
def test_it_trains_reloads_merges_and_resumes_to_the_same_bits(
    tmp_path: Path, model: Path, rows: Path, name: TunerName
) -> None:
    method = Tuner(tuner=name, targets=("all-linear",))
    adapter, logits, texts = trained(tmp_path, model, rows, method)
    assert all(torch.isfinite(each).all() for each in logits)
    ref = ModelRef(path=str(model), name="tiny", fingerprint="f")
    again = PeftModel.from_pretrained(plain_base(model), str(adapter)).eval()
    assert apart(again, texts, logits) < 1e-5
    assert apart(plain_base(model).eval(), texts, logits) > 1e-3, "nothing was learned"
    if mergeable(method):
        assert apart(merged(ref, adapter, method, "fp32"), texts, logits) < 1e-4
    cut = run_through(tmp_path / "cut", spec_for(model, rows, method), [(3, "pause"), (9, "kill")])
    ours, theirs = (load_file(each / WEIGHTS) for each in (cut.adapter, adapter))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def apart(model: torch.nn.Module, texts: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """The largest difference of any logit at the text's own positions."""
    with torch.no_grad():
        found = [model(input_ids=ids[None], use_cache=False).logits[0, -len(ids) :] for ids in texts]
    return max((one - other[-len(one) :]).abs().max().item() for one, other in zip(found, expected, strict=True))


def test_an_adapter_whose_configuration_lacks_its_kind_says_so(model: Path, tmp_path: Path):
    (tmp_path / "adapter_config.json").write_text("{}")
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with pytest.raises(Fault, match="The adapter shop could not be loaded") as refused:
        attach(base, AdapterRef(name="shop", path=str(tmp_path)))
    assert refused.value.card.why == "Its adapter_config.json lacks 'peft_type'."
