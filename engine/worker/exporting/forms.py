"""Each form's files, and the runtime that reads them back for the certificate."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tokenizers import Tokenizer
from torch import nn

from engine.spec.exits import Exit
from engine.spec.exports import WITH_GGUF, WITH_MODELFILE, Certificate, Check, Mismatch
from engine.spec.methods import mergeable, quantization_of
from engine.spec.runspec import ExportJob
from engine.worker.exporting import llama_runtime
from engine.worker.exporting.folders import (
    EXAMPLE,
    MODEL,
    Folder,
    write_adapter,
    write_card,
    write_model,
    write_package,
)
from engine.worker.exporting.gguf_adapter import lora_parts, put_on, write_lora
from engine.worker.exporting.gguf_file import numbers_of
from engine.worker.exporting.listening import Artefact, Heard, listen
from engine.worker.exporting.llama_runtime import LlamaCpp
from engine.worker.exporting.modelfile import NAME, Modelfile, modelfile, sampling_of
from engine.worker.exporting.parity import ALLOWED, allowed_for, certify, coarser, distance, with_checks
from engine.worker.exporting.quantizing import write_quantized
from engine.worker.exporting.readback import ReadBack
from engine.worker.exporting.trained import number_format, whole
from engine.worker.fault import Fault
from engine.worker.merging import trained_base
from engine.worker.model import DTYPES

Written = Callable[[int, int], None]
EXAMPLE_SECONDS = 600
SHARED_CONTEXT = 512
"""Tokens of room that a prompt and its answer get at least, where the model has them."""


def write_form(job: ExportJob, place: Path, after: Written) -> nn.Module | None:
    """Write the job's form into an empty folder; returns the merged model, if any. Raises Fault or OSError."""
    if not job.adapter.whole and not mergeable(job.method) and job.form in ("adapter", "hf", "package"):
        _beside(job, place)
        return None
    if job.form == "adapter":
        _refuse_whole(job)
        write_adapter(job, place)
        write_card(job, place)
        return None
    if job.form == "ollama-adapter":
        return _gguf_and_adapter(job, place, after)
    model = whole(job)
    if job.form in WITH_GGUF:
        _gguf(job, model, place, after)
    elif job.form == "onnx":
        from engine.worker.exporting.onnx_graph import write_onnx

        write_onnx(job, model, place)
    elif job.form == "package":
        write_package(job, model, place)
    else:
        write_model(job, model, place)
        if job.form == "hf":
            write_card(job, place)
    return model


def _beside(job: ExportJob, place: Path) -> None:
    """What can be had of a method that cannot be merged: the adapter, or the adapter and its base."""
    if job.form == "package":
        write_package(job, None, place)
    else:
        write_adapter(job, place)
        write_card(job, place)


def _refuse_whole(job: ExportJob) -> None:
    if job.adapter.whole:
        raise Fault(
            Exit.BAD_SPEC,
            "There is no adapter to export.",
            "Full fine-tuning changes the model itself; its version is a whole model.",
            "Export it as a merged model.",
        )


def gguf_path(job: ExportJob, place: Path) -> Path:
    """Where the GGUF file stands: alone, beside a Modelfile, or in the folders that LM Studio looks through."""
    file = f"{job.name}-{job.quant}.gguf"
    if job.form == "ollama-adapter":
        return place / f"{job.name}-base-{job.quant}.gguf"
    return place / job.publisher / job.name / file if job.form == "lmstudio" else place / file


def adapter_path(job: ExportJob, place: Path) -> Path | None:
    """Where the adapter stands as a GGUF file of its own; None where it is in the weights."""
    return place / f"{job.name}-adapter.gguf" if job.form == "ollama-adapter" else None


