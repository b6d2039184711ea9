"""The training objective: the sum of losses over labelled tokens, with logits computed at those tokens only.

The loss is computed inside one module's forward, the root that FSDP and compile wrap; nobody calls the inner model from
outside it. The output projection gets only the hidden states that predict a labelled token, so nothing is computed for
prompts and padding, and it is fused with the loss (engine/worker/loss.py).
"""

from __future__ import annotations

import array
from collections.abc import Sequence

import msgspec
import torch
from torch import nn

from engine.spec.exits import Exit
from engine.worker import loss
from engine.worker.attention import Lengths, attention_of, lengths_of, places_of
from engine.worker.examples import Rows
from engine.worker.fault import Fault
from engine.worker.model import evaluating

Parts = Sequence[tuple["array.array[int]", "array.array[int]"]]


class Batch(msgspec.Struct, frozen=True):
    """A micro-batch on the device.

    tokens: [rows, longest] int64, padded on the right. Causal attention never looks right, so no mask is needed.
    Or [1, all tokens], the rows packed end to end: `lengths` says where, `places` [1, all tokens] counts in each row.
    positions: [labels] flat positions in `tokens` whose next token is labelled.
    targets: [labels] the token each of them must predict. rows: [labels] the row of each, of `size` rows.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    rows: torch.Tensor
    size: int
    places: torch.Tensor | None = None
    lengths: Lengths | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device; from pinned memory the copy does not hold up the caller."""
        if device.type == "cpu":
            return self

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            pinned = tensor.pin_memory() if device.type == "cuda" else tensor
            return pinned.to(device, non_blocking=True)

        packed = self.lengths and Lengths(moved(self.lengths.ends), self.lengths.rows)
        places = None if self.places is None else moved(self.places)
        return Batch(
            moved(self.tokens),
            moved(self.positions),
            moved(self.targets),
            moved(self.rows),
            self.size,
            places,
            packed,
        )


def collate(split: Rows, rows: Sequence[int], device: torch.device, *, packed: bool = False) -> Batch:
    """Prepared rows side by side, or end to end. The first token of a row is never a target: nothing predicts it."""
    parts = [split.row(row) for row in rows]
    return (end_to_end(parts) if packed else side_by_side(parts, split.header.pad_token)).to(device)


def side_by_side(parts: Parts, pad: int) -> Batch:
    """Rows of (token ids, trained flags) padded on the right."""
    longest = max(len(tokens) for tokens, _ in parts)
    tokens = torch.full((len(parts), longest), pad, dtype=torch.int64)
    labelled = torch.zeros((len(parts), longest), dtype=torch.bool)
    for number, (ids, flags) in enumerate(parts):
        tokens[number, : len(ids)] = torch.frombuffer(ids, dtype=torch.int32)
        labelled[number, : len(ids)] = torch.frombuffer(flags, dtype=torch.uint8).bool()
    predicts = torch.zeros_like(labelled)
    predicts[:, :-1] = labelled[:, 1:]
    positions = predicts.flatten().nonzero().squeeze(1)
    return Batch(
        tokens,
        positions,
        tokens.flatten()[positions + 1],
        positions // longest,
        len(parts),
    )


def end_to_end(parts: Parts) -> Batch:
    """Rows of (token ids, trained flags) packed into one."""
    rows = tuple(len(ids) for ids, _ in parts)
    tokens = torch.cat([torch.frombuffer(ids, dtype=torch.int32) for ids, _ in parts]).long()
    labelled = torch.cat([torch.frombuffer(flags, dtype=torch.uint8) for _, flags in parts]).bool()
    places = places_of(rows)
    labelled &= places[0] > 0
    targets = labelled.nonzero().squeeze(1)
    owners = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor(rows))
    return Batch(tokens[None], targets - 1, tokens[targets], owners[targets], len(rows), places, lengths_of(rows))


