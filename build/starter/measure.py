"""Measures what fine-tuning the starter model on each sample dataset brings, with a plain transformers and PEFT loop.

It is the reference the model card quotes: LoRA on all linear layers, loss on the assistant's turns only, greedy answers
on held-out rows before and after. It uses nothing of the app, so that the app's own training can be compared with it.
"""

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    get_cosine_schedule_with_warmup,
)

from .samples import chat_rows, support_rows, ticket_rows

Message = tuple[str, str]
Conversation = tuple[Message, ...]
IGNORED = -100


@dataclass(frozen=True)
class Recipe:
    """The training values of the measured runs."""

    rank: int = 16
    alpha: int = 32
    rate: float = 3e-3
    batch: int = 16
    epochs: int = 8
    warmup: float = 0.05
    held_out: float = 0.2


@dataclass(frozen=True)
class Score:
    """Shares between 0 and 1 over the held-out answers."""

    exact: float
    token_f1: float


@dataclass(frozen=True)
class Result:
    """One dataset, one split: before, after, and the time the training took."""

    dataset: str
    split_seed: int
    base: Score
    tuned: Score
    seconds: float
    examples: tuple[tuple[str, str, str], ...]


def conversations(dataset: str, seed: int) -> list[Conversation]:
    """The rows of a sample dataset as (role, content) pairs."""
    if dataset == "support":
        return [(("user", row.question), ("assistant", row.answer)) for row in support_rows(seed)]
    if dataset == "chat":
        return [row.messages for row in chat_rows(seed)]
    return [(("user", row.text), ("assistant", row.label)) for row in ticket_rows(seed)]


def measure(folder: Path, dataset: str, seed: int, split_seed: int, recipe: Recipe) -> Result:
    """Scores the base, trains a LoRA on one part of the rows, scores again on the other."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rows = conversations(dataset, seed)
    Random(split_seed).shuffle(rows)
    cut = round(len(rows) * recipe.held_out)
    held_out, trained = rows[:cut], rows[cut:]
    before = answers(model, tokenizer, held_out)
    started = time.monotonic()
    tuned = tune(model, tokenizer, trained, recipe, split_seed)
    seconds = time.monotonic() - started
    after = answers(tuned, tokenizer, held_out)
    wanted = [first_answer(row)[1] for row in held_out]
    shown = tuple(zip(wanted, before, after, strict=True))
    return Result(dataset, split_seed, score(before, wanted), score(after, wanted), seconds, shown)


def first_answer(row: Conversation) -> tuple[list[Message], str]:
    """The turns before the assistant's first answer, and that answer."""
    index = next(i for i, (role, _) in enumerate(row) if role == "assistant")
    return list(row[:index]), row[index][1]


def tune(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Conversation], recipe: Recipe, seed: int
) -> PeftModel:
    """Trains a LoRA on the assistant's turns; the loss is the mean over all trained tokens of a step."""
    torch.manual_seed(seed)
    lora = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(model, lora)
    assert isinstance(tuned, PeftModel)
    tuned.train()
    examples = [encode(tokenizer, row) for row in rows]
    steps = recipe.epochs * -(-len(examples) // recipe.batch)
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=recipe.rate, weight_decay=0.0)
    schedule = get_cosine_schedule_with_warmup(optimizer, round(recipe.warmup * steps), steps)
    rng = Random(seed)
    for _ in range(recipe.epochs):
        rng.shuffle(examples)
        for start in range(0, len(examples), recipe.batch):
            _step(tuned, optimizer, schedule, examples[start : start + recipe.batch])
    return tuned


def _step(
    model: PeftModel, optimizer: torch.optim.Optimizer, schedule: LambdaLR, batch: list[tuple[list[int], list[int]]]
) -> None:
    width = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in batch])
    labels = torch.tensor([row + [IGNORED] * (width - len(row)) for _, row in batch])
    # padding stands at the end, so causal attention needs no mask
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    loss = functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad(set_to_none=True)


def encode(tokenizer: PreTrainedTokenizerBase, row: Conversation) -> tuple[list[int], list[int]]:
    """Token ids of a conversation and its labels: the assistant's content with the mark that ends the turn."""
    ids: list[int] = []
    labels: list[int] = []
    for role, content in row:
        head = tokenizer.encode(f"<|im_start|>{role}\n", add_special_tokens=False)
        body = tokenizer.encode(f"{content}<|im_end|>", add_special_tokens=False)
        tail = tokenizer.encode("\n", add_special_tokens=False)
        ids += head + body + tail
        kept = body if role == "assistant" else [IGNORED] * len(body)
        labels += [IGNORED] * len(head) + kept + [IGNORED] * len(tail)
    return ids, labels


@torch.inference_mode()
def answers(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Conversation],
    batch: int = 48,
) -> list[str]:
    """Greedy first answers to the rows' first questions."""
    model.eval()
    prompts = [_prompt(tokenizer, first_answer(row)[0]) for row in rows]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    texts = [""] * len(prompts)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        for index, text in zip(chosen, _generate(model, tokenizer, [prompts[i] for i in chosen]), strict=True):
            texts[index] = text
    return texts


def _prompt(tokenizer: PreTrainedTokenizerBase, messages: list[Message]) -> str:
    turns = [{"role": role, "content": content} for role, content in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def _generate(model: Any, tokenizer: PreTrainedTokenizerBase, prompts: list[str]) -> list[str]:
    """Takes the model untyped, because the declared types of transformers do not admit its own generate()."""
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
    out = model.generate(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], max_new_tokens=64, do_sample=False
    )
    width = inputs["input_ids"].shape[1]
    return [text.strip() for text in tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)]


def score(given: Sequence[str], wanted: Sequence[str]) -> Score:
    """Mean exact match and mean token F1 of answers, both on normalised words."""
    exact = [normalised(a) == normalised(b) for a, b in zip(given, wanted, strict=True)]
    shared = [token_f1(a, b) for a, b in zip(given, wanted, strict=True)]
    return Score(sum(exact) / len(exact), sum(shared) / len(shared))


def normalised(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.findall(r"\w+", text.lower())


def token_f1(given: str, wanted: str) -> float:
    """The harmonic mean of precision and recall over words."""
    left, right = Counter(normalised(given)), Counter(normalised(wanted))
    both = (left & right).total()
    return 2 * both / (left.total() + right.total()) if left or right else 1.0
