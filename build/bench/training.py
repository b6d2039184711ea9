"""Training speed: real (unpadded) tokens a second, ours against a plain transformers + peft loop.

Same starter model, same rows, same LoRA, same number of optimizer steps; the plain loop shuffles,
pads each batch to its longest row and computes every logit, as tutorials do. Losses are compared at the end.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.report import Measure, report
from engine.data.library import import_file, rows_in
from engine.data.prepare import prepare
from engine.plan.models import read_base_model, starter_path
from engine.spec.files import LineReader
from engine.spec.folder import RunFolder
from engine.spec.methods import Lora
from engine.spec.prepared import PreparedSplit, read_split
from engine.spec.records import MetricLine
from engine.spec.runspec import DataRef, Training, TrainJob

os.environ |= {"HF_HUB_OFFLINE": "1", "GOMP_SPINCOUNT": "1000"}  # before torch; what a worker is started with
METHOD = Lora(rank=16, alpha=32, dropout=0.0, targets=("all-linear",))
NUMBERS = Training(
    epochs=3, learning_rate=2e-3, batch_size=16, micro_batch=16, max_length=512, schedule="linear", warmup_steps=0,
    weight_decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8, clip_norm=1.0, precision="fp32",
    gradient_checkpointing=False, validate_every=10_000, checkpoint_every=10_000, keep_checkpoints=1, seed=42,
)  # fmt: skip
THREADS = 2
TURNS = 2
"""Both loops take turns, and the best of each counts: what else the machine does hits both alike."""


def samples() -> Path:
    """The folder of the datasets that come with the app."""
    import assets

    return Path(str(assets.__path__[0])) / "samples"


def chats(_place: Path) -> Path:
    """Conversations of one and two turns: a third of a random padded batch is padding."""
    return samples() / "chat.jsonl"


def mixed(place: Path) -> Path:
    """160 rows of each sample; a quarter of a random padded batch is padding."""
    rows = []
    for name in ("support.csv", "chat.jsonl", "tickets.parquet"):
        dataset = import_file(place / "parts", samples() / name)
        rows += [msgspec.json.encode({"messages": row.messages}) for row in rows_in(place / "parts" / dataset.id)][:160]
    (place / "mixed.jsonl").write_bytes(b"\n".join(rows))
    return place / "mixed.jsonl"


def conversations(place: Path) -> Path:
    """Chats of one to eight turns (each goes on with a chance of two thirds), as people have them.

    Built from the questions and answers of the support sample; half of a random padded batch is padding.
    """
    dataset = import_file(place / "parts", samples() / "support.csv")
    turns = [row.messages for row in rows_in(place / "parts" / dataset.id)]
    dice, rows = random.Random(0), list[bytes]()
    while len(rows) < 160:
        messages = list(dice.choice(turns))
        while len(messages) < 16 and dice.random() < 2 / 3:
            messages += dice.choice(turns)
        rows.append(msgspec.json.encode({"messages": messages}))
    (place / "conversations.jsonl").write_bytes(b"\n".join(rows))
    return place / "conversations.jsonl"


def prepared(place: Path, source: Path) -> tuple[Path, DataRef]:
    """The rows, imported and prepared."""
    dataset = import_file(place / "datasets", source)
    header = prepare(place / "datasets" / dataset.id, starter_path(), 512, place / "prepared")
    folder = place / "prepared" / header.hash
    return folder, DataRef(prepared=str(folder), dataset=dataset.id, name=source.stem, hash=dataset.hash)


def ours(place: Path, data: DataRef) -> tuple[float, float]:
    """Tokens a second over the run's own steps, and the mean loss of its last epoch."""
    from engine.spec import ring
    from engine.worker.control import ControlFile
    from engine.worker.reporter import Reporter
    from engine.worker.training import Training as Loop

    folder = RunFolder(place / "run")
    folder.path.mkdir(parents=True)
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


def compared(make: Callable[[Path], Path], target: float | None) -> list[Measure]:
    """Both loops on one dataset."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        source = make(place)
        folder, data = prepared(place, source)
        pairs = [(ours(place / str(turn), data), plain(read_split(folder, "train"))) for turn in range(TURNS)]
    fast, slow = (max(pair[side][0] for pair in pairs) for side in (0, 1))
    return [
        Measure(f"{source.stem}: ours, real tokens", fast, "tokens/s"),
        Measure(f"{source.stem}: plain loop, real tokens", slow, "tokens/s"),
        Measure(f"{source.stem}: ours against the plain loop", fast / slow, "times", target, most=False),
        Measure(f"{source.stem}: mean loss of the last epoch, ours", pairs[0][0][1], "nats"),
        Measure(f"{source.stem}: mean loss of the last epoch, plain", pairs[0][1][1], "nats"),
    ]


def main() -> int:
    import torch

    torch.set_num_threads(THREADS)
    return report("training", [*compared(conversations, 1.5), *compared(chats, None), *compared(mixed, None)])


if __name__ == "__main__":
    sys.exit(main())
