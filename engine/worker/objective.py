"""The training objective: the sum of losses over labelled tokens, with logits computed at those tokens only.

The loss is computed inside one module's forward, the root that PEFT (and later FSDP and compile) wraps; nobody calls
the inner model from outside it. The output projection gets only the hidden states that predict a labelled token, so a
`tokens x vocabulary` matrix never exists for prompts and padding.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch
from torch import nn

from engine.spec.prepared import PreparedSplit


class Batch(msgspec.Struct, frozen=True):
    """A micro-batch on the device.

    tokens: [rows, longest] int64, padded on the right. Causal attention never looks right, so no mask is needed.
    positions: [labels] flat positions in rows x longest whose next token is labelled.
    targets: [labels] the token each of them must predict. rows: [labels] the row of each.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    rows: torch.Tensor


def collate(split: PreparedSplit, rows: Sequence[int], device: torch.device) -> Batch:
    """Put prepared rows side by side. The first token of a row is never a target: nothing predicts it."""
    parts = [split.row(row) for row in rows]
    longest = max(len(tokens) for tokens, _ in parts)
    tokens = torch.full((len(parts), longest), split.header.pad_token, dtype=torch.int64)
    labelled = torch.zeros((len(parts), longest), dtype=torch.bool)
    for number, (ids, flags) in enumerate(parts):
        tokens[number, : len(ids)] = torch.frombuffer(ids, dtype=torch.int32)
        labelled[number, : len(ids)] = torch.frombuffer(flags, dtype=torch.uint8).bool()
    predicts = torch.zeros_like(labelled)
    predicts[:, :-1] = labelled[:, 1:]
    positions = predicts.flatten().nonzero().squeeze(1)
    return Batch(
        tokens.to(device),
        positions.to(device),
        tokens.flatten()[positions + 1].to(device),
        (positions // longest).to(device),
    )


class Objective(nn.Module):
    """The root module: a batch in, the sum of its labelled tokens' losses out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._positions: torch.Tensor | None = None
        head = model.get_output_embeddings()  # type: ignore[operator]
        self._hook = head.register_forward_pre_hook(self._keep_labelled)

    def detach(self) -> None:
        """Leave the model as it was found."""
        self._hook.remove()

    def _keep_labelled(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if self._positions is None:
            return None
        return (inputs[0].flatten(0, 1)[self._positions], *inputs[1:])

    def token_losses(self, batch: Batch) -> torch.Tensor:
        """The loss in nats of each labelled token: [labels] fp32."""
        self._positions = batch.positions
        try:
            logits = self.model(input_ids=batch.tokens, use_cache=False).logits
        finally:
            self._positions = None
        return nn.functional.cross_entropy(logits.float(), batch.targets, reduction="none")

    def forward(self, batch: Batch) -> torch.Tensor:
        """The sum of the labelled tokens' losses: a scalar. Divide by the labels of the whole optimizer step."""
        return self.token_losses(batch).sum()