class Objective(nn.Module):
    """The root module: a batch in, the sum of its labelled tokens' losses out.

    While a batch is in work the output layer hands its input through, labelled positions only, and the loss is fused
    with the projection. Models that do more to their scores than project (scaling, soft caps) keep their own output
    layer, at labelled positions only; `fused` tells which.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.own_attention = attention_of(model)
        self._batch: Batch | None = None
        self._head: nn.Module = output_layer(model)
        self._hook = self._head.register_forward_pre_hook(self._keep_labelled)
        self.fused = type(self._head) is nn.Linear
        if self.fused:
            self._projects = self._head.forward
            self._head.forward = self._hand_through  # type: ignore[method-assign]
            self.fused = self._only_projects()

    def detach(self) -> None:
        """Leave the model as it was found."""
        self._hook.remove()
        if "forward" in self._head.__dict__:
            del self._head.forward

    def _keep_labelled(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if self._batch is None:
            return None
        hidden = inputs[0][:, -self._batch.tokens.shape[1] :]  # prompt methods put learned positions before the text
        return (hidden.flatten(0, 1)[self._batch.positions], *inputs[1:])

    def _hand_through(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden if self.fused and self._batch is not None else self._projects(hidden)

    def _only_projects(self) -> bool:
        """Whether the model's scores are exactly its output layer's: tried on two tokens."""
        weight, _ = self._weights()
        tokens = torch.zeros((1, 2), dtype=torch.int64, device=weight.device)
        here = torch.tensor([0, 1], device=weight.device)
        batch = Batch(tokens, here, torch.zeros_like(here), torch.zeros_like(here), 1)
        with evaluating(self.model):
            mine = self._through_model(batch)
            self.fused = False
            theirs = self._through_model(batch)
        return torch.equal(self._projects(mine.to(weight.dtype)).float(), theirs.float())

    def _through_model(self, batch: Batch) -> torch.Tensor:
        """Scores at the labelled positions, or, fused, the hidden states there: [labels, vocabulary or width]."""
        self._batch = batch
        try:
            packed = {} if batch.lengths is None else {"position_ids": batch.places, "lengths": batch.lengths}
            return self.model(input_ids=batch.tokens, use_cache=False, **packed).logits  # type: ignore[no-any-return]
        finally:
            self._batch = None

    def _projection(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Hidden states, weight and bias in the number format of the sums."""
        on = hidden.device.type
        weight, bias = self._weights()
        kind = torch.get_autocast_dtype(on) if torch.is_autocast_enabled(on) else weight.dtype
        return hidden.to(kind), weight.to(kind), None if bias is None else bias.to(kind)

    def _weights(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        assert isinstance(self._head, nn.Linear)
        return self._head.weight, self._head.bias

    def token_losses(self, batch: Batch) -> torch.Tensor:
        """The loss in nats of each labelled token: [labels] fp32."""
        found = self._through_model(batch)
        if self.fused:
            return loss.token_losses(*self._projection(found), batch.targets)
        return nn.functional.cross_entropy(found.float(), batch.targets, reduction="none")

    def forward(self, batch: Batch, *, each_row: bool = False) -> torch.Tensor:
        """The sum of the labelled tokens' losses: a scalar. Divide by the labels of the whole optimizer step.

        With `each_row` the log-probability of each row's labelled tokens instead: [rows] fp32.
        """
        if each_row:
            sums = torch.zeros(batch.size, device=batch.tokens.device)
            return sums.index_add(0, batch.rows, -self.token_losses(batch))
        found = self._through_model(batch)
        if self.fused:
            return loss.loss_sum(*self._projection(found), batch.targets)
        return nn.functional.cross_entropy(found.float(), batch.targets, reduction="sum")


def output_layer(model: nn.Module) -> nn.Module:
    """The layer that makes scores of words. Raises Fault when the model has none."""
    head = model.get_output_embeddings()  # type: ignore[operator]
    if head is None:
        raise Fault(
            Exit.BAD_MODEL,
            "This model has no output layer.",
            "It makes no scores of words, so there is nothing to train it on.",
            "Choose a model made for writing text (its architecture ends in ForCausalLM).",
        )
    return head  # type: ignore[no-any-return]
