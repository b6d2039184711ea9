"""Scores of one answer against its reference by its words. Pure; no numpy.

Exact match and token F1 as SQuAD's evaluation defines them (Rajpurkar et al. 2016, arXiv:1606.05250), except that
articles are kept: they are words like others in most languages.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

RULES = (
    "Letters of the same meaning are made one (ﬁ is fi, full-width letters are plain ones).",
    "Capitals and small letters count as the same.",
    "Punctuation around a word does not count; inside a word it does (v1.2 is not v12).",
    "White space only parts words.",
)
"""What `normalised` does, for people."""


def normalised(text: str) -> str:
    """Case, punctuation at word ends and white space do not count: compared is what is said."""
    words = unicodedata.normalize("NFKC", text).casefold().split()
    return " ".join(word for word in (_bare(word) for word in words) if word)


def _bare(word: str) -> str:
    """The word without punctuation around it; a word of punctuation alone stays as it is (an answer may be “?”)."""
    return word.strip("".join({letter for letter in word if unicodedata.category(letter).startswith("P")})) or word


def exact_match(answer: str, reference: str) -> bool:
    """The same words in the same order."""
    return normalised(answer) == normalised(reference)


def token_precision(answer: str, reference: str) -> float:
    """The share of said words that were wanted: 0 to 1."""
    return _shares(answer, reference)[0]


def token_recall(answer: str, reference: str) -> float:
    """The share of wanted words that were said: 0 to 1."""
    return _shares(answer, reference)[1]


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of token precision and recall: 0 to 1."""
    precision, recall = _shares(answer, reference)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _shares(answer: str, reference: str) -> tuple[float, float]:
    said, wanted = normalised(answer).split(), normalised(reference).split()
    if not said or not wanted:
        same = float(said == wanted)
        return same, same
    common = sum((Counter(said) & Counter(wanted)).values())
    return common / len(said), common / len(wanted)


def length_ratio(answer: str, reference: str) -> float:
    """Words said for each word wanted; 1 is as long as the reference."""
    said, wanted = len(answer.split()), len(reference.split())
    return said / wanted if wanted else float(said + 1)


def length_fit(answer: str, reference: str) -> float:
    """How well the length fits, 0 to 1: half for an answer of half or of double the length."""
    ratio = length_ratio(answer, reference)
    return min(ratio, 1 / ratio) if ratio else 0.0
