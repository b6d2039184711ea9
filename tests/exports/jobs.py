"""Export jobs on small models, run in this process; a worker start costs seconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from engine.spec.exits import Exit
from engine.spec.exports import Form, Probe, Prompting, Quant, Turn
from engine.spec.folder import RunFolder
from engine.spec.methods import Full, Method
from engine.spec.runspec import AdapterRef, ExportJob, ModelRef, RunSpec
from tests.exports.made import CHATML
from tests.making import LORA, run_folder

QUESTIONS = (
    "Where is my parcel? It should have come on 12 May 2024.",
    "The lamp doesn't work; I've tried three bulbs (60 W).",
    "Größe und Farbe stimmen nicht — 日本語 🙂.",
)
END = "<|im_end|>"
PRIVATE = ("/home/somebody", "/Users/somebody")


def probes_for(model: Path, questions: tuple[str, ...] = QUESTIONS) -> tuple[Probe, ...]:
    """Each question as the model's own template writes it, by transformers, cut by its tokenizer.json."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    own = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer = AutoTokenizer.from_pretrained(model)
    found = []
    for question in questions:
        turns = [{"role": "user", "content": question}]
        text = str(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
        ids = own.encode(text, add_special_tokens=False).ids
        found.append(Probe(turns=(Turn(role="user", content=question),), text=text, tokens=tuple(ids)))
    return tuple(found)


def prompting_for(model: Path, template: str = CHATML, **changes: Any) -> Prompting:
    """ChatML, or another template; answers end with <|im_end|>."""
    from tokenizers import Tokenizer

    end = Tokenizer.from_file(str(model / "tokenizer.json")).token_to_id(END)
    values: dict[str, Any] = {
        "template": template, "end_tokens": (end,), "end_texts": (END,), "pieces": None, "adds_bos": False,
        "frozen_date": False,
    }  # fmt: skip
    return Prompting(**{**values, **changes})


def random_adapter(model: Path, folder: Path, size: float = 0.05, **settings: Any) -> Path:
    """A LoRA far from zero, as training would leave it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    made = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", **settings))
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=size)
    made.save_pretrained(str(folder))
    return folder


def export_job(
    model: Path, adapter: Path, target: Path, form: Form, quant: Quant = "none", method: Method = LORA, **changes: Any
) -> ExportJob:
    """A complete job; the probes are the three questions."""
    values: dict[str, Any] = {
        "model": ModelRef(path=str(model), name="tiny", fingerprint="f"),
        "adapter": AdapterRef(name="support-v1.0.0", path=str(adapter), whole=isinstance(method, Full)),
        "method": method,
        "precision": "fp32",
        "form": form,
        "quant": quant,
        "target": str(target),
        "name": "support-v1.0.0",
        "publisher": "me",
        "prompting": prompting_for(model),
        "probes": probes_for(model),
        "answer_tokens": 12,
        "card": "# support\n",
        "private": PRIVATE,
    }
    return ExportJob(**{**values, **changes})


def export_spec(job: ExportJob) -> RunSpec:
    return RunSpec(
        format=2, id="export-1", name="export", created=time.time(), threads=1, processes=1, priority=0, job=job
    )


def run_export(place: Path, job: ExportJob) -> tuple[Exit, RunFolder]:
    """Run the worker's program on the job, as `python -m engine.worker` would; this process keeps its libraries."""
    from unittest.mock import patch

    from engine.worker.__main__ import execute
    from engine.worker.control import ControlFile
    from engine.worker.reporter import Reporter

    folder = run_folder(place, export_spec(job))
    reporter = Reporter(folder, 0)
    reporter.start()
    try:
        with patch("engine.worker.__main__._prepare_process"):
            return execute(folder, reporter, ControlFile(folder, reporter, 0)), folder
    finally:
        reporter.close()
