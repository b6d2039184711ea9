"""What is optimised, one class per objective: the loss of a micro-batch, and what a whole step's sum is divided by.

Every loss is a sum over examples divided by a number that belongs to the whole optimizer step, so that micro-batches
never change it. Preference objectives compare log-probabilities with those of the model before training, which are
computed once (engine/worker/reference.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import torch
from torch.nn.functional import logsigmoid

from engine.spec.objectives import Dpo, Imitate, Kto, Orpo
from engine.spec.objectives import Objective as ObjectiveSpec
from engine.worker.batches import micro_batches
from engine.worker.examples import Examples, Mismatched
from engine.worker.objective import Batch, Objective, collate
from engine.worker.reference import References

Numbers = dict[str, float]
KTO_ROWS_AT_ONCE = 8
"""Mismatched rows computed at once, without gradients; a constant, so that the micro-batch changes no sum."""


class Step(msgspec.Struct, frozen=True):
    """What an aim needs to know about the whole optimizer step. `distance`: KTO's estimate, in nats."""

    labels: int
    examples: int
    distance: float = 0.0


class Aim(Protocol):
    """One objective over one split."""

    def begin(self, examples: Sequence[int]) -> Step:
        """Look at a whole optimizer step before its first micro-batch."""
        ...

    def loss(self, batch: Batch, examples: Sequence[int], step: Step) -> torch.Tensor:
        """This micro-batch's share of the step's loss: a scalar; the shares add up."""
        ...

    def numbers(self) -> Numbers:
        """What else was seen since the last call, by metric name."""
        ...


class Imitation:
    """The negative log-likelihood of the labelled tokens, in nats per token."""

    def __init__(self, objective: Objective, examples: Examples) -> None:
        self._objective = objective
        self._examples = examples

    def begin(self, examples: Sequence[int]) -> Step:
        return Step(max(1, sum(self._examples.labels[i] for i in examples)), len(examples))

    def loss(self, batch: Batch, examples: Sequence[int], step: Step) -> torch.Tensor:
        return self._objective(batch) / step.labels

    def numbers(self) -> Numbers:
        return {}


class _Preferences:
    """Counts how often, and by how much, the right answer is preferred."""

    def __init__(self) -> None:
        self._margins: list[torch.Tensor] = []

    def note(self, margins: torch.Tensor) -> None:
        """Margins [examples] in nats; above zero is right."""
        self._margins.append(margins.detach())

    def numbers(self) -> Numbers:
        if not self._margins:
            return {}
        margins, self._margins = torch.cat(self._margins), []
        return {
            "preference_accuracy": (margins > 0).float().mean().item(),
            "preference_margin": margins.mean().item(),
        }


class DirectPreference(_Preferences):
    """DPO: -log sigmoid(beta x (how much more the policy prefers the chosen answer than the reference does))."""

    def __init__(self, objective: Objective, examples: Examples, spec: Dpo, references: References) -> None:
        super().__init__()
        self._objective, self._examples, self._spec, self._references = objective, examples, spec, references

    def begin(self, examples: Sequence[int]) -> Step:
        return Step(1, len(examples))

    def loss(self, batch: Batch, examples: Sequence[int], step: Step) -> torch.Tensor:
        ratios = self._objective(batch, each_row=True) - self._references.of(self._examples.rows(examples))
        margins = self._spec.beta * (ratios[0::2] - ratios[1::2])
        self.note(margins)
        smooth = self._spec.label_smoothing
        losses = -(1 - smooth) * logsigmoid(margins) - smooth * logsigmoid(-margins)
        return losses.sum() / step.examples


class OddsRatio(_Preferences):
    """ORPO: imitation of the chosen answers, and -log sigmoid of the log odds ratio of chosen to rejected.

    Odds are those of the mean log-probability per token, as in the paper's equation 4.
    """

    def __init__(self, objective: Objective, examples: Examples, spec: Orpo) -> None:
        super().__init__()
        self._objective, self._examples, self._spec = objective, examples, spec

    def begin(self, examples: Sequence[int]) -> Step:
        chosen = self._examples.rows(examples)[0::2]
        return Step(max(1, sum(self._examples.row_labels[i] for i in chosen)), len(examples))

    def loss(self, batch: Batch, examples: Sequence[int], step: Step) -> torch.Tensor:
        rows = self._examples.rows(examples)
        sums = self._objective(batch, each_row=True)
        labels = torch.tensor([max(1, self._examples.row_labels[i]) for i in rows], device=sums.device)
        mean = sums / labels
        odds = mean - torch.log1p(-torch.exp(mean).clamp(max=1 - 1e-6))
        margins = odds[0::2] - odds[1::2]
        self.note(margins)
        preferring = -logsigmoid(margins).sum() / step.examples
        return -sums[0::2].sum() / step.labels + self._spec.weight * preferring


class RatedAnswers(_Preferences):
    """KTO: good answers should rise above, and bad ones fall below, how far the model has moved anyway.

    That distance is the mean log-ratio of answers that belong to other prompts, measured over the whole step without
    gradients and never below zero.
    """

    def __init__(
        self, objective: Objective, examples: Examples, spec: Kto, references: References, mismatched: References
    ) -> None:
        super().__init__()
        self._objective, self._examples, self._spec = objective, examples, spec
        self._references, self._mismatched = references, mismatched
        self._others = Mismatched(examples.split)
        self._lengths = self._others.lengths()
        self._device = references.device

    def begin(self, examples: Sequence[int]) -> Step:
        return Step(1, len(examples), self._distance(examples))

    def _distance(self, examples: Sequence[int]) -> float:
        total = torch.zeros((), device=self._device)
        with torch.no_grad():
            for rows in micro_batches(examples, self._lengths, KTO_ROWS_AT_ONCE):
                policy = self._objective(collate(self._others, rows, self._device), each_row=True)
                total += (policy - self._mismatched.of(rows)).sum()
        return max(0.0, total.item() / len(examples))

    def loss(self, batch: Batch, examples: Sequence[int], step: Step) -> torch.Tensor:
        ratios = self._objective(batch, each_row=True) - self._references.of(examples)
        good = torch.tensor([self._examples.split.desired[i] == 1 for i in examples], device=ratios.device)
        sign = torch.where(good, 1.0, -1.0)
        margins = self._spec.beta * sign * (ratios - step.distance)
        self.note(margins)
        weights = torch.where(good, self._spec.good_weight, self._spec.bad_weight)
        return (weights * (1 - torch.sigmoid(margins))).sum() / step.examples


def needs_reference(spec: ObjectiveSpec) -> bool:
    """Whether the objective compares with the model before training."""
    return isinstance(spec, Dpo | Kto)


def aim_for(spec: ObjectiveSpec, objective: Objective, examples: Examples, references: Sequence[References]) -> Aim:
    """The objective over one split. `references`: of its rows, and for KTO of its mismatched rows besides."""
    match spec:
        case Imitate():
            return Imitation(objective, examples)
        case Dpo():
            return DirectPreference(objective, examples, spec, references[0])
        case Orpo():
            return OddsRatio(objective, examples, spec)
        case Kto():
            return RatedAnswers(objective, examples, spec, references[0], references[1])
