"""Records real training curves for the anomaly detectors: a tiny Llama, plain transformers and peft, real text.

A two-layer Llama first learns the sample chats letter by letter; then hundreds of short runs tune it to the shop's
support desk, over rates, batch sizes, schedules, methods and seeds. Each curve is labelled by how its run was set
up and, with hindsight, by its loss on many held-out rows of which the detectors see only a few; no detector has a
say. Runs that are neither clearly healthy nor clearly sick are thrown away. Made again with `python -m
bench.record_curves` (in build/): about a quarter of an hour on two cores.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import msgspec
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from tests.monitor.curves import DIGITS, RECORDED, Column, Curve
from tests.monitor.curves import recorded as known

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
LETTERS = 97  # 0 pads, the others are the printable characters
LENGTH = 32
BASE_STEPS = 500
COUNTS = {"tuning": {"healthy": 160, "sick": 8}, "final": {"healthy": 500, "sick": 25}}
"""Curves to keep in each part: healthy ones, and of each kind of sickness. The parts share no seed."""
LABELS = ("healthy", "divergence", "overfitting", "dead-adapter", "plateau", "gradient-explosion", "non-finite")


@dataclass(frozen=True)
class Setting:
    """How one run is set up. `fault_at` is the step whose batch is spoiled, where the kind asks for one."""

    label: str
    seed: int
    steps: int
    rate: float
    batch: int
    rows: int
    schedule: str
    warmup: int
    rank: int | None
    validate_every: int | None
    swapped: int
    fault_at: int = -1
    clip: float = 1.0


def encode(text: str) -> list[int]:
    """Printable characters as 1 to 96; others as a space."""
    return [ord(letter) - 31 if " " <= letter <= "~" else 1 for letter in text]


def chats() -> list[list[int]]:
    """Stretches of the sample chats, for the base."""
    with (SAMPLES / "chat.jsonl").open(encoding="utf-8") as lines:
        texts = [" ".join(turn["content"] for turn in json.loads(line)["messages"]) for line in lines]
    return [encode(text[start : start + LENGTH]) for text in texts for start in range(0, len(text) - 12, LENGTH)]


def support() -> list[list[int]]:
    """Stretches of the support desk's answers, for tuning."""
    with (SAMPLES / "support.csv").open(encoding="utf-8") as lines:
        texts = sorted({row["answer"] for row in csv.DictReader(lines)})
    return [encode(text[start : start + LENGTH]) for text in texts for start in (0, LENGTH)]


def batch_of(rows: list[list[int]]) -> torch.Tensor:
    """Rows padded on the right with 0."""
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


def loss_of(model: torch.nn.Module, rows: list[list[int]]) -> torch.Tensor:
    """Mean loss over the letters."""
    ids = batch_of(rows)
    logits = model(input_ids=ids[:, :-1]).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0)


def fresh() -> LlamaForCausalLM:
    """The tiny model with random weights."""
    config = LlamaConfig(
        vocab_size=LETTERS, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config)


@cache
def base_weights() -> dict[str, torch.Tensor]:
    """The weights of the base, learned once in each process."""
    return {name: value.clone() for name, value in base().state_dict().items()}


