"""Every method against the plain libraries: the same losses, an adapter that loads unchanged, a merge that answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig

from engine.spec.methods import mergeable, quantization_of
from engine.spec.runspec import ModelRef, RunSpec, TrainJob
from engine.worker.fault import Fault
from engine.worker.merging import distance, merged
from tests.making import METHODS, train_spec, without_dropout
from tests.worker.loop import losses, run_through, trained
from tests.worker.reference import plain_base, reference_losses

ALL = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
CONFIGS: dict[str, Callable[[], Any]] = {
    "lora": lambda: LoraConfig(**ALL),
    "lora+": lambda: LoraConfig(**ALL),
    "rslora": lambda: LoraConfig(**ALL, use_rslora=True),
    "dora": lambda: LoraConfig(**ALL, use_dora=True),
    "pissa": lambda: LoraConfig(**ALL, init_lora_weights="pissa_niter_8"),  # pyright: ignore[reportArgumentType]
    "prefix": lambda: PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    "prompt": lambda: PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20),
    "ia3": lambda: IA3Config(
        task_type="CAUSAL_LM", target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    ),
    "full": lambda: None,
    "qlora": lambda: LoraConfig(**ALL),
    "fp4": lambda: LoraConfig(**ALL),
    "int8": lambda: LoraConfig(**ALL),
    "qdora": lambda: LoraConfig(**ALL, use_dora=True),
}
ADAPTERS = [name for name in METHODS if name != "full"]
MERGED = [name for name in ADAPTERS if mergeable(METHODS[name])]


def spec_of(model: Path, rows: Path, name: str, **changes: Any) -> RunSpec:
    values = {"epochs": 2, "validate_every": 100, "checkpoint_every": 100} | changes
    return train_spec(model, rows, without_dropout(METHODS[name]), **values)


@pytest.mark.parametrize("name", CONFIGS)
def test_fifty_steps_equal_a_plain_loop(tmp_path: Path, model: Path, rows: Path, name: str) -> None:
    spec = spec_of(model, rows, name, epochs=10)
    ours = losses(run_through(tmp_path / "run-1", spec, []))
    assert isinstance(spec.job, TrainJob)
    ratio = 16.0 if name == "lora+" else 1.0
    theirs = reference_losses(spec.job, CONFIGS[name](), quantization=quantization_of(spec.job.method), ratio=ratio)
    assert len(theirs) == 50
    assert max(abs(ours[step + 1] - loss) for step, loss in enumerate(theirs)) < 1e-4


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_answers_in_plain_peft_as_it_did_when_trained(
    tmp_path: Path, model: Path, rows: Path, name: str
) -> None:
    folder, logits, texts = trained(tmp_path, model, rows, METHODS[name])
    base = plain_base(model, quantization_of(METHODS[name]), double=name in ("qlora", "qdora"))
    again = PeftModel.from_pretrained(base, str(folder)).eval()
    for layer in again.modules():
        if type(layer).__name__ == "Linear4bit":
            layer.training = True  # bitsandbytes' evaluation path on a processor rounds differently
    tolerance = 0.05 if name == "int8" else 1e-4
    with torch.no_grad():
        for ids, expected in zip(texts, logits, strict=True):
            assert (again(input_ids=ids[None], use_cache=False).logits[0] - expected).abs().max() < tolerance


@pytest.mark.parametrize("name", MERGED)
def test_a_merged_model_answers_as_base_and_adapter_did(tmp_path: Path, model: Path, rows: Path, name: str) -> None:
    folder, logits, texts = trained(tmp_path, model, rows, METHODS[name])
    ref = ModelRef(path=str(model), name="tiny", fingerprint="f")
    whole = merged(ref, folder, METHODS[name], "fp32")
    tolerance = 0.05 if name == "int8" else 1e-4
    with torch.no_grad():
        for ids, expected in zip(texts, logits, strict=True):
            assert (whole(input_ids=ids[None], use_cache=False).logits[0] - expected).abs().max() < tolerance


def test_a_merge_into_the_original_weights_is_measured_to_be_further_off(
    tmp_path: Path, model: Path, rows: Path
) -> None:
    folder, _, texts = trained(tmp_path, model, rows, METHODS["qlora"])
    ref = ModelRef(path=str(model), name="tiny", fingerprint="f")
    into_seen = merged(ref, folder, METHODS["qlora"], "fp32")
    into_original = merged(ref, folder, METHODS["qlora"], "fp32", original=True)
    apart = distance(into_seen, into_original, texts)
    assert apart.largest > 0.001
    assert 0 <= apart.agreement <= 1
    assert distance(into_seen, into_seen, texts).largest == 0


def test_a_prefix_is_refused_a_merge_with_the_reason(tmp_path: Path, model: Path) -> None:
    ref = ModelRef(path=str(model), name="tiny", fingerprint="f")
    with pytest.raises(Fault, match="cannot be merged"):
        merged(ref, tmp_path, METHODS["prefix"], "fp32")


def test_the_second_matrix_learns_faster_with_lora_plus(tmp_path: Path, model: Path, rows: Path) -> None:
    runs = {name: run_through(tmp_path / name, spec_of(model, rows, name), []) for name in ("lora", "lora+")}
    assert losses(runs["lora+"])[10] < losses(runs["lora"])[10]
