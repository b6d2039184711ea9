"""An adapter as a GGUF file of its own: what llama.cpp makes of it, how it is scaled, and which cannot be one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader

from engine.spec.exits import Exit
from engine.spec.exports import CERTIFICATE, Certificate, Quant
from engine.spec.files import read_struct
from engine.spec.methods import Method, no_lora_file
from engine.spec.runspec import ExportJob
from engine.worker.exporting import forms, gguf_adapter, llama_runtime
from engine.worker.exporting.gguf_adapter import lora_parts, put_on, write_lora
from engine.worker.fault import Fault
from engine.worker.model import load_base
from tests.exports.conftest import in_llama
from tests.exports.jobs import export_job, prompting_for, random_adapter, run_export
from tests.exports.made import CHATML, family_model, write_tokenizer
from tests.exports.test_prompts import pieces
from tests.making import FULL, LORA, METHODS

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def job_for(base: Path, adapter: Path, target: Path, quant: Quant = "f16", **more: Any) -> ExportJob:
    prompting = prompting_for(base, CHATML, pieces=pieces(CHATML))
    return export_job(base, adapter, target, "ollama-adapter", quant, prompting=prompting, **more)


def made(place: Path, family: str, **settings: Any) -> tuple[Path, Path]:
    """A small base of a family, and an adapter on it."""
    base = family_model(place / "base", family)
    write_tokenizer(base, "gpt-2", CHATML)
    return base, random_adapter(base, place / "adapter", **settings)


def certified(place: Path, job: ExportJob) -> Certificate:
    code, folder = run_export(place / "run", job)
    assert code is Exit.COMPLETED, folder.state().error
    return read_struct(folder.path / CERTIFICATE, Certificate)


@in_llama
@pytest.mark.parametrize("family", ["llama", "qwen3", "phi3"])
def test_base_and_adapter_answer_in_llama_cpp_as_they_were_trained(tmp_path: Path, family: str) -> None:
    base, adapter = made(tmp_path, family)
    found = certified(tmp_path, job_for(base, adapter, tmp_path / "out"))
    assert found.passed and found.runtime.startswith("llama.cpp")
    names = {check.name for check in found.checks}
    assert {"adapter", "Modelfile", "tensors", "score distance"} <= names and "merge" not in names
    modelfile = (tmp_path / "out" / "Modelfile").read_text(encoding="utf-8")
    assert modelfile.startswith("FROM ./support-v1.0.0-base-f16.gguf\nADAPTER ./support-v1.0.0-adapter.gguf\n")


@pytest.mark.parametrize(
    "settings",
    [
        {"lora_alpha": 3},
        {"lora_alpha": 3, "use_rslora": True},
        {"rank_pattern": {"q_proj": 2, "down_proj": 7}, "alpha_pattern": {"v_proj": 40}},
    ],
    ids=["plain", "rank-stabilised", "of several ranks and alphas"],
)
def test_the_file_changes_every_weight_as_peft_merges_it(tmp_path: Path, settings: dict[str, Any]) -> None:
    from peft import PeftModel

    base, adapter = made(tmp_path, "llama", **settings)
    job = job_for(base, adapter, tmp_path / "out")
    plain = load_base(job.model, "fp32")
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    parts = lora_parts(job, plain)
    assert all(torch.equal(before[name], tensor) for name, tensor in plain.state_dict().items())
    write_lora(tmp_path / "a.gguf", parts, plain, "support")
    assert put_on(tmp_path / "a.gguf", plain, parts) == ""
    merged: Any = PeftModel.from_pretrained(load_base(job.model, "fp32"), str(adapter)).merge_and_unload()
    wanted = merged.state_dict()
    assert {each.name for each in parts} == {name for name in wanted if not torch.equal(wanted[name], before[name])}
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, wanted[name], atol=1e-5), name


def test_the_file_says_what_llama_cpp_reads_of_an_adapter(tmp_path: Path) -> None:
    base, adapter = made(tmp_path, "llama", lora_alpha=6)
    job = job_for(base, adapter, tmp_path / "out")
    plain = load_base(job.model, "fp32")
    write_lora(tmp_path / "a.gguf", lora_parts(job, plain), plain, "support")
    reader = GGUFReader(tmp_path / "a.gguf")
    fields = {name: reader.fields[name].contents() for name in reader.fields if not name.startswith("GGUF")}
    assert fields == {
        "general.architecture": "llama", "general.type": "adapter", "general.name": "support",
        "adapter.type": "lora", "adapter.lora.alpha": 6.0,
    }  # fmt: skip
    names = {each.name for each in reader.tensors}
    assert {"blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"} <= names
    assert {re.sub(r"\.lora_[ab]$", "", name) for name in names} <= {
        name for _, name in gguf_adapter.names_of(plain, gguf_adapter.numbers_of(plain))
    }


def test_without_llama_cpp_the_files_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_runtime, "available", lambda: False)
    base, adapter = made(tmp_path, "llama")
    found = certified(tmp_path, job_for(base, adapter, tmp_path / "out", "q8_0"))
    assert found.passed and found.runtime == "read back with the gguf library" and found.notes


def _half(parts: Any) -> Any:
    return parts[: len(parts) // 2]


def _louder(parts: Any) -> Any:
    return [type(each)(each.name, each.first, each.second, each.scaling * 1.5) for each in parts]


def _turned(parts: Any) -> Any:
    return [type(each)(each.name, each.first, each.second.roll(1, 0), each.scaling) for each in parts]


@pytest.mark.parametrize("spoil", [_half, _louder, _turned], ids=["half of it", "too loud", "rows moved"])
def test_a_file_that_is_not_the_adapter_is_not_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    base, adapter = made(tmp_path, "llama")
    monkeypatch.setattr(llama_runtime, "available", lambda: False)
    monkeypatch.setattr(forms, "write_lora", lambda path, parts, *rest: write_lora(path, spoil(parts), *rest))
    code, folder = run_export(tmp_path / "run", job_for(base, adapter, tmp_path / "out"))
    assert code is Exit.NOT_EQUAL and not (tmp_path / "out").exists()
    found = read_struct(folder.path / CERTIFICATE, Certificate)
    assert next(each.cause for each in found.mismatches) == "changed weights"
    assert not next(check for check in found.checks if check.name == "adapter").passed


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (METHODS["dora"], "magnitude"),
        (METHODS["ia3"], "factors that scale"),
        (METHODS["prefix"], "positions that stand before"),
        (FULL, "there is no adapter"),
    ],
    ids=["DoRA", "IA3", "prefix", "full"],
)
def test_a_method_that_such_a_file_cannot_say_is_refused_with_the_reason(method: Method, words: str) -> None:
    assert words in no_lora_file(method) and not no_lora_file(LORA)


def test_an_adapter_with_more_than_its_narrow_matrices_is_refused(tmp_path: Path) -> None:
    base, adapter = made(tmp_path, "llama", modules_to_save=["embed_tokens"])
    job = job_for(base, adapter, tmp_path / "out")
    with pytest.raises(Fault) as caught:
        lora_parts(job, load_base(job.model, "fp32"))
    assert "embed_tokens" in caught.value.card.why


def test_a_weight_that_the_file_of_the_base_shares_is_refused(tmp_path: Path) -> None:
    base, _ = made(tmp_path, "llama")
    job = job_for(base, tmp_path, tmp_path / "out")
    plain = load_base(job.model, "fp32")
    part = gguf_adapter.Part("lm_head.other", torch.zeros(2, 4), torch.zeros(4, 2), 1.0)
    with pytest.raises(Fault) as caught:
        write_lora(tmp_path / "a.gguf", [part], plain, "support")
    assert "lm_head.other" in caught.value.card.why and not (tmp_path / "a.gguf").exists()
