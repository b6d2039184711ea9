"""Scores of one answer against its reference. Pure; no numpy.

Exact match and token F1 as SQuAD's evaluation defines them (Rajpurkar et al. 2016, arXiv:1606.05250), except that
articles are kept: they are words like others in most languages.
"""

from __future__ import annotations

import unicodedata
from collections import Counter


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


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the share of said words that were wanted and of wanted words that were said: 0 to 1."""
    said, wanted = normalised(answer).split(), normalised(reference).split()
    if not said or not wanted:
        return float(said == wanted)
    common = sum((Counter(said) & Counter(wanted)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
