"""The trained model as it was trained: base and adapter side by side, or a whole model; and merged into one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from engine.spec.methods import mergeable, quantization_of
from engine.spec.runspec import ExportJob, ModelRef
from engine.worker.exporting.listening import Heard, listen
from engine.worker.merging import merged
from engine.worker.methods import double_quantized
from engine.worker.model import DTYPES, attach, evaluating, load_base


def together(job: ExportJob, adapter: Path | None = None) -> nn.Module:
    """The base with the adapter on it, quantized as it was in training; `adapter` names another copy. Raises Fault."""
    if job.adapter.whole:
        return load_base(_own_folder(job), job.precision).eval()
    base = load_base(job.model, job.precision, quantization_of(job.method), double=double_quantized(job.method))
    ref = type(job.adapter)(name=job.adapter.name, path=str(adapter or job.adapter.path))
    return attach(base, ref)


def whole(job: ExportJob) -> nn.Module:
    """One model with the adapter in its weights, in the precision of the job. Raises Fault when it cannot be merged."""
    if job.adapter.whole:
        return load_base(_own_folder(job), job.precision).eval()
    return merged(job.model, Path(job.adapter.path), job.method, job.precision)


def _own_folder(job: ExportJob) -> ModelRef:
    return ModelRef(path=job.adapter.path, name=job.adapter.name, fingerprint="")


def number_format(folder: Path, precision: str) -> torch.dtype:
    """How the base's weights are stored; what a merged model is stored in too."""
    from transformers import AutoConfig

    named = AutoConfig.from_pretrained(folder, local_files_only=True).dtype
    return named if isinstance(named, torch.dtype) else DTYPES[precision]


@contextmanager
def answering(model: nn.Module) -> Iterator[nn.Module]:
    """The model ready to answer; 4-bit layers keep the sums that training did."""
    with evaluating(model):
        yield model


def trained_answers(job: ExportJob) -> list[Heard]:
    """What the trained model says to every probe. Raises Fault."""
    with answering(together(job)) as model:
        cached = job.adapter.whole or mergeable(job.method)
        ends = job.prompting.end_tokens
        return [listen(model, probe.tokens, job.answer_tokens, ends, cached=cached) for probe in job.probes]
