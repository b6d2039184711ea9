"""Answers that are one of a few labels: accuracy, macro F1, confusion. Pure; no numpy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from engine.results.metrics.words import normalised

OTHER = "(something else)"
"""What is counted for an answer that is none of the labels."""
MOST_LABELS = 50


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """How often each label was answered for each label wanted: `counts[wanted][answered]`, in the order of `labels`.

    The last column counts answers that are none of the labels. `macro_f1` is the mean of the labels' F1, rare ones
    counting as much as frequent ones.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    accuracy: float
    macro_f1: float


def label_of(text: str, labels: Sequence[str]) -> str:
    """The label that an answer gives: itself, or the only one that its words name. OTHER for none or several."""
    said = normalised(text)
    known = {normalised(label): label for label in labels}
    if said in known:
        return known[said]
    padded = f" {said} "
    named = [label for words, label in known.items() if words and f" {words} " in padded]
    # "not spam" names "spam" too: the longest that holds all others is meant.
    longest = max(named, key=len, default="")
    inside = all(normalised(each) in normalised(longest) for each in named)
    return longest if named and inside else OTHER


def labels_of(references: Sequence[str]) -> tuple[str, ...]:
    """The labels that references use, the most frequent first; empty when they are no labels."""
    counts = Counter(references)
    few = len(counts) <= min(MOST_LABELS, max(2, len(references) // 2))
    return tuple(label for label, _ in counts.most_common()) if few else ()


def confusion(answers: Sequence[str], references: Sequence[str], labels: Sequence[str]) -> Confusion:
    """Count what was answered for what; every reference is one of `labels`."""
    columns = [*labels, OTHER]
    seen = Counter((wanted, label_of(said, labels)) for said, wanted in zip(answers, references, strict=True))
    counts = tuple(tuple(seen[wanted, said] for said in columns) for wanted in labels)
    right = sum(seen[label, label] for label in labels)
    return Confusion(
        labels=tuple(labels),
        counts=counts,
        accuracy=right / len(references) if references else 0.0,
        macro_f1=sum(_f1(counts, i) for i in range(len(labels))) / len(labels) if labels else 0.0,
    )


def _f1(counts: Sequence[Sequence[int]], label: int) -> float:
    hit = counts[label][label]
    wanted, answered = sum(counts[label]), sum(row[label] for row in counts)
    return 2 * hit / (wanted + answered) if wanted + answered else 0.0
