"""Token by token generation for a batch of prompts, with a key-value cache. Greedy, or sampled from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import torch
from torch import nn


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How the next token is chosen. Temperature 0 is greedy."""

    temperature: float
    top_p: float
    seed: int


GREEDY = Sampling(temperature=0.0, top_p=1.0, seed=0)


@torch.no_grad()
def generate(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    end_tokens: Sequence[int],
    sampling: Sampling = GREEDY,
) -> Iterator[list[int | None]]:
    """Yield the next token of every prompt, step by step; None where that answer has ended (its end token included).

    Shorter prompts are padded on the left and masked. Raises whatever the model raises.
    """
    device = next(model.parameters()).device
    tokens, mask = _left_padded(prompts, device)
    dice = torch.Generator(device="cpu").manual_seed(sampling.seed)
    ends = set(end_tokens)
    running = [True] * len(prompts)
    cache = None
    position = mask.long().cumsum(1).sub(1).clamp(min=0)
    for _ in range(max_new_tokens):
        out = model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        chosen = _choose(out.logits[:, -1].float().cpu(), sampling, dice)
        said = [int(token) if alive else None for token, alive in zip(chosen, running, strict=True)]
        running = [alive and token not in ends for token, alive in zip(said, running, strict=True)]
        yield said
        if not any(running):
            return
        tokens = chosen.to(device).unsqueeze(1)
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        position = position[:, -1:] + 1


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(prompt) for prompt in prompts)
    tokens = torch.zeros((len(prompts), longest), dtype=torch.int64)
    mask = torch.zeros((len(prompts), longest), dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = 1
    return tokens.to(device), mask.to(device)


def _choose(logits: torch.Tensor, sampling: Sampling, dice: torch.Generator) -> torch.Tensor:
    """[rows, vocabulary] logits to [rows] token ids."""
    if sampling.temperature <= 0:
        return logits.argmax(-1)
    chances = torch.softmax(logits / sampling.temperature, -1)
    ordered, ids = chances.sort(descending=True, dim=-1)
    before = ordered.cumsum(-1) - ordered
    ordered = ordered.masked_fill(before >= sampling.top_p, 0.0)
    picked = torch.multinomial(ordered, 1, generator=dice)
    return ids.gather(-1, picked).squeeze(-1)
