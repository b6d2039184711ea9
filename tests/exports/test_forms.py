"""Every form, loaded as its users would and compared with base and adapter side by side."""

from __future__ import annotations

import hashlib
import json
import runpy
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from engine.spec.exits import Exit
from engine.spec.exports import CHECKSUMS, Certificate, Check, Form, Mismatch, Quant
from engine.spec.files import read_struct
from engine.spec.runspec import ExportJob
from engine.worker.exporting import forms, trained
from tests.exports.conftest import in_llama, in_onnx
from tests.exports.jobs import QUESTIONS, export_job, probes_for, prompting_for, random_adapter, run_export
from tests.exports.made import CHATML, WITH_BEGIN, family_model, write_tokenizer
from tests.exports.test_prompts import pieces
from tests.making import FULL, METHODS

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
LENGTH = 12


def job_for(tiny: Path, adapter: Path, target: Path, form: Form, quant: Quant = "none", **more: Any) -> ExportJob:
    prompting = prompting_for(tiny, WITH_BEGIN, pieces=pieces(WITH_BEGIN.replace("bos_token", "'<s>'")))
    return export_job(tiny, adapter, target, form, quant, prompting=prompting, **more)


def exported(place: Path, job: ExportJob) -> Path:
    code, folder = run_export(place / "run", job)
    assert code is Exit.COMPLETED, folder.state().error
    return Path(job.target)


def plain(base: Path, adapter: Path | None = None) -> Any:
    """A model as anybody loads it."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    return (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()


def answers(model: Any, folder: Path) -> list[str]:
    """Greedy answers by transformers' own `generate`, with the folder's own tokenizer and template."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    said = []
    for question in QUESTIONS:
        turns = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=LENGTH, do_sample=False)
        said.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).replace("\ufffd", "").strip())
    return said


@pytest.fixture(scope="module")
def expected(tiny: Path, tiny_adapter: Path) -> list[str]:
    return answers(plain(tiny, tiny_adapter), tiny)


def test_an_adapter_answers_in_plain_peft_and_names_its_base_by_name(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, expected: list[str]
) -> None:
    out = exported(tmp_path, job_for(tiny, tiny_adapter, tmp_path / "out", "adapter"))
    assert answers(plain(tiny, out), out) == expected
    settings = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    assert settings["base_model_name_or_path"] == "tiny"
    assert str(tiny) not in "".join(path.read_text(encoding="utf-8") for path in out.glob("*.json"))


@pytest.mark.parametrize("form", ["merged", "hf"])
def test_a_merged_model_answers_in_plain_transformers(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, expected: list[str], form: Form
) -> None:
    out = exported(tmp_path, job_for(tiny, tiny_adapter, tmp_path / "out", form))
    assert answers(plain(out), out) == expected
    assert (out / "README.md").exists() == (form == "hf")


def test_a_merged_model_keeps_the_number_format_of_its_base(tmp_path: Path, tiny_adapter: Path) -> None:
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM

    base = family_model(tmp_path / "base", "llama")
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    write_tokenizer(base, "gpt-2", WITH_BEGIN)
    out = exported(tmp_path, job_for(base, tiny_adapter, tmp_path / "out", "merged"))
    with safe_open(out / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}  # noqa: SIM118


@in_llama
@pytest.mark.parametrize("form", ["gguf", "ollama", "lmstudio"])
def test_a_gguf_file_answers_in_llama_cpp(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, expected: list[str], form: Form
) -> None:
    llama_cpp: Any = import_module("llama_cpp")
    out = exported(tmp_path, job_for(tiny, tiny_adapter, tmp_path / "out", form, "f16"))
    path = {
        "gguf": out / "support-v1.0.0-f16.gguf",
        "ollama": out / "support-v1.0.0-f16.gguf",
        "lmstudio": out / "me" / "support-v1.0.0" / "support-v1.0.0-f16.gguf",
    }[form]
    model = llama_cpp.Llama(str(path), n_ctx=256, verbose=False)
    said = []
    for question in QUESTIONS:
        answer: Any = model.create_chat_completion(
            [{"role": "user", "content": question}], max_tokens=LENGTH, temperature=0.0, repeat_penalty=1.0
        )
        said.append(answer["choices"][0]["message"]["content"])
    model.close()
    assert [each.strip() for each in said] == expected


@in_llama
@pytest.mark.parametrize("quant", ["q5_k_m", "q4_k_m"])
def test_four_and_five_bits_are_written_and_certified(tmp_path: Path, quant: Quant) -> None:
    from gguf import GGUFReader

    base = family_model(tmp_path / "base", "llama", width=256)
    write_tokenizer(base, "gpt-2", WITH_BEGIN)
    adapter = random_adapter(base, tmp_path / "adapter", 0.02)
    out = exported(tmp_path, job_for(base, adapter, tmp_path / "out", "gguf", quant))
    kinds = {tensor.tensor_type.name for tensor in GGUFReader(out / f"support-v1.0.0-{quant}.gguf").tensors}
    assert ("Q4_K" if quant == "q4_k_m" else "Q5_K") in kinds
    assert [path.name for path in out.glob("*.gguf")] == [f"support-v1.0.0-{quant}.gguf"]


