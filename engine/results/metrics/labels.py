"""Answers that are one of a few labels: accuracy, macro F1, confusion. Pure; no numpy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from engine.results.metrics.words import normalised

OTHER = "(something else)"
"""What is counted for an answer that is none of the labels."""
MOST_LABELS = 50
"""Labels that a confusion shows; accuracy and F1 are of all."""
MISTAKES_SAID = 3
"""Confusions of one label with another that are put in words."""


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """How often each label was answered for each label wanted: `counts[wanted][answered]`, in the order of `labels`.

    Of more than fifty labels the most frequent are shown; `every` is their number (0 where that was not kept). The last
    column counts answers that are none of those shown. `accuracy` and `macro_f1` are of all labels; the latter is the
    mean of the labels' F1, rare ones counting as much as frequent ones.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    accuracy: float
    macro_f1: float
    every: int = 0

    def first(self, count: int) -> Confusion:
        """The same with `count` labels at most, the most frequent; other answers go to the last column."""
        if count >= len(self.labels):
            return self
        counts = tuple((*row[:count], sum(row[count:])) for row in self.counts[:count])
        every = max(self.every, len(self.labels))
        return msgspec.structs.replace(self, labels=self.labels[:count], counts=counts, every=every)

    @property
    def left_out(self) -> str:
        """How many labels are not shown, in a sentence; empty where all are."""
        if self.every <= len(self.labels):
            return ""
        return f"The {len(self.labels)} most frequent of {self.every} labels are shown."

    @property
    def in_words(self) -> str:
        """The labels most often taken for others, in a sentence."""
        heads = (*self.labels, OTHER)
        wrong = [
            (count, self.labels[wanted], heads[place])
            for wanted, counts in enumerate(self.counts)
            for place, count in enumerate(counts)
            if count and place != wanted
        ]
        if not wrong:
            return "Every label was answered rightly."
        most = sorted(wrong, reverse=True)[:MISTAKES_SAID]
        return f"Most often mistaken: {'; '.join(f'{a} for {b}, {_times(count)}' for count, a, b in most)}."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def labels_of(references: Sequence[str]) -> tuple[str, ...]:
    """The labels that references use, the most frequent first.

    What is the same words (“Spam”, “spam”) is one label, called as it is written most often.
    """
    spelled: dict[str, str] = {}
    totals: Counter[str] = Counter()
    for label, count in Counter(references).most_common():
        totals[normalised(label)] += count
        spelled.setdefault(normalised(label), label)
    return tuple(spelled[words] for words, _ in totals.most_common())


def repeated(labels: Sequence[str], references: Sequence[str]) -> bool:
    """Whether references share their labels; where nearly each is its own, nothing can be confused for another."""
    return 0 < len(labels) <= max(2, len(references) // 2)


def by_words(labels: Sequence[str]) -> dict[str, str]:
    """Labels by their words, as `label_of` looks them up."""
    return {normalised(label): label for label in labels}


def label_of(text: str, known: Mapping[str, str]) -> str:
    """The label that an answer gives: itself, or the only one that its words name. OTHER for none or several."""
    said = normalised(text)
    if said in known:
        return known[said]
    padded = f" {said} "
    named = [words for words in known if words and f" {words} " in padded]
    # "not spam" names "spam" too: the longest that holds all others is meant.
    longest = max(named, key=len, default="")
    inside = all(each in longest for each in named)
    return known[longest] if named and inside else OTHER


def confusion(answers: Sequence[str], references: Sequence[str], labels: Sequence[str]) -> Confusion:
    """Count what was answered for what; every reference is one of `labels`."""
    known = by_words(labels)
    pairs = [
        (known[normalised(wanted)], label_of(said, known)) for said, wanted in zip(answers, references, strict=True)
    ]
    shown = tuple(labels[:MOST_LABELS])
    seen = Counter((wanted, said if said in shown else OTHER) for wanted, said in pairs)
    return Confusion(
        labels=shown,
        counts=tuple(tuple(seen[wanted, said] for said in (*shown, OTHER)) for wanted in shown),
        accuracy=sum(wanted == said for wanted, said in pairs) / len(pairs) if pairs else 0.0,
        macro_f1=_macro_f1(pairs, labels),
        every=len(labels),
    )


def _macro_f1(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> float:
    hits = Counter(wanted for wanted, said in pairs if wanted == said)
    wanted, answered = Counter(wanted for wanted, _ in pairs), Counter(said for _, said in pairs)
    ones = [2 * hits[each] / (wanted[each] + answered[each]) if hits[each] else 0.0 for each in labels]
    return sum(ones) / len(ones) if ones else 0.0
