"""Training speed: real (unpadded) tokens a second, ours against TRL's SFTTrainer, padded and packed, in turns.

Same random model, same rows, same LoRA, same passes. Needs `pip install trl` (the extra `bench`).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ |= {"HF_HUB_OFFLINE": "1", "GOMP_SPINCOUNT": "1000"}  # before torch; what a worker is started with

import msgspec
import torch

from bench.peak import best_product, useful_operations
from bench.report import Measure, report
from bench.rows import make_model, make_rows, write_rows
from engine.spec import ring
from engine.spec.files import LineReader
from engine.spec.folder import RunFolder
from engine.spec.methods import Lora
from engine.spec.objectives import Imitate
from engine.spec.prepared import read_split
from engine.spec.records import MetricLine
from engine.spec.runspec import DataRef, ModelRef, Training, TrainJob

METHOD = Lora(rank=16, alpha=32, dropout=0.0, targets=("all-linear",), rate_ratio=1.0)
NUMBERS = Training(
    epochs=1, learning_rate=2e-3, batch_size=8, micro_batch=8, max_length=512, schedule="linear", warmup_steps=0,
    packing="on", compilation="off",
    optimizer="adamw", recovery="observe", weight_decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8, clip_norm=1.0,
    precision="fp32", gradient_checkpointing=False, validate_every=10_000, checkpoint_every=10_000,
    keep_checkpoints=1, seed=42,
)  # fmt: skip
THREADS = 2
ROWS, HELD_OUT = 96, 24
TURNS = 3


class Run(msgspec.Struct, frozen=True):
    """One run of the loop. Seconds are wall clock from the end of the first step to the end of the last."""

    tokens_per_second: float
    seconds: float
    losses: tuple[float, ...]
    validation: float
    overhead: float


def ours(place: Path, model: Path, data: DataRef, numbers: Training) -> Run:
    """The product's own loop, records and all, in this process."""
    from engine.worker.control import ControlFile
    from engine.worker.reporter import Reporter
    from engine.worker.training import Training as Loop

    folder = RunFolder(place)
    folder.path.mkdir(parents=True)
    ring.create(folder.ring_file)
    rows = read_split(Path(data.prepared), "train")
    steps = numbers.epochs * -(-len(rows) // numbers.batch_size)
    ref = ModelRef(path=str(model), name="bench", fingerprint="")
    job = TrainJob(
        model=ref, data=data, method=METHOD, objective=Imitate(), training=numbers, total_steps=steps, profile="bench"
    )
    reporter = Reporter(folder, 0)
    reporter.start()
    Loop(job, folder, reporter, ControlFile(folder, reporter, 0)).run()
    reporter.close()
    lines = LineReader(folder.metrics_file, MetricLine).read()
    return _read(lines)


def _read(lines: list[MetricLine]) -> Run:
    steps = [line for line in lines if "loss" in line.values]
    seconds = steps[-1].time - steps[0].time
    tokens = sum(float(line.values["tokens_per_second"]) * float(line.values["step_seconds"]) for line in steps[1:])
    computing = sum(float(line.values["compute_seconds"]) for line in steps[1:])
    return Run(
        tokens / seconds,
        seconds,
        tuple(float(line.values["loss"]) for line in steps),
        [float(line.values["validation_loss"]) for line in lines if "validation_loss" in line.values][-1],
        1 - computing / seconds,
    )


def validation_of(model: torch.nn.Module, data: DataRef) -> float:
    """The loss per labelled token of the held-out rows, measured the same way for everybody."""
    split = read_split(Path(data.prepared), "validation")
    total, labels = 0.0, 0
    model.eval()
    with torch.no_grad():
        for row in range(len(split)):
            ids, flags = (torch.tensor(part.tolist()) for part in split.row(row))
            wanted = torch.where(flags.bool(), ids, -100)[1:]
            logits = model(input_ids=ids[None]).logits[0, :-1]
            total += torch.nn.functional.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum").item()
            labels += int((wanted >= 0).sum())
    return total / labels


def same_batches(place: Path, model: Path, data: DataRef, rows: list[list[int]], found: Run) -> float:
    """The largest difference of any step's loss when TRL gets our steps' rows in our order."""
    from bench import trl_loop
    from engine.worker.batches import epoch_steps

    order = epoch_steps(NUMBERS.seed, 0, [len(row) for row in rows], NUMBERS.batch_size)
    ordered = [rows[i] for step in order for i in step]
    _, losses, _ = trl_loop.train(model, ordered, NUMBERS, place, packed=False, in_order=True)
    return max(abs(a - b) for a, b in zip(found.losses, losses, strict=True))


def measure(place: Path) -> list[Measure]:
    from bench import trl_loop

    model = make_model(place / "model")
    rows = make_rows(ROWS, 1)
    data = write_rows(place / "rows", {"train": rows, "validation": make_rows(HELD_OUT, 2)})
    mine, padded, packed, validation = list[Run](), list[float](), list[float](), 0.0
    for turn in range(TURNS):
        mine.append(ours(place / f"run-{turn}", model, data, NUMBERS))
        speed, _, theirs = trl_loop.train(model, rows, NUMBERS, place / "trl", packed=False)
        validation = validation or validation_of(theirs, data)
        padded.append(speed)
        packed.append(trl_loop.train(model, rows, NUMBERS, place / "trl", packed=True)[0])
    fast = median(run.tokens_per_second for run in mine)
    best = max(median(padded), median(packed))
    apart = same_batches(place / "trl", model, data, rows, mine[0])
    half = ours(place / "run-bf16", model, data, msgspec.structs.replace(NUMBERS, precision="bf16"))
    useful = useful_operations(model, rows, METHOD.rank) * (1 - 1 / len(mine[0].losses))
    useful /= median(run.seconds for run in mine)
    torchs, onednns = (useful / best_product(torch.float32, onednn=onednn) for onednn in (False, True))
    return [
        Measure("ours, fp32, real tokens", fast, "tokens/s"),
        Measure("TRL padded, real tokens", median(padded), "tokens/s"),
        Measure("TRL packed, real tokens", median(packed), "tokens/s"),
        Measure("ours against the better of them", fast / best, "times", 4.0, most=False),
        Measure("validation loss against TRL padded", 100 * abs(mine[0].validation / validation - 1), "%", 1.0),
        Measure("loss of any step apart on the same batches", apart, "nats", 1e-3),
        Measure("share of the peak of PyTorch's matrix product", torchs, "", 0.5, most=False),
        Measure("share of the peak of oneDNN's", onednns, ""),
        Measure("everything but forward, backward, optimizer", 100 * median(run.overhead for run in mine), "%", 3.0),
        Measure("ours, bf16, against fp32", half.tokens_per_second / fast, "times", 1.0, most=False),
    ]


def main() -> int:
    if importlib.util.find_spec("trl") is None:
        print("TRL is what this benchmark compares with. Install it: pip install -e '.[bench]'", file=sys.stderr)
        return 2
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        return report("training", measure(Path(name)))


if __name__ == "__main__":
    started = time.perf_counter()
    code = main()
    print(f"{time.perf_counter() - started:.0f} s")
    sys.exit(code)
