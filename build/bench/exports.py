"""Exports: merging and GGUF files in MB/s beside a plain copy of the same bytes, on a random model of 250 MB."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from bench.report import Measure, report
from engine.plan.models import starter_path
from engine.spec.exports import Prompting
from engine.spec.methods import Lora
from engine.spec.runspec import ModelRef
from engine.worker.exporting.gguf_file import write_gguf
from engine.worker.merging import merged

METHOD = Lora(rank=8, alpha=16, dropout=0.0, targets=("all-linear",), rate_ratio=1.0)
PROMPTING = Prompting(
    template="", end_tokens=(2,), end_texts=("<|im_end|>",), pieces=None, adds_bos=False, frozen_date=False
)
MEGA = 1e6


def model_and_adapter(place: Path) -> ModelRef:
    """A Llama of 125 M weights in bf16 with the starter's tokenizer, and a LoRA beside it."""
    config = LlamaConfig(
        vocab_size=2048,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=10,
        num_attention_heads=16,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(place / "model")  # type: ignore[arg-type]
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(starter_path() / name, place / "model" / name)
    base = AutoModelForCausalLM.from_pretrained(place / "model", dtype=torch.float32)
    adapter = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear"))
    adapter.save_pretrained(str(place / "adapter"))
    return ModelRef(path=str(place / "model"), name="random", fingerprint="")


def seconds(work: Callable[[], object]) -> float:
    """The best of three."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def copy(source: Path, target: Path) -> None:
    """A plain copy through the same write calls: 4 MB at a time, without the system's own shortcuts."""
    with source.open("rb") as read, target.open("wb") as write:
        while data := read.read(4_000_000):
            write.write(data)


def main() -> int:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as words:
        place = Path(words)
        ref = model_and_adapter(place)
        size = (place / "model" / "model.safetensors").stat().st_size / MEGA
        whole = merged(ref, place / "adapter", METHOD, "fp32")
        found = [Measure("weights of the base (bf16)", size, "MB")]
        merge = seconds(lambda: merged(ref, place / "adapter", METHOD, "fp32"))
        found.append(Measure("load and merge", size / merge, "MB/s"))
        for quant in ("f16", "q8_0"):
            path = place / f"{quant}.gguf"
            write = seconds(lambda path=path, quant=quant: _write(path, whole, ref, quant))
            bytes = path.stat().st_size / MEGA
            plain = seconds(lambda path=path: copy(path, place / "copy"))
            found += [
                Measure(f"GGUF {quant}", bytes / write, "MB/s"),
                Measure(f"plain copy of the same {bytes:.0f} MB", bytes / plain, "MB/s"),
                Measure(f"GGUF {quant}, times a plain copy", write / plain, "x"),
            ]
    return report("Exports", found)


def _write(path: Path, whole: torch.nn.Module, ref: ModelRef, quant: str) -> None:
    write_gguf(path, whole, Path(ref.path), PROMPTING, (), name="x", quant=quant, after=lambda done, total: None)


if __name__ == "__main__":
    sys.exit(main())
