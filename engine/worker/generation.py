"""Token by token generation for a batch of prompts, with a key-value cache. Greedy, or sampled from a seed.

What all prompts begin with (a system message, the opening of the template) is computed once and shared, and an answer
that has ended leaves the batch, so that a long one is not computed in the company of finished ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec
import torch
from torch import nn


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How the next token is chosen. Temperature 0 is greedy; `top_k` 0 draws from all.

    A `repetition_penalty` above 1 makes what stands in the prompt or the answer already less likely
    (arXiv:1909.05858).
    """

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    seed: int


GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=0, repetition_penalty=1.0, seed=0)
SHARED_AT_LEAST = 8
"""Tokens in common that are worth a pass of their own."""
PADDED = 1.3
"""Prompts that are asked together are at most this many times as long as the shortest of them."""


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

    Shorter prompts are padded on the left and masked; with learned positions before the text all must be of one
    length (`grouped`). Raises whatever the model raises.
    """
    dice = torch.Generator(device="cpu").manual_seed(sampling.seed)
    ends = set(end_tokens)
    batch = _Batch(model, prompts)
    alive = list(range(len(prompts)))
    seen = [set(prompt) for prompt in prompts]
    for _ in range(max_new_tokens):
        logits = _penalised(batch.logits.float().cpu(), [seen[row] for row in alive], sampling.repetition_penalty)
        chosen = _choose(logits, sampling, dice)
        said: list[int | None] = [None] * len(prompts)
        for row, token in zip(alive, chosen.tolist(), strict=True):
            said[row] = token
            seen[row].add(token)
        yield said
        going_on = [place for place, row in enumerate(alive) if said[row] not in ends]
        if not going_on:
            return
        if len(going_on) < len(alive) and sampling.temperature <= 0:  # sampled answers draw by their place
            batch.keep(going_on)
            alive, chosen = [alive[place] for place in going_on], chosen[going_on]
        batch.step(chosen)


def grouped(model: nn.Module, prompts: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    """Which prompts are asked together: the longest first (memory that is too small is met at once), near lengths."""
    limit = 1.0 if learned_positions(model) else PADDED
    groups: list[list[int]] = []
    for place in sorted(range(len(prompts)), key=lambda place: -len(prompts[place])):
        if groups and len(groups[-1]) < most and len(prompts[groups[-1][0]]) <= limit * len(prompts[place]):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def learned_positions(model: nn.Module) -> int:
    """How many learned positions stand before the text: prefix and prompt tuning have some, switched on."""
    from peft import PeftModel

    if not isinstance(model, PeftModel) or "forward" in model.__dict__:  # so PEFT switches such an adapter off
        return 0
    config: Any = model.active_peft_config
    return int(config.num_virtual_tokens) if config.is_prompt_learning else 0


class _Batch:
    """The prompts in the cache, and the scores of what comes next: `logits` is [rows, vocabulary]."""

    def __init__(self, model: nn.Module, prompts: Sequence[Sequence[int]]) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        learned = learned_positions(model)
        shared = 0 if learned else _shared(prompts)
        self._cache: Any = self._common(prompts[0][:shared], len(prompts)) if shared else None
        tokens, mask = _left_padded([prompt[shared:] for prompt in prompts], self._device)
        position = mask.cumsum(1).sub(1).clamp(min=0) + shared
        self._mask = torch.cat([mask.new_ones(len(prompts), shared), mask], dim=1)
        self._position = position[:, -1:]
        self._advance(tokens, None if learned else position)
        if learned:  # they are in the cache now; from here on the base goes on by itself
            self._mask = torch.cat([mask.new_ones(len(prompts), learned), self._mask], dim=1)
            self._position += learned
            self._model = cast(nn.Module, model.base_model)

    def _common(self, tokens: Sequence[int], rows: int) -> Any:
        """The cache of what all prompts begin with, computed for one and held for each."""
        ids = torch.tensor([list(tokens)], device=self._device)
        cache = self._model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(rows)
        return cache

    def _advance(self, tokens: torch.Tensor, position: torch.Tensor | None) -> None:
        out = self._model(
            input_ids=tokens,
            attention_mask=self._mask,
            position_ids=position,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._cache = out.past_key_values
        self.logits: torch.Tensor = out.logits[:, -1]

    def step(self, chosen: torch.Tensor) -> None:
        """Add one token to each row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(chosen), 1)], dim=1)
        self._position = self._position + 1
        self._advance(chosen.to(self._device).unsqueeze(1), self._position)

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows alone."""
        chosen = torch.tensor(rows, device=self._device)
        self._cache.batch_select_indices(chosen)
        self._mask, self._position = self._mask[chosen], self._position[chosen]


def _shared(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with; each keeps one of its own, and a short stretch is not worth it."""
    if len(prompts) == 1:
        return 0
    first, last = min(map(list, prompts)), max(map(list, prompts))  # the two that differ earliest
    longest = min(len(prompt) for prompt in prompts) - 1
    common = next((i for i in range(longest) if first[i] != last[i]), longest)
    return common if common >= SHARED_AT_LEAST else 0


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(prompt) for prompt in prompts)
    tokens = torch.zeros((len(prompts), longest), dtype=torch.int64)
    mask = torch.zeros((len(prompts), longest), dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = 1
    return tokens.to(device), mask.to(device)


def _penalised(logits: torch.Tensor, seen: Sequence[set[int]], penalty: float) -> torch.Tensor:
    """The scores with each row's seen tokens made less likely: a positive score divided, a negative one multiplied."""
    if penalty == 1.0:
        return logits
    for row, tokens in enumerate(seen):
        places = torch.tensor(sorted(tokens))
        scores = logits[row, places]
        logits[row, places] = torch.where(scores > 0, scores / penalty, scores * penalty)
    return logits


def _choose(logits: torch.Tensor, sampling: Sampling, dice: torch.Generator) -> torch.Tensor:
    """[rows, vocabulary] logits to [rows] token ids."""
    if sampling.temperature <= 0:
        return logits.argmax(-1)
    scores, ids = (logits / sampling.temperature).sort(descending=True, dim=-1)
    if sampling.top_k:
        scores[:, sampling.top_k :] = -torch.inf
    ordered = torch.softmax(scores, -1)
    before = ordered.cumsum(-1) - ordered
    ordered = ordered.masked_fill(before >= sampling.top_p, 0.0)
    picked = torch.multinomial(ordered, 1, generator=dice)
    return ids.gather(-1, picked).squeeze(-1)
