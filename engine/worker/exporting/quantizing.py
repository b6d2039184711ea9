"""GGUF files in each number format: ours for f16 and q8_0, llama.cpp's own quantizer for 4 and 5 bits."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from torch import nn

from engine.spec.exits import Exit
from engine.spec.runspec import ExportJob
from engine.worker.exporting import llama_runtime
from engine.worker.exporting.gguf_file import write_gguf
from engine.worker.fault import Fault

PROGRAM = "llama-quantize"
OWN = ("f16", "q8_0")


def write_quantized(job: ExportJob, model: nn.Module, path: Path, after: Callable[[int, int], None]) -> None:
    """The model as a GGUF file in the job's number format. Raises Fault or OSError."""
    direct = job.quant in OWN
    first = path if direct else path.with_name(f"{path.stem}.f16.gguf")
    write_gguf(
        first,
        model,
        Path(job.model.path),
        job.prompting,
        job.probes,
        name=job.name,
        quant=job.quant if direct else "f16",
        after=after,
    )
    if not direct:
        _compress(first, path, job.quant)
        first.unlink()


def _compress(source: Path, target: Path, quant: str) -> None:
    if llama_runtime.available():
        llama_runtime.quantize(source, target, quant)
    elif program := shutil.which(PROGRAM):
        words = [program, str(source), str(target), quant.upper()]
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise OSError(f"{PROGRAM} ended with code {done.returncode}: {done.stderr[-200:]}")
    else:
        raise Fault(
            Exit.MISSING_LIBRARY,
            f"There is nothing here that writes {quant}.",
            "4 and 5 bits are written by llama.cpp's own quantizer, which is not installed.",
            "Choose q8_0 or f16, which need nothing more.",
            "Or install llama-cpp-python: pip install 'peft-studio[gguf]'.",
        )
