"""Small real things for tests: a tiny random model, prepared data, specs. Everything is made in a folder given."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import msgspec

from engine.spec.files import write_atomically, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Dora, Full, Ia3, Lora, LowRank, Method, Pissa, Prefix, Qlora, RsLora, Tuner
from engine.spec.objectives import Imitate
from engine.spec.prepared import PreparedHeader, SplitCounts, array_bytes
from engine.spec.runspec import DataRef, ModelRef, RunSpec, Training, TrainJob

_KNOBS: dict[str, Any] = {"rank": 4, "alpha": 8, "dropout": 0.1, "targets": ("all-linear",), "rate_ratio": 1.0}
LORA = Lora(**_KNOBS)
QLORA = Qlora(**_KNOBS, quantization="nf4", double_quantization=True)
FULL = Full()
METHODS: dict[str, Method] = {
    "lora": LORA,
    "lora+": Lora(**{**_KNOBS, "rate_ratio": 16.0}),
    "rslora": RsLora(**_KNOBS),
    "dora": Dora(**_KNOBS, quantization="none", double_quantization=False),
    "pissa": Pissa(**_KNOBS, iterations=8),
    "prefix": Prefix(virtual_tokens=5),
    "prompt": Tuner(tuner="prompt_tuning", targets=("all-linear",)),
    "ia3": Ia3(targets=("k_proj", "v_proj", "down_proj"), feedforward=("down_proj",)),
    "full": FULL,
    "qlora": QLORA,
    "fp4": Qlora(**_KNOBS, quantization="fp4", double_quantization=False),
    "int8": Qlora(**_KNOBS, quantization="int8", double_quantization=False),
    "qdora": Dora(**_KNOBS, quantization="nf4", double_quantization=True),
}
"""Every method, with dropout where it has one."""
EXACT = ("lora", "qlora", "dora", "full")
"""The families whose interrupted runs are shown to end with the same bits."""


def without_dropout(method: Method) -> Method:
    """The same method, for comparisons of numbers."""
    return msgspec.structs.replace(method, dropout=0.0) if isinstance(method, LowRank) else method


VOCABULARY = 128


def tiny_model(folder: Path) -> Path:
    """A random Llama of two layers, 64 wide, in safetensors."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def prepared_data(folder: Path, rows: int = 40, held_out: int = 8, seed: int = 0) -> Path:
    """Rows of 6 to 30 random tokens; the last half of each is trained."""
    dice = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    splits = {}
    for split, count in (("train", rows), ("validation", held_out)):
        tokens: list[int] = []
        trained: list[int] = []
        offsets = [0]
        for _ in range(count):
            length = dice.randint(6, 30)
            tokens += [dice.randint(3, VOCABULARY - 1) for _ in range(length - 1)] + [2]
            trained += [0] * (length // 2) + [1] * (length - length // 2)
            offsets.append(len(tokens))
        write_atomically(folder / f"{split}.tokens", array_bytes("i", tokens))
        write_atomically(folder / f"{split}.trained", array_bytes("B", trained))
        write_atomically(folder / f"{split}.offsets", array_bytes("q", offsets))
        splits[split] = SplitCounts(
            rows=count, tokens=len(tokens), trained_tokens=sum(trained), longest=30, truncated=0, dropped=0
        )
    header = PreparedHeader(
        format=2,
        hash="h",
        dataset="d",
        dataset_hash="dh",
        tokenizer_hash="th",
        template_hash="tt",
        layout="rows",
        max_length=64,
        vocabulary=VOCABULARY,
        pad_token=0,
        end_tokens=(2,),
        splits=splits,
        source_rows={"train": tuple(range(rows)), "validation": tuple(range(held_out))},
    )
    write_struct(folder / "header.json", header)
    return folder


def training(**changes: Any) -> Training:
    """Values for a run of a few seconds."""
    values = Training(
        epochs=2,
        learning_rate=1e-3,
        batch_size=8,
        micro_batch=4,
        max_length=64,
        schedule="cosine",
        warmup_steps=2,
        optimizer="adamw",
        weight_decay=0.01,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-8,
        clip_norm=1.0,
        precision="fp32",
        gradient_checkpointing=False,
        packing="on",
        compilation="off",
        validate_every=3,
        checkpoint_every=2,
        keep_checkpoints=3,
        recovery="automatic",
        seed=7,
    )
    return msgspec.structs.replace(values, **changes)


def train_spec(model: Path, data: Path, method: Method = LORA, *, rows: int = 40, **changes: Any) -> RunSpec:
    """A complete spec for the tiny model and the prepared rows."""
    numbers = training(**changes)
    return RunSpec(
        format=2,
        id="run-1",
        name="tiny",
        created=time.time(),
        threads=2,
        processes=1,
        priority=0,
        job=TrainJob(
            model=ModelRef(path=str(model), name="tiny", fingerprint="f"),
            data=DataRef(prepared=str(data), dataset="d", name="rows", hash="dh"),
            method=method,
            objective=Imitate(),
            training=numbers,
            total_steps=numbers.epochs * -(-rows // numbers.batch_size),
            profile="chatbot",
        ),
    )


def run_folder(path: Path, spec: RunSpec) -> RunFolder:
    """A run's folder with its spec and an empty ring, as a launcher makes it."""
    from engine.spec import ring

    path.mkdir(parents=True)
    folder = RunFolder(path)
    write_struct(folder.spec_file, spec)
    ring.create(folder.ring_file, 4096)
    return folder