def base() -> LlamaForCausalLM:
    """The tiny model, after it has learned the chats."""
    torch.manual_seed(0)
    model, rows, dice = fresh(), chats(), random.Random(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(BASE_STEPS):
        loss_of(model, dice.sample(rows, 16)).backward()
        optimizer.step()
        optimizer.zero_grad()
    print(f"base: {evaluated(model, dice.sample(rows, 64)):.2f} nats a letter", flush=True)
    return model


def rate_at(setting: Setting, step: int) -> float:
    """Warm-up, then constant, linear or cosine; in a run that is to diverge, from some step on up to 300 times that."""
    if step < setting.warmup:
        return setting.rate * (step + 1) / setting.warmup
    through = (step - setting.warmup) / max(1, setting.steps - setting.warmup)
    left = {"constant": 1.0, "linear": 1 - through, "cosine": 0.5 * (1 + math.cos(math.pi * through))}
    too_high = 300 ** min(1.0, (step - setting.fault_at) / 30) if setting.label == "divergence" else 1.0
    return setting.rate * left[setting.schedule] * max(1.0, too_high)


def task(setting: Setting) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """Rows to train on, the few that the run validates on, and the many for hindsight, with some letters swapped."""
    dice = random.Random(setting.seed)
    letters = list(range(LETTERS))
    for _ in range(setting.swapped):
        a, b = dice.sample(range(66, 92), 2)
        letters[a], letters[b] = letters[b], letters[a]
    rows = [[letters[letter] for letter in row] for row in support()]
    dice.shuffle(rows)
    return rows[128 : 128 + setting.rows], rows[:24], rows[:128]


def epochs(rows: list[list[int]], batch: int, dice: random.Random) -> Iterator[list[list[int]]]:
    """Batches without end; each pass over the rows in a new order."""
    while True:
        order = dice.sample(rows, len(rows))
        for start in range(0, len(order) - batch + 1, batch):
            yield order[start : start + batch]


def prepared_model(setting: Setting, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """The base with its adapter, or all of it."""
    torch.manual_seed(setting.seed)
    model = fresh()
    model.load_state_dict(weights)
    if setting.rank is None:
        return model
    lora = LoraConfig(r=setting.rank, lora_alpha=2 * setting.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, lora)


def spoiled(setting: Setting, step: int, loss: torch.Tensor) -> torch.Tensor:
    """The loss of a step; in a few from `fault_at` on with a gradient 100 or more times too large, or not a
    number."""
    if setting.fault_at < 0 or setting.label == "divergence":
        return loss
    if not setting.fault_at <= step < setting.fault_at + 1 + setting.seed % 3:
        return loss
    if setting.label == "non-finite":
        return loss * math.nan
    return loss + (100 * 10 ** (setting.seed % 3) - 1) * (loss - loss.detach())


def norm_of(parameters: list[torch.nn.Parameter]) -> float:
    """L2 norm over all trained weights, summed in double precision."""
    return math.sqrt(sum(p.detach().double().square().sum().item() for p in parameters))


def evaluated(model: torch.nn.Module, rows: list[list[int]]) -> float:
    with torch.no_grad():
        return loss_of(model, rows).item()


def run(setting: Setting, weights: dict[str, torch.Tensor]) -> tuple[Curve, list[float]]:
    """One run: what the detectors will see, and the hindsight losses (at each validation)."""
    rows, few, many = task(setting)
    model = prepared_model(setting, weights)
    parameters = [p for p in model.parameters() if p.requires_grad]
    frozen = setting.label == "dead-adapter"
    optimizer = torch.optim.AdamW(
        [torch.nn.Parameter(p.detach().clone()) for p in parameters] if frozen else parameters
    )
    columns: dict[str, list[float | None]] = {name: [] for name in Curve.COLUMNS}
    hindsight: list[float] = []
    batches = epochs(rows, setting.batch, random.Random(setting.seed))
    for step in range(setting.steps):
        started = time.perf_counter()
        batch = next(batches)
        loss = spoiled(setting, step, loss_of(model, batch))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, setting.clip).item()
        rate = rate_at(setting, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if math.isfinite(norm):
            optimizer.step()
        model.zero_grad()
        seconds = time.perf_counter() - started
        every = setting.validate_every or setting.steps // 6
        due = (step + 1) % every == 0
        if due:
            hindsight.append(evaluated(model, many))
        seen = {
            "loss": loss.item(),
            "gradient_norm": norm,
            "learning_rate": rate,
            "step_seconds": seconds,
            "tokens_per_second": sum(map(len, batch)) / seconds,
            "adapter_norm": norm_of(parameters) if step % 5 == 0 else None,
            "validation_loss": evaluated(model, few) if due and setting.validate_every else None,
        }
        for name, value in seen.items():
            columns[name].append(value)
    return curve_of(setting, columns), hindsight


def healthy(seed: int) -> Setting:
    """A sound run: any batch size and schedule, a rate within what works here, mostly few passes over its rows."""
    dice = random.Random(seed)
    rank = dice.choice((None, 4, 8, 16))
    by_heart = dice.random() < 0.15
    low, high = (1e-4, 2e-3) if rank is None else (5e-4, 1e-2)
    return Setting(
        label="healthy",
        seed=seed,
        steps=dice.randint(50, 160),
        rate=math.exp(dice.uniform(*map(math.log, (low, high)))),
        batch=dice.choice((1, 2, 4, 8, 12)),
        rows=dice.choice((16, 32)) if by_heart else dice.randint(200, 600),
        schedule=dice.choice(("constant", "linear", "cosine")),
        warmup=dice.choice((0, 0, 5, 10, 20)),
        rank=rank,
        validate_every=None if by_heart else dice.choice((10, 15, 20, 25, None)),
        swapped=dice.randint(2, 12),
        clip=dice.choice((1.0, 1.0, math.inf)),
    )


def sick(label: str, seed: int) -> Setting:
    """The same run with one thing wrong."""
    dice = random.Random(seed)
    sound = replace(healthy(seed), label=label, steps=dice.randint(100, 160), rows=400)
    match label:
        case "divergence":  # learns well, until the rate rises to hundreds of times what the model can take
            rate, sound = (5e-3 if sound.rank else 1e-3), replace(sound, steps=160, warmup=0, schedule="constant")
            return replace(
                sound, rate=rate, batch=dice.choice((2, 4, 8)), clip=math.inf, fault_at=dice.randint(50, 100)
            )
        case "overfitting":  # few rows, very often
            rows, every = dice.choice((8, 12, 16)), dice.choice((8, 10, 15))
            peak = 1e-2 if sound.rank else 5e-3
            return replace(sound, rows=rows, validate_every=every, batch=8, rate=peak, steps=200, schedule="constant")
        case "plateau":
            rate = dice.choice((1e-7, 1e-6, 3e-6))
            return replace(sound, rate=rate, schedule="constant", warmup=0, steps=160, batch=8)
        case "gradient-explosion" | "non-finite":
            return replace(sound, fault_at=dice.randint(25, 90))
        case _:
            return sound


def keeps_label(curve: Curve, hindsight: list[float]) -> bool:
    """Whether the run, seen as a whole, is what its set-up meant it to be."""
    first, last = hindsight[0], hindsight[-1]
    losses = [loss for loss in curve.loss if isinstance(loss, float)]
    fifth = max(5, len(losses) // 10)
    start, end = sum(losses[:fifth]) / fifth, sum(losses[-fifth:]) / fifth
    match curve.label:
        case "healthy" if curve.validation_loss is None:
            return end < 0.9 * start
        case "healthy":
            return end < 0.9 * start and last <= 1.03 * min(hindsight)
        case "divergence":
            return not math.isfinite(last) or end > 1.3 * start or last > 1.5 * min(hindsight)
        case "overfitting":
            return last > 1.1 * min(hindsight) and end < start
        case "plateau":
            return last > 0.97 * first
        case _:
            return True


def curve_of(setting: Setting, columns: dict[str, list[float | None]]) -> Curve:
    """The columns, rounded to what the detectors can use; a column never measured is left out."""
    kept = {name: rounded(name, values) for name, values in columns.items() if any(v is not None for v in values)}
    return Curve(label=setting.label, source="real", seed=setting.seed, **kept)  # type: ignore[arg-type]


def rounded(name: str, values: list[float | None]) -> Column:
    """Significant digits as in DIGITS, 4 otherwise; non-finite numbers as words."""
    digits = DIGITS.get(name, 4)
    return tuple(
        None if value is None else float(f"{value:.{digits}g}") if math.isfinite(value) else str(value)
        for value in values
    )


@dataclass(frozen=True)
class Job:
    """Curves of one label that one process records; each job has a range of seeds of its own."""

    part: str
    label: str
    count: int
    first_seed: int


def jobs(labels: tuple[str, ...]) -> list[Job]:
    """The healthy ones in lots of 100, so that both processes have work to the end."""
    found = []
    for part, label in itertools.product(COUNTS, labels):
        count = COUNTS[part]["healthy" if label == "healthy" else "sick"]
        seed = 1_000_000 * list(COUNTS).index(part) + 100_000 * LABELS.index(label)
        found += [Job(part, label, min(100, count - done), seed + 10 * done) for done in range(0, count, 100)]
    return found


def recorded(job: Job) -> list[bytes]:
    """Runs until there are enough, or four times as many were tried."""
    torch.set_num_threads(1)
    weights, kept, tried = base_weights(), list[bytes](), 0
    while len(kept) < job.count and tried < 4 * job.count:
        seed, tried = job.first_seed + tried, tried + 1
        curve, hindsight = run(healthy(seed) if job.label == "healthy" else sick(job.label, seed), weights)
        if keeps_label(curve, hindsight):
            kept.append(msgspec.json.encode(msgspec.structs.replace(curve, part=job.part)))
    print(f"{job.part} {job.label}: {len(kept)} of {tried} runs", flush=True)
    return kept


def main(labels: tuple[str, ...]) -> int:
    """Records these labels (all when none is named) and keeps the curves of the others."""
    others = [curve for part in COUNTS for curve in known(part) if curve.label not in labels] if labels else []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        lots = list(pool.map(recorded, jobs(labels or LABELS)))
    with gzip.open(RECORDED, "wb", compresslevel=9) as file:
        for line in itertools.chain(map(msgspec.json.encode, others), *lots):
            file.write(line + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
