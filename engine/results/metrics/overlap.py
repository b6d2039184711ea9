"""Overlap of an answer with its reference: BLEU and chrF by sacrebleu, ROUGE-L by its longest common sequence.

sacrebleu is imported inside: call these in a spawned process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

WORD = re.compile(r"[^\W_]+")


@cache
def _of_sentences(name: Literal["bleu", "chrf"]) -> BLEU | CHRF:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    # Of a short answer only the word sequences count that it is long enough to have.
    return BLEU(effective_order=True) if name == "bleu" else CHRF()


def bleu(answer: str, reference: str) -> float:
    """One answer's BLEU, 0 to 1 (Papineni et al. 2002; smoothed, as sacrebleu's `sentence_bleu`)."""
    return _of_sentences("bleu").sentence_score(answer, [reference]).score / 100


def chrf(answer: str, reference: str) -> float:
    """One answer's chrF, 0 to 1: overlap of sequences of up to six letters (Popović 2015)."""
    return _of_sentences("chrf").sentence_score(answer, [reference]).score / 100


def corpus_bleu(answers: Sequence[str], references: Sequence[str]) -> float:
    """BLEU over all answers at once, 0 to 1: what papers report; not the mean of single scores."""
    from sacrebleu import corpus_bleu as score

    return score(answers, [references]).score / 100


def corpus_chrf(answers: Sequence[str], references: Sequence[str]) -> float:
    """chrF over all answers at once, 0 to 1."""
    from sacrebleu import corpus_chrf as score

    return score(answers, [references]).score / 100


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L, 0 to 1: F1 of the longest sequence of words that both have in this order (Lin 2004); no stemming."""
    said, wanted = WORD.findall(answer.lower()), WORD.findall(reference.lower())
    if not said or not wanted:
        return 0.0
    common = longest_common(said, wanted)
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest sequence that both have in this order, not necessarily side by side.

    A row of the table is held in the bits of one number (Hyyrö 2004), so that a thousand words take a millisecond.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(first)) - 1
    row = every
    for word in second:
        found = row & places.get(word, 0)
        row = (row + found | row - found) & every
    return len(first) - row.bit_count()