@in_onnx
def test_an_onnx_graph_answers_for_any_length(tmp_path: Path, tiny: Path, tiny_adapter: Path) -> None:
    onnxruntime: Any = import_module("onnxruntime")
    out = exported(tmp_path, job_for(tiny, tiny_adapter, tmp_path / "out", "onnx"))
    session = onnxruntime.InferenceSession(out / "model.onnx")
    model = plain(tiny, tiny_adapter)
    for rows, length in ((1, 3), (3, 17)):
        ids = torch.arange(rows * length).reshape(rows, length) + 10
        given = {"input_ids": ids.numpy(), "attention_mask": torch.ones_like(ids).numpy()}
        ours = model(input_ids=ids).logits.detach()
        assert (torch.from_numpy(session.run(["logits"], given)[0]) - ours).abs().max() < 1e-3


def test_a_package_runs_from_its_own_folder(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, expected: list[str]
) -> None:
    out = exported(tmp_path, job_for(tiny, tiny_adapter, tmp_path / "out", "package"))
    assert answers(plain(out / "model"), out / "model") == expected
    pins = (out / "requirements.txt").read_text(encoding="utf-8").split()
    assert {pin.split("==")[0] for pin in pins} == {"torch", "transformers", "safetensors", "jinja2"}
    assert all("==" in pin and "+" not in pin for pin in pins)
    example = runpy.run_path(str(out / "generate.py"))  # as a program it ran for the certificate
    assert [example["answer"](question, LENGTH).replace("\ufffd", "").strip() for question in QUESTIONS] == expected


def test_a_whole_model_is_exported_as_it_is(tmp_path: Path, tiny: Path, expected: list[str]) -> None:
    whole = tmp_path / "whole"
    model = plain(tiny)
    torch.nn.init.normal_(model.lm_head.weight, std=0.1, generator=torch.Generator().manual_seed(3))
    model.save_pretrained(whole)
    out = exported(tmp_path, job_for(tiny, whole, tmp_path / "out", "merged", method=FULL))
    assert answers(plain(out), out) == answers(model, tiny) != expected
    code, folder = run_export(tmp_path / "again", job_for(tiny, whole, tmp_path / "none", "adapter", method=FULL))
    error = folder.state().error
    assert code is Exit.BAD_SPEC and error and "no adapter" in error.what


@pytest.mark.parametrize("form", ["merged", "gguf"])
def test_a_quantized_base_is_merged_into_what_was_trained_against(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    quant: Quant = "f16" if form == "gguf" else "none"
    job = job_for(tiny, tiny_adapter, tmp_path / "out", form, quant, method=METHODS["qlora"])
    out = exported(tmp_path, job)
    certificate = read_struct(out / "certificate.json", Certificate)
    distance = next(check.measured for check in certificate.checks if check.name == "score distance")
    assert distance is not None and distance < 0.01
    if form == "merged":
        assert "quantization_config" not in json.loads((out / "config.json").read_text(encoding="utf-8"))
    merged = trained.merged
    monkeypatch.setattr(trained, "merged", lambda *words: merged(*words, original=True))
    other = msgspec.structs.replace(job, target=str(tmp_path / "original"))
    assert run_export(tmp_path / "again", other)[0] is Exit.NOT_EQUAL


def test_a_method_beside_the_weights_leaves_with_its_base_and_says_why_not_merged(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PrefixTuningConfig, get_peft_model

    torch.manual_seed(5)
    made = get_peft_model(plain(tiny), PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4))
    for parameter in made.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.5)
    made.save_pretrained(str(tmp_path / "prefix"))
    method = METHODS["prefix"]
    ran = Check(name="example", passed=True, words=""), Mismatch(cause="missing file", words="")
    monkeypatch.setattr(forms, "_example_check", lambda place: ran)  # below, in this process
    out = exported(tmp_path, job_for(tiny, tmp_path / "prefix", tmp_path / "out", "package", method=method))
    assert answers(plain(out / "base", out / "model"), out / "model") == answers(plain(tiny, tmp_path / "prefix"), tiny)
    example = runpy.run_path(str(out / "generate.py"))
    assert example["answer"](QUESTIONS[0], LENGTH)
    code, folder = run_export(
        tmp_path / "merged", job_for(tiny, tmp_path / "prefix", tmp_path / "none", "merged", method=method)
    )
    error = folder.state().error
    assert code is Exit.BAD_SPEC and error and "cannot be merged" in error.what


def test_checksums_cover_every_file(tmp_path: Path, tiny: Path, tiny_adapter: Path) -> None:
    out = exported(tmp_path, job_for(tiny, tiny_adapter, tmp_path / "out", "adapter"))
    lines = [line.split("  ", 1) for line in (out / CHECKSUMS).read_text(encoding="utf-8").splitlines()]
    assert {name for _, name in lines} == {path.name for path in out.iterdir()} - {CHECKSUMS}
    for digest, name in lines:
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest


def test_a_model_trained_on_plain_text_is_asked_with_plain_text(tmp_path: Path, tiny_adapter: Path) -> None:
    base = family_model(tmp_path / "base", "llama")
    write_tokenizer(base, "gpt-2", CHATML)
    probes = tuple(
        msgspec.structs.replace(probe, turns=(), tokens=(1, *probe.tokens)) for probe in probes_for(base, QUESTIONS[:2])
    )
    prompting = prompting_for(base, "", adds_bos=True)
    job = export_job(base, tiny_adapter, tmp_path / "out", "gguf", "f16", prompting=prompting, probes=probes)
    out = exported(tmp_path, job)
    assert read_struct(out / "certificate.json", Certificate).passed
