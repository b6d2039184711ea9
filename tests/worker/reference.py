"""A training loop as anybody would write it with transformers and peft: what ours is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from engine.spec.prepared import PreparedSplit, read_split
from engine.spec.runspec import TrainJob
from engine.worker.batches import epoch_steps
from engine.worker.schedule import learning_rate


def plain_base(path: Path, quantization: str = "none", *, double: bool = False) -> Any:
    """The base model as transformers loads it."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    if quantization == "none":
        return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    if quantization == "int8":
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quantization,
            bnb_4bit_use_double_quant=double,
            bnb_4bit_compute_dtype=torch.float32,
        )
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, quantization_config=config)


def padded(split: PreparedSplit, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens, attention mask and labels of a padded batch, -100 where nothing is learned."""
    longest = max(len(split.row(row)[0]) for row in rows)
    tokens = torch.zeros((len(rows), longest), dtype=torch.long)
    mask, labels = torch.zeros_like(tokens), torch.full_like(tokens, -100)
    for i, row in enumerate(rows):
        ids, flags = (torch.tensor(part.tolist()) for part in split.row(row))
        tokens[i, : len(ids)], mask[i, : len(ids)] = ids, 1
        labels[i, : len(ids)] = torch.where(flags.bool(), ids, -100)
    return tokens, mask, labels


def reference_losses(job: TrainJob, config: Any, *, quantization: str = "none", ratio: float = 1.0) -> list[float]:
    """The loss of every step: a padded batch each, full logits, AdamW; the same rows in the same steps.

    `config` is a PEFT configuration, or None to train every weight; B matrices learn at `ratio` times the rate.
    """
    from peft import get_peft_model

    numbers = job.training
    double = getattr(job.method, "double_quantization", False)
    model = plain_base(Path(job.model.path), quantization, double=double)
    torch.manual_seed(numbers.seed)
    model = (get_peft_model(model, config) if config else model).train()
    split = read_split(Path(job.data.prepared), "train")
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    groups = [{"params": [each], "factor": ratio if "lora_B" in name else 1.0} for name, each in named]
    optimizer = torch.optim.AdamW(
        groups, betas=(numbers.beta1, numbers.beta2), eps=numbers.epsilon, weight_decay=numbers.weight_decay
    )
    found = []
    for epoch in range(numbers.epochs):
        for rows in epoch_steps(numbers.seed, epoch, split.lengths(), numbers.batch_size):
            tokens, mask, labels = padded(split, rows)
            logits = model(input_ids=tokens, attention_mask=mask).logits[:, -tokens.shape[1] :]
            loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([each for _, each in named], numbers.clip_norm)
            for group in optimizer.param_groups:
                group["lr"] = group["factor"] * learning_rate(numbers, len(found), job.total_steps)
            optimizer.step()
            optimizer.zero_grad()
            found.append(loss.item())
    return found
