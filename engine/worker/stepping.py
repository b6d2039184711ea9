"""One optimizer step computed: micro-batches forward and backward, the norm, the update. No decisions, no records.

Nothing here waits for the device: losses and norms stay tensors until the loop reads them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import msgspec
import torch
from torch import nn

from engine.spec.runspec import Training
from engine.worker.aims import Aim, Numbers
from engine.worker.batches import padding_share
from engine.worker.control import Wish
from engine.worker.examples import Examples
from engine.worker.feed import Feed
from engine.worker.group import Group, scalar
from engine.worker.model import computing
from engine.worker.objective import collate
from engine.worker.optimizer import set_rate


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an optimizer step was. `loss` and `norm` are on the device; seconds are of the host."""

    step: int
    loss: torch.Tensor
    norm: torch.Tensor
    rate: float
    rows: int
    tokens: int
    padding: float
    computing: float
    waiting: float


class Interrupted(Exception):
    """A wish arrived inside a step; the step is thrown away."""


class Stepper:
    """Computes optimizer steps of one model towards one aim."""

    def __init__(
        self,
        aim: Aim,
        examples: Examples,
        feed: Feed,
        parameters: dict[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        numbers: Training,
        group: Group,
    ) -> None:
        self._aim, self._examples, self._feed = aim, examples, feed
        self._parameters, self._optimizer, self._scaler = parameters, optimizer, scaler
        self._numbers, self._group = numbers, group
        self._device = next(iter(parameters.values())).device

    def gradients(
        self, step: int, last: int, examples: list[int], wished: Callable[[], Wish | None]
    ) -> tuple[torch.Tensor, float]:
        """Accumulate the gradients of a whole step; its loss (a scalar on the device) and its share of padding.

        `last` is the run's number of steps. Raises Interrupted when `wished` says so between two micro-batches, and
        whatever the allocator raises.
        """
        whole = self._aim.begin(examples)
        total = torch.zeros((), device=self._device)
        pieces: list[list[int]] = []
        for piece, factor, batch in self._feed.step(step, last):
            # Several processes agree at a step's beginning only; a single one looks before each micro-batch.
            if (self._group.size == 1 or not pieces) and wished():
                raise Interrupted
            with computing(self._numbers.precision, self._device):
                loss = self._aim.loss(batch, piece, whole)
            self._scaler.scale(loss * factor).backward()
            total += loss.detach() * (factor > 0)
            pieces.append(piece)
        padding = 0.0 if self._feed.packed else padding_share(pieces, self._examples.lengths)
        return self._group.sum(total), padding

    def seconds(self, pieces: Sequence[list[int]], *, packed: bool) -> float:
        """How long these micro-batches take, forward and backward, the second time; nothing is updated."""
        self._pass(pieces, packed=packed)
        started = time.perf_counter()
        self._pass(pieces, packed=packed)
        taken = time.perf_counter() - started
        self.forget()
        self._aim.numbers()
        return taken

    def _pass(self, pieces: Sequence[list[int]], *, packed: bool) -> None:
        """Forward and backward, until the device is done."""
        whole = self._aim.begin([example for piece in pieces for example in piece])
        total = torch.zeros((), device=self._device)
        for piece in pieces:
            rows = self._examples.rows(piece)
            batch = collate(self._examples.split, rows, torch.device("cpu"), packed=packed).to(self._device)
            with computing(self._numbers.precision, self._device):
                loss = self._aim.loss(batch, piece, whole)
            self._scaler.scale(loss).backward()
            total += loss.detach()
        total.item()

    def numbers(self) -> Numbers:
        """What else the aim saw in the steps since the last call, by metric name."""
        return self._aim.numbers()

    def forget(self) -> None:
        """Throw the gradients of an unfinished step away."""
        self._optimizer.zero_grad(set_to_none=True)

    def update(self, loss: torch.Tensor, rate: float, limit: float | None) -> torch.Tensor:
        """Clip to the shorter of the recipe's norm and `limit`, and step; returns the norm before clipping.

        A step whose loss or norm is no number leaves weights and moments as they are, decided on the device.
        """
        self._scaler.unscale_(self._optimizer)
        most = min(self._numbers.clip_norm or math.inf, limit or math.inf)
        norm = scalar(torch.nn.utils.clip_grad_norm_(self._parameters.values(), most))
        set_rate(self._optimizer, rate)
        if self._scaler.is_enabled():
            self._scaler.step(self._optimizer)
            self._scaler.update()
        elif self._group.size > 1:
            if torch.isfinite(norm + loss):
                self._optimizer.step()
        else:
            # The fused kernel looks at this attribute: 1 leaves the step out (torch.optim.adamw, found_inf).
            self._optimizer.found_inf = (~torch.isfinite(norm + loss)).float()  # type: ignore[attr-defined]
            self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return norm

    def done(
        self,
        step: int,
        examples: list[int],
        *,
        loss: torch.Tensor,
        norm: torch.Tensor,
        rate: float,
        padding: float,
        started: float,
    ) -> Done:
        """The record of a step that was computed; `started` is the host's clock at its beginning."""
        waited, self._feed.waited = self._feed.waited, 0.0
        return Done(
            step=step,
            loss=loss,
            norm=norm,
            rate=rate,
            rows=len(examples),
            tokens=sum(self._examples.tokens[i] for i in examples),
            padding=padding,
            computing=max(0.0, time.perf_counter() - started - waited),
            waiting=waited,
        )
