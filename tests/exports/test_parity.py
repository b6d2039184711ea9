"""The parity certificate: each way in which an export goes wrong is put in, and must be found and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from tokenizers import Tokenizer

from engine.spec.exits import Exit
from engine.spec.exports import CERTIFICATE, Certificate, Form, Probe
from engine.spec.files import read_struct
from engine.spec.runspec import ExportJob
from engine.worker.exporting import forms, gguf_file, llama_runtime
from engine.worker.exporting.listening import Facts, Heard
from engine.worker.exporting.parity import certify, distance
from tests.exports.conftest import in_llama
from tests.exports.jobs import export_job, prompting_for, run_export
from tests.exports.made import WITH_BEGIN

RUNTIMES = [pytest.param("llama.cpp", marks=in_llama), "read back"]
Sabotage = Callable[[ExportJob], ExportJob]


def prompting_changed(**changes: Any) -> Sabotage:
    """The file is written for a model that is prompted otherwise."""
    return lambda job: msgspec.structs.replace(job, prompting=msgspec.structs.replace(job.prompting, **changes))


CAUSES: dict[str, Sabotage] = {
    "double begin token": prompting_changed(adds_bos=True),
    "wrong end token": prompting_changed(end_tokens=(7,)),
    "missing template": prompting_changed(template=""),
    "changed template": prompting_changed(template=WITH_BEGIN.replace("<|im_start|>", "<|im_end|>")),
}


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "read back":
        monkeypatch.setattr(llama_runtime, "available", lambda: False)
    return request.param


def job_for(tiny: Path, adapter: Path, target: Path, form: Form = "gguf") -> ExportJob:
    quant = "f16" if form == "gguf" else "none"
    return export_job(tiny, adapter, target, form, quant, prompting=prompting_for(tiny, WITH_BEGIN))


def certificate_of(place: Path, job: ExportJob) -> tuple[Exit, Certificate, str]:
    code, folder = run_export(place, job)
    error = folder.state().error
    return code, read_struct(folder.path / CERTIFICATE, Certificate), error.what if error else ""


def sabotaged(monkeypatch: pytest.MonkeyPatch, change: Sabotage) -> None:
    """From here on everything is written with the change; what it is compared with stays."""
    write = forms.write_form
    monkeypatch.setattr("engine.worker.exporting.job.write_form", lambda job, *rest: write(change(job), *rest))


def test_a_sound_file_passes(tmp_path: Path, tiny: Path, tiny_adapter: Path, runtime: str) -> None:
    code, certificate, _ = certificate_of(tmp_path / "run", job_for(tiny, tiny_adapter, tmp_path / "out"))
    assert code is Exit.COMPLETED
    assert certificate.passed and not certificate.mismatches
    assert certificate.verdict.startswith("It answers like the trained model: 3 prompts")
    assert runtime in certificate.runtime
    beside = read_struct(tmp_path / "out" / CERTIFICATE, Certificate)
    assert beside == msgspec.structs.replace(certificate, exchanges=())
    assert all(each.trained == each.exported for each in certificate.exchanges)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_named_and_nothing_is_handed_out(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, runtime: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotaged(monkeypatch, CAUSES[cause])
    code, certificate, error = certificate_of(tmp_path / "run", job_for(tiny, tiny_adapter, tmp_path / "out"))
    assert code is Exit.NOT_EQUAL
    assert [each.cause for each in certificate.mismatches] == [cause]
    assert cause in error
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_two_begin_tokens_are_told_from_one_too_many(tmp_path: Path, tiny: Path, tiny_adapter: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        sabotaged(patch, CAUSES["double begin token"])
        _, certificate, _ = certificate_of(tmp_path / "run", job_for(tiny, tiny_adapter, tmp_path / "out"))
    assert "before the one that the template has written" in certificate.mismatches[0].words
    assert "'<s>'" in certificate.mismatches[0].words


def test_a_changed_vocabulary_is_named_with_its_token(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = gguf_file.read_vocabulary

    def swapped(folder: Path, size: int) -> Any:
        known = read(folder, size)
        known.tokens[40], known.tokens[41] = known.tokens[41], known.tokens[40]
        return known

    monkeypatch.setattr(gguf_file, "read_vocabulary", swapped)
    code, certificate, _ = certificate_of(tmp_path / "run", job_for(tiny, tiny_adapter, tmp_path / "out"))
    assert code is Exit.NOT_EQUAL
    assert certificate.mismatches[0].cause == "changed vocabulary"
    assert "Token 40" in certificate.mismatches[0].words


def test_changed_weights_are_named(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid_out = gguf_file.laid_out

    def unturned(tensor: torch.Tensor, *, name: str, numbers: Any, back: bool) -> torch.Tensor:
        return tensor if "k_proj" in name and not back else laid_out(tensor, name=name, numbers=numbers, back=back)

    monkeypatch.setattr(gguf_file, "laid_out", unturned)
    code, certificate, _ = certificate_of(tmp_path / "run", job_for(tiny, tiny_adapter, tmp_path / "out"))
    assert code is Exit.NOT_EQUAL
    assert "changed weights" in [each.cause for each in certificate.mismatches]


def test_a_merge_that_left_the_adapter_out_is_changed_weights(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.worker.model import load_base

    monkeypatch.setattr(forms, "whole", lambda job: load_base(job.model, job.precision).eval())
    code, certificate, _ = certificate_of(tmp_path / "run", job_for(tiny, tiny_adapter, tmp_path / "out", "merged"))
    assert code is Exit.NOT_EQUAL
    assert [each.cause for each in certificate.mismatches] == ["changed weights"]
    failed = {check.name for check in certificate.checks if not check.passed}
    assert "score distance" in failed


@pytest.mark.parametrize("form", ["merged", "adapter"])
@pytest.mark.parametrize("cause", ["wrong end token", "changed template"])
def test_folders_are_held_to_the_same(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, form: Form, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotaged(monkeypatch, CAUSES[cause])
    code, certificate, _ = certificate_of(tmp_path / "run", job_for(tiny, tiny_adapter, tmp_path / "out", form))
    assert code is Exit.NOT_EQUAL
    assert cause in [each.cause for each in certificate.mismatches]


def test_a_modelfile_that_prompts_otherwise_fails(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.exports.test_prompts import pieces

    right = pieces(WITH_BEGIN)
    assert right
    wrong = msgspec.structs.replace(right, answer="<|im_start|>assistant")
    sabotaged(monkeypatch, prompting_changed(pieces=wrong))
    prompting = prompting_for(tiny, WITH_BEGIN, pieces=right)
    job = export_job(tiny, tiny_adapter, tmp_path / "out", "ollama", "f16", prompting=prompting)
    code, certificate, _ = certificate_of(tmp_path / "run", job)
    assert code is Exit.NOT_EQUAL
    assert not next(check for check in certificate.checks if check.name == "Modelfile").passed


def test_a_template_with_todays_date_is_compared_with_the_date_of_training(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, runtime: str
) -> None:
    dated = "{{- strftime_now('%d %b %Y') -}}" + WITH_BEGIN
    prompting = prompting_for(tiny, dated, frozen_date=True)
    job = export_job(tiny, tiny_adapter, tmp_path / "out", "gguf", "f16", prompting=prompting)
    old = tuple(msgspec.structs.replace(probe, turns=probe.turns) for probe in job.probes)
    code, certificate, _ = certificate_of(tmp_path / "run", msgspec.structs.replace(job, probes=old))
    assert code is Exit.COMPLETED
    assert any("today's date" in note for note in certificate.notes)


def test_distance_is_zero_for_a_shift_and_one_for_silence() -> None:
    scores = torch.randn((1, 50), generator=torch.Generator().manual_seed(0))
    assert distance(Heard(scores, [0]), Heard(scores + 3, [0])) == pytest.approx(0, abs=1e-6)
    assert distance(Heard(scores, [0]), Heard(torch.zeros_like(scores), [0])) == pytest.approx(1, abs=1e-6)


class Scripted:
    """An artefact that knows all about the model and says what it is told to."""

    runtime = "a script"

    def __init__(self, job: ExportJob, said: list[Heard]) -> None:
        self._job, self._said = job, iter(said)

    def facts(self) -> Facts:
        vocabulary = Tokenizer.from_file(f"{self._job.model.path}/tokenizer.json").get_vocab()
        known = {number: text for text, number in vocabulary.items()}
        ends = frozenset(self._job.prompting.end_tokens)
        return Facts(tokens=known, ends=ends, begin=1, template=self._job.prompting.template)

    def prompt(self, probe: Probe) -> tuple[int, ...]:
        return probe.tokens

    def listen(self, tokens: Sequence[int], count: int, ends: Sequence[int]) -> Heard:
        return next(self._said)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("lead", "passed"), [(0.01, True), (5.0, False)], ids=["undecided", "clear"])
def test_an_answer_may_part_only_where_the_trained_model_was_undecided(
    tiny: Path, tiny_adapter: Path, tmp_path: Path, lead: float, passed: bool
) -> None:
    job = job_for(tiny, tiny_adapter, tmp_path / "out")
    dice = torch.Generator().manual_seed(4)
    ours, theirs = [], []
    for _ in job.probes:
        scores = torch.randn((2, 400), generator=dice).clamp(max=2)
        scores[0, 20], scores[1, 30], scores[1, 31] = 9.0, 9.0 + lead, 9.0
        ours.append(Heard(scores, [20, 30]))
        noise = 0.01 * torch.randn(scores.shape, generator=dice)
        theirs.append(Heard(scores + noise, [20, 31]))
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    certificate = certify(job, ours, Scripted(job, theirs), tokenizer, 0.05, lambda done: None)
    assert certificate.passed is passed
    assert [each.cause for each in certificate.mismatches] == ([] if passed else ["changed answers"])
    assert [each.split_at for each in certificate.exchanges] == [1, 1, 1]
    assert "0 of 3 answers" in next(check.words for check in certificate.checks if check.name == "answers")
