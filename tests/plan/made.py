"""Methods and training numbers of the plan tests, and the published measurements."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec

from engine.plan.facts import DataFacts
from engine.plan.memory import LossPath, load_of, memory_parts, practice_of
from engine.plan.models import BaseModel, read_model_facts
from engine.spec.methods import Dora, Full, Lora, Method, Qlora
from engine.spec.runspec import Training

PUBLISHED = Path(__file__).parent / "published"
ALL = ("all-linear",)
UNITS = {"GB": 1e9, "GiB": 2**30, "MiB": 2**20}
SHORT_TARGETS = {"q v o mlp": ("q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"), "all": ALL}


def lora(rank: int = 16, targets: tuple[str, ...] = ALL, dropout: float = 0.0) -> Lora:
    return Lora(rank=rank, alpha=rank, dropout=dropout, targets=targets, rate_ratio=1.0)


def qlora(rank: int = 16, targets: tuple[str, ...] = ALL, form: str = "nf4") -> Qlora:
    values = {"rank": rank, "alpha": rank, "dropout": 0.0, "targets": targets, "rate_ratio": 1.0}
    return msgspec.convert({**values, "quantization": form, "double_quantization": True, "method": "qlora"}, Qlora)


def dora(rank: int = 16, targets: tuple[str, ...] = ALL) -> Dora:
    values = {"rank": rank, "alpha": rank, "dropout": 0.0, "targets": targets, "rate_ratio": 1.0}
    return msgspec.convert({**values, "quantization": "none", "double_quantization": True, "method": "dora"}, Dora)


def training(
    micro: int = 1, length: int = 2048, *, batch: int = 0, checkpointing: bool = True, precision: str = "bf16"
) -> Training:
    values = {
        "epochs": 1, "learning_rate": 1e-4, "batch_size": batch or micro, "micro_batch": micro, "max_length": length,
        "schedule": "cosine", "optimizer": "adamw", "recovery": "ask", "warmup_steps": 1, "weight_decay": 0.0,
        "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clip_norm": 1.0, "precision": precision,
        "gradient_checkpointing": checkpointing, "packing": "off", "compilation": "off",
        "validate_every": 10, "checkpoint_every": 10, "keep_checkpoints": 2,
        "seed": 1,
    }  # fmt: skip
    return msgspec.convert(values, Training)


def peak(
    model: BaseModel, method: Method, numbers: Training, loss: LossPath = "labelled", *, trained: float = 1.0
) -> float:
    """The expected peak in bytes on a GPU, with every row as long as the context."""
    known = DataFacts.stand_in(numbers.max_length)
    known = msgspec.structs.replace(known, trained_tokens=round(known.tokens * trained))
    parts = memory_parts(model, method, numbers, load_of(known, numbers, method), "gpu", practice_of(loss))
    return sum(part.amount for part in parts)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One published measurement: what was run, and its peak in bytes."""

    name: str
    model: str
    method: Method
    training: Training
    loss: LossPath
    bytes: float


def published_points() -> list[Point]:
    """Every row of memory_points.csv; its first column names the source."""
    with (PUBLISHED / "memory_points.csv").open(encoding="utf-8", newline="") as file:
        return [_point(row) for row in csv.DictReader(file)]


def published_model(name: str) -> BaseModel:
    """The facts of a published model, from its config.json alone."""
    return read_model_facts(PUBLISHED / name / "config.json")


def _point(row: dict[str, str]) -> Point:
    targets = SHORT_TARGETS.get(row["targets"], tuple(row["targets"].split()))
    rank = int(row["rank"] or 1)
    makers = {"lora": lora, "qlora": qlora, "dora": dora}
    method = Full() if row["method"] == "full" else makers[row["method"]](rank, targets)
    numbers = training(int(row["batch"]), int(row["seq_len"]), checkpointing=row["gradient_checkpointing"] == "yes")
    loss: LossPath = "eager" if row["loss"] == "eager" else "chunked"
    return Point(
        name=f"{row['model']} {row['method']} r{rank} {row['batch']}x{row['seq_len']} {row['source'].split()[0]}",
        model=row["model"],
        method=method,
        training=numbers,
        loss=loss,
        bytes=float(row["peak"]) * UNITS[row["unit"]],
    )
