"""What a model says to a prompt: its scores for each token of a greedy answer, the first one's whole.

One prompt at a time and without padding, so that both sides of a comparison do the same sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import torch
from torch import nn

from engine.spec.exports import Probe


class Heard(msgspec.Struct, frozen=True):
    """One answer: scores [tokens, vocabulary] of each step, and the tokens taken (the end token included)."""

    scores: torch.Tensor
    answer: list[int]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an artefact says of itself: the text of each token it knows, what ends an answer, and its chat template."""

    tokens: dict[int, str]
    ends: frozenset[int]
    begin: int | None
    template: str


class Artefact(Protocol):
    """An exported model as its own runtime reads it. Each method raises what the runtime raises."""

    runtime: str

    def facts(self) -> Facts: ...

    def prompt(self, probe: Probe) -> tuple[int, ...]:
        """The token ids that the runtime makes of the probe's turns, or of its text when it has none."""
        ...

    def listen(self, tokens: Sequence[int], count: int, ends: Sequence[int]) -> Heard:
        """The greedy answer, of at most `count` tokens."""
        ...

    def close(self) -> None: ...


@torch.no_grad()
def listen(model: nn.Module, tokens: Sequence[int], count: int, ends: Sequence[int], *, cached: bool = True) -> Heard:
    """The greedy answer of a torch model. Without `cached` the whole text is computed at every step."""
    device = next(model.parameters()).device
    text = torch.tensor([list(tokens)], device=device)
    given, past = text, None
    scores: list[torch.Tensor] = []
    answer: list[int] = []
    while len(answer) < count:
        if cached:
            out = model(input_ids=given, past_key_values=past, use_cache=True, logits_to_keep=1)
            past = out.past_key_values
        else:
            out = model(input_ids=text, use_cache=False)
        scores.append(out.logits[0, -1].float().cpu())
        answer.append(int(scores[-1].argmax()))
        if answer[-1] in ends:
            break
        given = torch.tensor([[answer[-1]]], device=device)
        text = torch.cat([text, given], dim=1)
    return Heard(torch.stack(scores), answer)
