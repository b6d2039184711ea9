"""A model of random weights and rows that can be learned a little: what training speed is measured on."""

from __future__ import annotations

import random
from pathlib import Path

from engine.spec.files import write_struct
from engine.spec.prepared import FORMAT, PreparedHeader, SplitCounts, array_bytes
from engine.spec.runspec import DataRef

VOCABULARY = 8_192
SHORTEST, LONGEST = 16, 500
COMMON = 256


def make_model(folder: Path) -> Path:
    """A Llama of 6.5 million weights with a vocabulary of 8,192, and a tokenizer beside it."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({str(i): i for i in range(VOCABULARY)}, unk_token="0"))
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="0", eos_token="2", bos_token="1").save_pretrained(folder)
    return folder


def make_rows(count: int, seed: int) -> list[list[int]]:
    """Rows of 16 to 500 tokens. Half of the time a token has one successor, else a common one follows."""
    dice = random.Random(seed)
    follows = random.Random(0).sample(range(3, VOCABULARY), COMMON)
    rows = []
    for _ in range(count):
        row, length = [dice.choice(follows)], dice.randint(SHORTEST, LONGEST)
        while len(row) < length:
            row.append(follows[row[-1] % COMMON] if dice.random() < 0.5 else follows[int(COMMON * dice.random() ** 3)])
        rows.append(row)
    return rows


def write_rows(folder: Path, rows: dict[str, list[list[int]]]) -> DataRef:
    """Rows as prepared data. The second half of each is learned."""
    folder.mkdir(parents=True)
    splits = {}
    for split, given in rows.items():
        trained = [[0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2) for row in given]
        ends = [sum(len(row) for row in given[:i]) for i in range(len(given) + 1)]
        (folder / f"{split}.tokens").write_bytes(array_bytes("i", [token for row in given for token in row]))
        (folder / f"{split}.trained").write_bytes(array_bytes("B", [flag for row in trained for flag in row]))
        (folder / f"{split}.offsets").write_bytes(array_bytes("q", ends))
        splits[split] = SplitCounts(
            rows=len(given),
            tokens=ends[-1],
            trained_tokens=sum(sum(row) for row in trained),
            longest=max(len(row) for row in given),
            truncated=0,
            dropped=0,
        )
    header = PreparedHeader(
        format=FORMAT, hash="bench", dataset="bench", dataset_hash="bench", tokenizer_hash="", template_hash="",
        layout="rows", max_length=512, vocabulary=VOCABULARY, pad_token=0, end_tokens=(2,), splits=splits,
        source_rows={},
    )  # fmt: skip
    write_struct(folder / "header.json", header)
    return DataRef(prepared=str(folder), dataset="bench", name="bench", hash="bench")
