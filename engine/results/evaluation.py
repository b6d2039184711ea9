"""From answers to a verdict: scores of base and tuned on the same held-out rows, with the evidence for a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from engine.core.errors import DataError, StudioError
from engine.data.library import rows_in
from engine.results.scores import exact_match, token_f1
from engine.results.statistics import (
    Paired,
    bootstrap_interval,
    examples_needed,
    holm,
    mcnemar,
    sign_flip,
)
from engine.spec.answers import BASE, Answer
from engine.spec.files import LineReader

SIGNIFICANT = 0.05
FEW = 20
Outcome = Literal["better", "worse", "mixed", "no difference shown", "too few examples"]


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """One model's means over the examples. Match and F1 are 0 to 1; perplexity is over response tokens only."""

    exact_match: float
    token_f1: float
    perplexity: float
    examples: int


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One held-out row with both answers and their scores."""

    row: int
    prompt: str
    reference: str
    base: str
    tuned: str
    base_match: bool
    tuned_match: bool
    base_f1: float
    tuned_f1: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Base and tuned on the same rows.

    `exact_match` is tested by McNemar's exact test, `token_f1` and `loss` (nats per response token) by sign flips;
    `p_value` is the smallest of them after Holm's correction.
    """

    run: str
    version: str
    base: Scores
    tuned: Scores
    exact_match: Paired
    token_f1: Paired
    loss: Paired
    p_value: float
    outcome: Outcome
    verdict: str
    examples: tuple[Example, ...]


def evaluate(results: Path, run: str, version: str, tuned: str, dataset: Path) -> Evaluation:
    """Score the answers of one evaluation run; `dataset` is the folder whose rows were asked.

    Heavy (numpy): call it in a spawned process. Raises DataError.
    """
    pairs = _pairs(LineReader(results, Answer).read(), tuned)
    if not pairs:
        raise DataError(
            "There is nothing to compare yet.",
            "The evaluation has no row that both models answered.",
            "Let the evaluation run to its end, or start it again.",
        )
    asked = questions_of(dataset)
    examples = tuple(_example(base, after, asked.get(base.row, base.prompt)) for base, after in pairs)
    match = _match(examples)
    f1 = _mean_of([each.tuned_f1 - each.base_f1 for each in examples])
    loss = _mean_of([after.nll / after.trained_tokens - base.nll / base.trained_tokens for base, after in pairs])
    corrected = holm([match.p_value, f1.p_value, loss.p_value])
    outcome = _outcome(len(examples), (match, f1, loss), corrected)
    return Evaluation(
        run=run,
        version=version,
        base=_scores([base for base, _ in pairs], [(each.base_match, each.base_f1) for each in examples]),
        tuned=_scores([after for _, after in pairs], [(each.tuned_match, each.tuned_f1) for each in examples]),
        exact_match=match,
        token_f1=f1,
        loss=loss,
        p_value=min(corrected),
        outcome=outcome,
        verdict=_verdict(outcome, examples, match, f1, min(corrected)),
        examples=examples,
    )


def _pairs(answers: Sequence[Answer], tuned: str) -> list[tuple[Answer, Answer]]:
    """Both answers to each row that has both and has something to score, in row order."""
    said: dict[str, dict[int, Answer]] = {BASE: {}, tuned: {}}
    for answer in answers:
        if answer.model in said and answer.trained_tokens:
            said[answer.model][answer.row] = answer
    return [(said[BASE][row], said[tuned][row]) for row in sorted(said[BASE].keys() & said[tuned].keys())]


def questions_of(dataset: Path) -> dict[int, str]:
    """The last thing the user said in each row, by the row's number; empty when the dataset is gone."""
    try:
        rows = list(rows_in(dataset))
    except StudioError:
        return {}
    asked = {number: [each.content for each in row.messages if each.role == "user"] for number, row in enumerate(rows)}
    return {number: words[-1] for number, words in asked.items() if words}


def _example(base: Answer, tuned: Answer, question: str) -> Example:
    return Example(
        row=base.row,
        prompt=question,
        reference=base.reference,
        base=base.text,
        tuned=tuned.text,
        base_match=exact_match(base.text, base.reference),
        tuned_match=exact_match(tuned.text, tuned.reference),
        base_f1=token_f1(base.text, base.reference),
        tuned_f1=token_f1(tuned.text, tuned.reference),
    )


def _scores(answers: Sequence[Answer], marks: Sequence[tuple[bool, float]]) -> Scores:
    tokens = sum(answer.trained_tokens for answer in answers)
    mean_loss = sum(answer.nll for answer in answers) / tokens
    return Scores(
        exact_match=sum(match for match, _ in marks) / len(marks),
        token_f1=sum(f1 for _, f1 in marks) / len(marks),
        perplexity=math.exp(min(mean_loss, 700.0)),
        examples=len(marks),
    )


def _match(examples: Sequence[Example]) -> Paired:
    before, after = [each.base_match for each in examples], [each.tuned_match for each in examples]
    differences = [float(b) - float(a) for a, b in zip(before, after, strict=True)]
    low, high = bootstrap_interval(differences)
    return Paired(
        difference=sum(differences) / len(differences),
        low=low,
        high=high,
        p_value=mcnemar(before, after),
        test="exact McNemar",
    )


def _mean_of(differences: list[float]) -> Paired:
    low, high = bootstrap_interval(differences)
    return Paired(
        difference=sum(differences) / len(differences),
        low=low,
        high=high,
        p_value=sign_flip(differences),
        test="paired sign-flip permutation",
    )


def _outcome(count: int, parts: tuple[Paired, Paired, Paired], corrected: list[float]) -> Outcome:
    """What may be said. A lower loss is better; all three corrected p-values count."""
    directions = [1 if part.difference > 0 else -1 for part in parts]
    directions[2] = -directions[2]
    shown = {way for way, p in zip(directions, corrected, strict=True) if p < SIGNIFICANT}
    if shown == {1, -1}:
        return "mixed"
    if shown:
        return "better" if shown == {1} else "worse"
    return "too few examples" if count < FEW else "no difference shown"


def _verdict(outcome: Outcome, examples: Sequence[Example], match: Paired, f1: Paired, p_value: float) -> str:
    """One or two plain sentences with the numbers behind them."""
    count = len(examples)
    numbers = f"exact match {_points(match)}, token F1 {_points(f1)}, {chance(p_value)}, {count} held-out examples"
    sentence = outcome_sentence(outcome)
    if outcome in ("better", "worse", "mixed"):
        return f"{sentence}: {numbers}."
    return f"{sentence} ({numbers}). {_more_needed(examples, match)}".strip()


def outcome_sentence(outcome: Outcome) -> str:
    """How the outcome is said."""
    return {
        "better": "The tuned model is better than the base",
        "worse": "The tuned model is worse than the base",
        "mixed": "The tuned model is better in one respect and worse in another",
        "no difference shown": "No difference could be shown",
        "too few examples": "There are too few examples to tell",
    }[outcome]


def chance(p_value: float) -> str:
    """A p-value as people read it."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _points(paired: Paired) -> str:
    return f"{100 * paired.difference:+.0f} points (95 % interval {100 * paired.low:.0f} to {100 * paired.high:.0f})"


def _more_needed(examples: Sequence[Example], match: Paired) -> str:
    differing = sum(each.base_match != each.tuned_match for each in examples) / len(examples)
    needed = examples_needed(differing, match.difference)
    return f"About {needed} examples would show a difference of this size." if needed > len(examples) else ""
