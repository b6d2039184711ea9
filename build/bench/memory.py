"""Peak memory of real runs against what planning expected: LoRA, full and QLoRA on a model of 1.2 GB, on CPU.

Each run is the worker's own program in a process of its own; its peak is the most that was resident at any time,
loading included, less what a bare interpreter takes. Planning's own speed is printed, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from bench.report import Measure, report
from engine.plan.facts import DataFacts
from engine.plan.hardware import detect
from engine.plan.memory import load_of, memory_parts
from engine.plan.models import BaseModel, read_base_model
from engine.plan.planner import Draft, plan
from engine.runs.launch import worker_environment
from engine.spec import ring
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Full, Lora, Method, Qlora
from engine.spec.objectives import Imitate
from engine.spec.prepared import FORMAT as PREPARED_FORMAT
from engine.spec.prepared import PreparedHeader, SplitCounts, array_bytes
from engine.spec.runspec import FORMAT, DataRef, RunSpec, Training, TrainJob

VOCABULARY, LENGTH, ROWS = 32_000, 256, 4
STEPS = 2
THREADS = 2
APART = 15.0
"""Percent that a measured peak may be from the expected one."""
PLANNING_MS = 5.0
_KNOBS = {"rank": 16, "alpha": 32, "dropout": 0.0, "targets": ("all-linear",), "rate_ratio": 1.0}
LORA = msgspec.convert(_KNOBS, Lora, strict=False)
METHODS: dict[str, Method] = {
    "lora": LORA,
    "full": Full(),
    "qlora": msgspec.convert({**_KNOBS, "quantization": "nf4", "double_quantization": True}, Qlora, strict=False),
}
NUMBERS = Training(
    epochs=STEPS, learning_rate=1e-4, batch_size=ROWS, micro_batch=ROWS, max_length=LENGTH, schedule="constant",
    warmup_steps=0, packing="on", compilation="off",
    optimizer="adamw", recovery="observe", weight_decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8,
    clip_norm=1.0, precision="fp32", gradient_checkpointing=False, validate_every=1000, checkpoint_every=1000,
    keep_checkpoints=1, seed=1,
)  # fmt: skip
MODEL_PROGRAM = """
import sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
LlamaForCausalLM(LlamaConfig(
    vocab_size={vocabulary}, hidden_size=1024, intermediate_size=4096, num_hidden_layers=16, num_attention_heads=16,
    num_key_value_heads=16, max_position_embeddings=1024, tie_word_embeddings=True,
)).to(torch.bfloat16).save_pretrained(sys.argv[1])
"""
PEAK_PROGRAM = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)
"""


def make_model(folder: Path) -> BaseModel:
    """301 million random weights, published in 16 bits as models are: 1.2 GB in 32."""
    program = MODEL_PROGRAM.format(vocabulary=VOCABULARY)
    subprocess.run([sys.executable, "-P", "-c", program, str(folder)], check=True, capture_output=True)
    return read_base_model(folder)


def make_data(folder: Path) -> DataRef:
    """Rows of one length, every token but the first labelled; one is held out."""
    folder.mkdir()
    splits = {}
    for split, count in (("train", ROWS), ("validation", 1)):
        (folder / f"{split}.tokens").write_bytes(array_bytes("i", [3 + i % 1000 for i in range(count * LENGTH)]))
        (folder / f"{split}.trained").write_bytes(array_bytes("B", [1] * (count * LENGTH)))
        (folder / f"{split}.offsets").write_bytes(array_bytes("q", [row * LENGTH for row in range(count + 1)]))
        splits[split] = SplitCounts(
            rows=count, tokens=count * LENGTH, trained_tokens=count * LENGTH, longest=LENGTH, truncated=0, dropped=0
        )
    header = PreparedHeader(
        format=PREPARED_FORMAT, hash="bench", dataset="bench", dataset_hash="bench", tokenizer_hash="",
        template_hash="", layout="rows", max_length=LENGTH, vocabulary=VOCABULARY, pad_token=0, end_tokens=(2,),
        splits=splits, source_rows={},
    )  # fmt: skip
    write_struct(folder / "header.json", header)
    return DataRef(prepared=str(folder), dataset="bench", name="bench", hash="bench")


def peak_of(words: list[str], place: Path) -> int:
    """Most bytes resident in the process of these words."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PEAK_PROGRAM, *words],
        cwd=place,
        env=worker_environment(THREADS),
        capture_output=True,
        text=True,
        check=True,
    )
    kilobytes, code = (int(each) for each in done.stdout.split())
    if code != 0:
        raise RuntimeError(f"the run ended with {code}: {done.stderr[-2000:]}")
    return kilobytes * (1 if sys.platform == "darwin" else 1024)


def run(place: Path, model: BaseModel, data: DataRef, method: Method, numbers: Training) -> int:
    """The peak of one run of the worker."""
    job = TrainJob(
        model=model.ref, data=data, method=method, objective=Imitate(), training=numbers, total_steps=STEPS,
        profile="bench",
    )  # fmt: skip
    spec = RunSpec(
        format=FORMAT, id="bench", name="bench", created=time.time(), threads=2, processes=1, priority=0, job=job
    )
    folder = RunFolder(place)
    place.mkdir()
    write_struct(folder.spec_file, spec)
    ring.create(folder.ring_file)
    return peak_of([sys.executable, "-P", "-m", "engine.worker", str(place)], place)


def expected(model: BaseModel, method: Method, numbers: Training) -> float:
    """What planning expects of it, in bytes."""
    load = load_of(DataFacts.stand_in(LENGTH, ROWS), numbers, method)
    return sum(part.amount for part in memory_parts(model, method, numbers, load, "cpu"))


def planning_milliseconds(model: BaseModel) -> float:
    """The median of a complete plan."""
    hardware = detect(Path.cwd())
    draft = Draft(name="bench", profile="chatbot", model=model, data=DataFacts.stand_in(LENGTH, 1000))
    plan(draft, hardware)
    times = []
    for _ in range(50):
        started = time.perf_counter()
        plan(draft, hardware)
        times.append(1000 * (time.perf_counter() - started))
    return median(times)


def measure(place: Path, wanted: list[str]) -> list[Measure]:
    model = make_model(place / "model")
    data = make_data(place / "rows")
    bare = peak_of([sys.executable, "-P", "-c", "pass"], place)
    found = []
    for name in wanted or METHODS:
        for checkpointing in (False, True):
            numbers = msgspec.structs.replace(NUMBERS, gradient_checkpointing=checkpointing)
            title = f"{name}{', checkpointing' if checkpointing else ''}"
            took = run(place / title.replace(", ", "-"), model, data, METHODS[name], numbers) - bare
            wished = expected(model, METHODS[name], numbers)
            found += [
                Measure(f"{title}: measured", took / 1e9, "GB"),
                Measure(f"{title}: expected", wished / 1e9, "GB"),
                Measure(f"{title}: apart", 100 * abs(wished / took - 1), "%", APART),
            ]
            print(json.dumps([title, round(took / 1e9, 2), round(wished / 1e9, 2)]), flush=True)
    return [*found, Measure("a complete plan", planning_milliseconds(model), "ms", PLANNING_MS)]


def main(wanted: list[str]) -> int:
    with tempfile.TemporaryDirectory() as place:
        return report("memory", measure(Path(place), wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