def _gguf(job: ExportJob, model: nn.Module, place: Path, after: Written) -> None:
    path, adapter = gguf_path(job, place), adapter_path(job, place)
    if job.form in WITH_MODELFILE:
        context = numbers_of(model).max_position_embeddings
        sampling = sampling_of(Path(job.model.path))
        text = modelfile(path.name, job.prompting, sampling, context, adapter.name if adapter else "")
        (place / NAME).write_text(text, encoding="utf-8", newline="\n")
        write_card(job, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_quantized(job, model, path, after)


def _gguf_and_adapter(job: ExportJob, place: Path, after: Written) -> nn.Module:
    """The base as the adapter was trained against it, and the adapter beside it; returns the base. Raises Fault."""
    _refuse_whole(job)
    base = trained_base(job.model, quantization_of(job.method), job.method, job.precision).eval()
    parts = lora_parts(job, base)
    _gguf(job, base, place, after)
    path = adapter_path(job, place)
    assert path is not None
    write_lora(path, parts, base, job.name)
    return base


def certified(
    job: ExportJob, place: Path, model: nn.Module | None, trained: Sequence[Heard], after: Callable[[int], None]
) -> Certificate:
    """The certificate of what was written, in the artefact's own runtime where that is installed. Raises Fault."""
    tokenizer = Tokenizer.from_file(str(Path(job.model.path) / "tokenizer.json"))
    ask = partial(certify, job, trained, tokenizer=tokenizer, after=after, notes=_notes(job))
    if job.form in WITH_GGUF:
        assert model is not None
        # first: reading the file back overwrites the model
        more = [] if job.form == "ollama-adapter" else [_merge_check(job, model, trained)]
        certificate = with_checks(_gguf_certificate(job, place, model, ask), more)
    else:
        certificate = _asked(_open(job, place), ALLOWED[_format(job)], ask)
    if job.form in WITH_MODELFILE:
        certificate = with_checks(certificate, [_modelfile_check(job, place)])
    if job.form == "package":
        certificate = with_checks(certificate, [_example_check(place)])
    return certificate


def _asked(artefact: Artefact, allowed: float, ask: Callable[..., Certificate]) -> Certificate:
    try:
        return ask(artefact=artefact, allowed=allowed)
    finally:
        artefact.close()


def _merge_check(job: ExportJob, model: nn.Module, trained: Sequence[Heard]) -> tuple[Check, Mismatch]:
    """Whether the merged weights, before they are rounded, answer like base and adapter side by side."""
    apart = max(
        distance(ours, listen(model, probe.tokens, 1, ())) for probe, ours in zip(job.probes, trained, strict=True)
    )
    allowed = ALLOWED[job.precision]
    words = f"Before rounding, scores of the merged model are off by {100 * apart:.2f} % of their spread at most."
    check = Check(name="merge", passed=apart <= allowed, words=words, measured=apart, allowed=allowed)
    return check, Mismatch(cause="changed weights", words=words)


def _gguf_certificate(job: ExportJob, place: Path, model: nn.Module, ask: Callable[..., Certificate]) -> Certificate:
    """The file read back says how far its weights are from the trained ones, and so how far llama.cpp may be."""
    format = coarser(job.quant, DTYPES[job.precision])
    adapter = adapter_path(job, place)
    parts = lora_parts(job, model) if adapter else []
    read = ReadBack(gguf_path(job, place), model.float(), Path(job.model.path) / "tokenizer.json")
    tensors = [_tensors(read)]
    if adapter:
        tensors.append(_adapter_tensors(put_on(adapter, model, parts), len(parts)))
    certificate = _asked(read, ALLOWED[format], ask)
    if llama_runtime.available():
        expected = next(check.measured or 0.0 for check in certificate.checks if check.name == "score distance")
        certificate = _asked(_open_gguf(job, place), allowed_for(expected, format), ask)
    return with_checks(certificate, tensors)


def _format(job: ExportJob) -> str:
    """The coarsest number format on the way: it decides how far the two may be apart."""
    if job.form in ("adapter", "onnx") or not (mergeable(job.method) or job.adapter.whole):
        return job.precision
    return coarser(job.precision, number_format(Path(job.model.path), job.precision))


def _notes(job: ExportJob) -> tuple[str, ...]:
    notes = []
    if job.prompting.frozen_date:
        notes.append("The chat template asks for today's date; both sides were asked with the date of training.")
    if job.form in WITH_GGUF and not llama_runtime.available():
        notes.append("llama.cpp is not installed here; the file was read back and compared with the trained weights.")
    return tuple(notes)


def _open(job: ExportJob, place: Path) -> Artefact:
    if job.form == "onnx":
        from engine.worker.exporting.onnx_graph import Graph

        return Graph(job, place)
    adapter = not job.adapter.whole and (job.form == "adapter" or not mergeable(job.method))
    return Folder(job, place / MODEL if job.form == "package" else place, adapter=adapter)


def _open_gguf(job: ExportJob, place: Path) -> Artefact:
    longest = max(len(probe.tokens) for probe in job.probes) + job.answer_tokens
    said = _modelfile(place).render if job.form in WITH_MODELFILE else None
    try:
        return LlamaCpp(gguf_path(job, place), max(SHARED_CONTEXT, longest + 1), said, adapter_path(job, place))
    except ValueError as error:
        raise Fault(
            Exit.NOT_EQUAL,
            "llama.cpp cannot load the file.",
            f"{error}.",
            "Export it as a merged model, which transformers reads.",
        ) from error


def _tensors(artefact: ReadBack) -> tuple[Check, Mismatch]:
    wrong = artefact.wrong()
    words = wrong or f"{len(artefact.apart)} tensors, each within its format's error."
    return Check(name="tensors", passed=not wrong, words=words), Mismatch(cause="changed weights", words=words)


def _adapter_tensors(wrong: str, count: int) -> tuple[Check, Mismatch]:
    words = wrong or f"{count} weights are changed by the adapter's file as the trained adapter changes them."
    return Check(name="adapter", passed=not wrong, words=words), Mismatch(cause="changed weights", words=words)


def _modelfile(place: Path) -> Modelfile:
    return Modelfile((place / NAME).read_text(encoding="utf-8"))


def _modelfile_check(job: ExportJob, place: Path) -> tuple[Check, Mismatch]:
    read = _modelfile(place)
    wrong = next((probe for probe in job.probes if read.render(probe) != probe.text), None)
    stops = set(read.stops) >= set(job.prompting.end_texts)
    adapter = adapter_path(job, place)
    files = (place / read.source).is_file() and (adapter is None or (place / read.adapter) == adapter)
    passed = wrong is None and stops and files
    words = "The Modelfile writes every prompt as the model's own template does, and names what ends an answer."
    if not passed:
        words = (
            "The Modelfile's template writes another prompt." if wrong else "The Modelfile names other files or stops."
        )
    return Check(name="Modelfile", passed=passed, words=words), Mismatch(cause="changed template", words=words)


def _example_check(place: Path) -> tuple[Check, Mismatch]:
    """Run the package's example as its user would."""
    words = [sys.executable, "-P", EXAMPLE, "Hello!"]
    done = subprocess.run(
        words, cwd=place, capture_output=True, text=True, encoding="utf-8", timeout=EXAMPLE_SECONDS, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    last = (done.stderr.strip().splitlines() or [""])[-1]
    said = f"{EXAMPLE} ran and answered." if done.returncode == 0 else f"{EXAMPLE} failed: {last[:200]}"
    return Check(name="example", passed=done.returncode == 0, words=said), Mismatch(cause="missing file", words=said)
