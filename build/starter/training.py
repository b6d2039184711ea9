"""Pre-trains the starter model on generated documents; knows nothing of chats, samples or fine-tuning.

A row holds whole documents, each closed by the end-of-text mark, and starts with the first token of one, because that
is how a prompt starts later. Rows of several lengths take turns, so that early positions are seen most.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import TEXT_END, documents
from .tokenizer import mark_id


@dataclass(frozen=True)
class Shape:
    """Sizes of the model; widths are multiples of 256, which the k-quants of GGUF need."""

    vocabulary: int = 2048
    hidden: int = 256
    mlp: int = 768
    layers: int = 4
    heads: int = 4
    context: int = 512


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn. `minutes` overrides `steps`, at the price of exact repeatability."""

    seed: int
    steps: int
    minutes: float | None = None
    tokens_per_step: int = 4096
    row_lengths: tuple[int, ...] = (128, 128, 256, 512)
    peak_rate: float = 4e-3
    momentum: float = 0.95
    warmup: float = 0.045
    decay_from: float = 0.507
    weight_decay: float = 0.05


@dataclass(frozen=True)
class Outcome:
    """What pre-training took; `seconds` is steps times the median step, so a pause of the machine does not count."""

    steps: int
    tokens: int
    seconds: float
    loss: float


def new_model(shape: Shape, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Makes an untrained model of the given shape."""
    torch.manual_seed(seed)
    end = mark_id(tokenizer, TEXT_END)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
        use_cache=True,
    )
    return LlamaForCausalLM(config)


def rows(
    tokenizer: PreTrainedTokenizerFast, seed: int, lengths: tuple[int, ...], tokens: int
) -> Iterator[torch.Tensor]:
    """Yields batches of packed token rows; `tokens` is the size of each batch."""
    end = mark_id(tokenizer, TEXT_END)
    source = documents(seed)
    while True:
        for length in lengths:
            yield torch.tensor([_row(tokenizer, source, length, end) for _ in range(tokens // length)])


def _row(tokenizer: PreTrainedTokenizerFast, source: Iterator[str], length: int, end: int) -> list[int]:
    ids: list[int] = []
    while len(ids) < length:
        ids += [*tokenizer.encode(next(source), add_special_tokens=False), end]
    return ids[:length]


def pretrain(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, schedule: Schedule) -> Outcome:
    """Trains the model in place and prints how it goes."""
    optimizers = _optimizers(model, schedule)
    model.train()
    model.config.use_cache = False
    started, average, done = time.monotonic(), 0.0, 0.0
    ends = [started]
    batches = rows(tokenizer, schedule.seed, schedule.row_lengths, schedule.tokens_per_step)
    while done < 1.0:
        _set_rate(optimizers, schedule.peak_rate * rate_at(done, schedule))
        loss = _step(model, optimizers, next(batches))
        ends.append(time.monotonic())
        step = len(ends) - 1
        average = loss if step == 1 else 0.98 * average + 0.02 * loss
        seconds = ends[-1] - started
        done = seconds / (60 * schedule.minutes) if schedule.minutes else step / schedule.steps
        if step % 50 == 0:
            rate = step * schedule.tokens_per_step / seconds
            print(f"step {step:5d}  {done:6.1%}  loss {average:.4f}  {rate:,.0f} tokens/s  {seconds:.0f} s", flush=True)
    model.config.use_cache = True
    usual = median(end - begin for begin, end in pairwise(ends))
    return Outcome(len(ends) - 1, (len(ends) - 1) * schedule.tokens_per_step, usual * (len(ends) - 1), average)


def rate_at(done: float, schedule: Schedule) -> float:
    """The learning rate's share of its peak: a straight warm-up, a plateau, then a cosine down to almost nothing."""
    if done < schedule.warmup:
        first = schedule.warmup / 30
        return (done + first) / (schedule.warmup + first)
    if done < schedule.decay_from:
        return 1.0
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - schedule.decay_from) / (1 - schedule.decay_from)))


def _optimizers(model: LlamaForCausalLM, schedule: Schedule) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for embedding and norms.

    Muon (torch 2.9 or later) needed a third of AdamW's steps here for the same loss, and costs 35 ms a step. Its
    updates are scaled to AdamW's size, so that one rate serves both.
    """
    embedding = model.get_input_embeddings().weight
    matrices = [p for p in model.parameters() if p.dim() == 2 and p is not embedding]
    others = [embedding, *(p for p in model.parameters() if p.dim() == 1)]
    return [
        torch.optim.Muon(
            matrices,
            lr=schedule.peak_rate,
            weight_decay=schedule.weight_decay,
            momentum=schedule.momentum,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(others, lr=schedule.peak_rate, betas=(0.9, 0.97), weight_decay=0.0, fused=True),
    ]


def _set_rate(optimizers: list[torch.optim.Optimizer], rate: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def _step(model: LlamaForCausalLM, optimizers: list[torch.optim.Optimizer], batch: torch.Tensor) -> float:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(input_ids=batch, labels=batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())
