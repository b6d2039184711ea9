"""Training speed: real (unpadded) tokens a second, ours against a plain transformers + peft loop.

Same starter model, same rows of the support sample, same LoRA, same number of optimizer steps; the plain loop shuffles,
pads each batch to its longest row and computes every logit, as tutorials do. Losses are compared at the end.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from bench.report import Measure, report
from engine.data.library import import_file
from engine.data.prepare import prepare
from engine.plan.models import read_base_model, starter_path
from engine.spec.files import LineReader
from engine.spec.folder import RunFolder
from engine.spec.methods import Lora
from engine.spec.prepared import PreparedSplit, read_split
from engine.spec.records import MetricLine
from engine.spec.runspec import DataRef, Training, TrainJob

METHOD = Lora(rank=16, alpha=32, dropout=0.0, targets=("all-linear",))
NUMBERS = Training(
    epochs=3, learning_rate=2e-3, batch_size=16, micro_batch=16, max_length=512, schedule="linear", warmup_steps=0,
    weight_decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8, clip_norm=1.0, precision="fp32",
    gradient_checkpointing=False, validate_every=10_000, checkpoint_every=10_000, keep_checkpoints=1, seed=42,
)  # fmt: skip
THREADS = 2


def prepared(place: Path) -> tuple[Path, DataRef]:
    """A sample, imported and prepared."""
    import assets

    sample = Path(str(assets.__path__[0])) / "samples" / "chat.jsonl"
    dataset = import_file(place / "datasets", sample)
    header = prepare(place / "datasets" / dataset.id, starter_path(), 512, place / "prepared")
    folder = place / "prepared" / header.hash
    return folder, DataRef(prepared=str(folder), dataset=dataset.id, name="chat", hash=dataset.hash)


def ours(place: Path, data: DataRef) -> tuple[float, float]:
    """Tokens a second over the run's own steps, and the mean loss of its last epoch."""
    from engine.spec import ring
    from engine.worker.control import ControlFile
    from engine.worker.reporter import Reporter
    from engine.worker.training import Training as Loop

    folder = RunFolder(place / "run")
    folder.path.mkdir()
    ring.create(folder.ring_file)
    rows = read_split(Path(data.prepared), "train")
    steps = NUMBERS.epochs * -(-len(rows) // NUMBERS.batch_size)
    job = TrainJob(
        model=read_base_model(starter_path()).ref, data=data, method=METHOD, training=NUMBERS, total_steps=steps,
        profile="chatbot",
    )  # fmt: skip
    reporter = Reporter(folder, 0)
    reporter.start()
    Loop(job, folder, reporter, ControlFile(folder, reporter, 0)).run()
    reporter.close()
    lines = [line for line in LineReader(folder.metrics_file, MetricLine).read() if "loss" in line.values]
    seconds = lines[-1].time - lines[0].time  # wall clock, everything between the steps included
    tokens = sum(float(line.values["tokens_per_second"]) * float(line.values["step_seconds"]) for line in lines[1:])
    last = lines[-len(lines) // NUMBERS.epochs :]
    return tokens / seconds, sum(float(line.values["loss"]) for line in last) / len(last)


def plain(split: PreparedSplit) -> tuple[float, float]:
    """The loop of a tutorial: shuffled batches, padding, all logits."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(starter_path(), dtype=torch.float32)
    torch.manual_seed(NUMBERS.seed)
    config = LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear")
    model = get_peft_model(base, config).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=NUMBERS.learning_rate, weight_decay=0.0)
    steps = NUMBERS.epochs * -(-len(split) // NUMBERS.batch_size)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps))
    losses, tokens, started = [], 0, 0.0
    for epoch in range(NUMBERS.epochs):
        order = list(range(len(split)))
        random.Random(epoch).shuffle(order)
        for start in range(0, len(order), NUMBERS.batch_size):
            ids, mask, labels = padded(split, order[start : start + NUMBERS.batch_size])
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            if len(losses) == 1:
                started = time.perf_counter()
            else:
                tokens += int(mask.sum())
    last = losses[-len(losses) // NUMBERS.epochs :]
    return tokens / (time.perf_counter() - started), sum(last) / len(last)


def padded(split: PreparedSplit, rows: list[int]):
    """Tokens, mask and labels, padded on the right to the longest row of the batch."""
    import torch

    longest = max(len(split.row(row)[0]) for row in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, row in enumerate(rows):
        own, flags = (torch.tensor(part.tolist()) for part in split.row(row))
        ids[i, : len(own)], mask[i, : len(own)] = own, 1
        labels[i, : len(own)] = torch.where(flags.bool(), own, -100)
    return ids, mask, labels


def main() -> int:
    import os

    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder, data = prepared(place)
        fast, our_loss = ours(place, data)
        slow, their_loss = plain(read_split(folder, "train"))
    return report(
        "training",
        [
            Measure("ours, real tokens", fast, "tokens/s"),
            Measure("plain transformers + peft loop, real tokens", slow, "tokens/s"),
            Measure("ours against the plain loop", fast / slow, "times", 1.5, most=False),
            Measure("mean loss of the last epoch, ours", our_loss, "nats"),
            Measure("mean loss of the last epoch, plain loop", their_loss, "nats"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
