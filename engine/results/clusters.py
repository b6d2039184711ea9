"""Examples grouped by what they are about, to see where a model goes wrong: k-means over the words of the questions.

numpy is imported inside: call it in a spawned process. The same texts always give the same groups.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.results.metrics.words import normalised

if TYPE_CHECKING:
    import numpy as np

MOST_CLUSTERS = 8
WORDS_OF_A_NAME = 3
VOCABULARY = 2_000
TURNS = 25


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """Some examples (by place) and the words that set them apart."""

    words: tuple[str, ...]
    examples: tuple[int, ...]


def clusters(texts: Sequence[str], *, seed: int = 0) -> tuple[Cluster, ...]:
    """The groups, the largest first; one group of all where there are too few texts or too few words."""
    bags = [Counter(normalised(text).split()) for text in texts]
    vocabulary = _vocabulary(bags)
    count = min(MOST_CLUSTERS, round(math.sqrt(len(texts) / 4)))
    if count < 2 or len(vocabulary) < 2:
        return (Cluster(words=(), examples=tuple(range(len(texts)))),) if texts else ()
    table = _weights(bags, vocabulary)
    places = _k_means(table, count, seed)
    found = []
    for number in range(count):
        members = tuple(i for i, place in enumerate(places) if place == number)
        if members:
            found.append(Cluster(words=_words(table, members, vocabulary), examples=members))
    return tuple(sorted(found, key=lambda each: (-len(each.examples), each.examples)))


def _vocabulary(bags: Sequence[Counter[str]]) -> list[str]:
    """Words of more than one text and not of all: others part nothing."""
    texts = Counter(word for bag in bags for word in bag)
    parting = [(number, word) for word, number in texts.items() if 1 < number < len(bags)]
    return [word for _, word in sorted(parting, key=lambda each: (-each[0], each[1]))[:VOCABULARY]]


def _weights(bags: Sequence[Counter[str]], vocabulary: Sequence[str]) -> np.ndarray:
    """[texts, words]: how telling each word is for each text (tf-idf), every text of length 1."""
    import numpy as np

    column = {word: place for place, word in enumerate(vocabulary)}
    table = np.zeros((len(bags), len(vocabulary)))
    for row, bag in enumerate(bags):
        for word, number in bag.items():
            if word in column:
                table[row, column[word]] = 1 + math.log(number)
    table *= np.log(len(bags) / (table > 0).sum(axis=0))
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)


def _k_means(table: np.ndarray, count: int, seed: int) -> list[int]:
    """The group of each row (Lloyd 1982), begun with rows far from each other (Arthur and Vassilvitskii 2007)."""
    import numpy as np

    dice = np.random.default_rng(seed)
    centres = table[[int(dice.integers(len(table)))]]
    while len(centres) < count:
        nearest = (2 - 2 * table @ centres.T).min(axis=1).clip(min=0)
        chances = nearest / nearest.sum() if nearest.sum() > 0 else None
        centres = np.concatenate([centres, table[[int(dice.choice(len(table), p=chances))]]])
    places = np.zeros(len(table), dtype=int)
    for turn in range(TURNS):
        nearer = ((centres**2).sum(axis=1) - 2 * table @ centres.T).argmin(axis=1)
        if turn and (nearer == places).all():
            break
        places = nearer
        centres = np.stack(
            [table[places == i].mean(axis=0) if (places == i).any() else centres[i] for i in range(count)]
        )
    return [int(place) for place in places]


def _words(table: np.ndarray, members: Sequence[int], vocabulary: Sequence[str]) -> tuple[str, ...]:
    """The words that these texts have more of than the others."""
    more = table[list(members)].mean(axis=0) - table.mean(axis=0)
    best = sorted(range(len(vocabulary)), key=lambda i: (-more[i], vocabulary[i]))[:WORDS_OF_A_NAME]
    return tuple(vocabulary[i] for i in best if more[i] > 0)
