"""Interrupted equals uninterrupted: real workers, one paused and one killed on the way, compared bit for bit.

Also how long a pause takes until the process and its memory are gone, and a resume until its first step.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.report import Measure, report
from bench.rows import make_model, make_rows, write_rows
from bench.training import METHOD, NUMBERS
from engine.runs.launch import launch
from engine.spec import ring
from engine.spec.files import LineReader, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Dora, Full, Method, Qlora
from engine.spec.objectives import Imitate
from engine.spec.records import Control, MetricLine
from engine.spec.runspec import FORMAT, DataRef, ModelRef, RunSpec, TrainJob

ROWS, STEPS = 64, 16
KNOBS: dict[str, Any] = msgspec.structs.asdict(METHOD) | {"dropout": 0.1}
METHODS: dict[str, Method] = {
    "lora": msgspec.structs.replace(METHOD, dropout=0.1),
    "qlora": Qlora(**KNOBS, quantization="nf4", double_quantization=True),
    "dora": Dora(**KNOBS, quantization="none", double_quantization=False),
    "full": Full(),
}


def make(place: Path, model: Path, data: DataRef, method: Method) -> RunFolder:
    numbers = msgspec.structs.replace(
        NUMBERS, epochs=2, micro_batch=2, warmup_steps=3, learning_rate=5e-4, checkpoint_every=3, validate_every=5
    )
    job = TrainJob(
        model=ModelRef(path=str(model), name="bench", fingerprint=""), data=data, method=method, objective=Imitate(),
        training=numbers, total_steps=STEPS, profile="bench",
    )  # fmt: skip
    spec = RunSpec(
        format=FORMAT, id=place.name, name="bench", created=time.time(), threads=2, processes=1, priority=0, job=job
    )
    place.mkdir(parents=True)
    folder = RunFolder(place)
    ring.create(folder.ring_file)
    write_struct(folder.spec_file, spec)
    return folder


def losses(folder: RunFolder) -> dict[int, float]:
    """The loss of each step; the highest attempt counts."""
    found: dict[int, tuple[int, float]] = {}
    for line in LineReader(folder.metrics_file, MetricLine).read():
        if "loss" in line.values and line.attempt >= found.get(line.step, (0, 0.0))[0]:
            found[line.step] = (line.attempt, float(line.values["loss"]))
    return {step: value for step, (_, value) in sorted(found.items())}


def wait_for(folder: RunFolder, process: subprocess.Popen[bytes], step: int) -> None:
    while process.poll() is None and max(losses(folder), default=0) < step:
        time.sleep(0.02)


def interrupted(folder: RunFolder) -> tuple[float, float]:
    """A pause after step 4, a kill after step 9; seconds until the pause was done, and until a resume's first step."""
    process, record = launch(folder)
    wait_for(folder, process, 4)
    asked = time.perf_counter()
    write_struct(folder.control_file, Control(seq=1, attempt=record.attempt, pause=True))
    process.wait()
    pausing, begun, reached = time.perf_counter() - asked, time.perf_counter(), max(losses(folder))
    process, _ = launch(folder)
    wait_for(folder, process, reached + 1)
    resuming = time.perf_counter() - begun
    wait_for(folder, process, 9)
    process.kill()
    process.wait()
    launch(folder)[0].wait()
    return pausing, resuming


def result(folder: RunFolder) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.adapter.glob("*.safetensors")))


def main() -> int:
    os.environ["HF_HUB_OFFLINE"] = "1"
    measures = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        model = make_model(place / "model")
        data = write_rows(place / "rows", {"train": make_rows(ROWS, 1), "validation": make_rows(8, 2)})
        for kind, method in METHODS.items():
            whole, cut = (make(place / f"{kind}-{how}", model, data, method) for how in ("whole", "cut"))
            launch(whole)[0].wait()
            pausing, resuming = interrupted(cut)
            a, b = losses(whole), losses(cut)
            apart = max(abs(a[step] - b.get(step, float("inf"))) for step in a)
            same = float(result(whole) != result(cut) or not result(whole))
            measures += [
                Measure(f"{kind}: largest difference of any loss", apart, "nats", 0.0),
                Measure(f"{kind}: results that differ in any bit", same, "", 0.0),
                Measure(f"{kind}: pause, until the process is gone", pausing, "s", 10.0),
                Measure(f"{kind}: resume, until its first step is done", resuming, "s"),
            ]
    return report("resume", measures)


if __name__ == "__main__":
    sys.exit(main())
