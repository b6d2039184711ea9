"""Texts that are nearly the same, among millions: one-permutation MinHash with locality-sensitive hashing.

A text is the set of its runs of three words. Each run's hash falls into one of 64 bins, and the smallest of a bin
stands for it (Li, Owen, Zhang 2012); an empty bin borrows from another (Shrivastava 2017). Two texts agree in as many
bins as their sets overlap (Jaccard). Texts that agree in one of 16 bands of four bins are compared; `SIMILAR` of the
bins must agree. The chance that texts which overlap by 0.9 are compared at all is above 0.9999; the estimate has a
standard error of 0.05. Texts under `FEWEST` runs are left out: one other word changes too much of
them. 128 bytes a text.
Runs in a spawned process (numpy).
"""

from __future__ import annotations

import numpy
from numpy.typing import NDArray

from engine.data.words import Numbers, Places

BINS, BANDS = 64, 16
SIMILAR = 0.8
FEWEST = 8
COMPARED = 1 << 17
"""Pairs compared at a time."""
_EMPTY = numpy.uint32(0xFFFFFFFF)
_DONORS = numpy.stack([numpy.random.default_rng(bin).permutation(BINS) for bin in range(BINS)], axis=1)
"""In which order each bin (column) asks the others when it is empty."""


class Signatures:
    """What is kept of each text: a byte of each of 64 bins, and the keys of 16 bands."""

    def __init__(self) -> None:
        self._bins: list[NDArray[numpy.uint8]] = []
        self._bands: list[NDArray[numpy.uint32]] = []
        self._usable: list[NDArray[numpy.bool_]] = []

    def add(self, triples: Numbers, texts: Places, count: int) -> None:
        """Take in a batch of `count` texts by their runs of three words."""
        least = _least(triples, texts, count)
        usable = numpy.bincount(texts, minlength=count) >= FEWEST
        least[usable] = _filled(least[usable])
        keys = least.reshape(count, BANDS, BINS // BANDS).astype(numpy.uint64)
        mixed = numpy.zeros((count, BANDS), numpy.uint64)
        for column in range(BINS // BANDS):
            mixed = (mixed ^ keys[:, :, column]) * numpy.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> numpy.uint64(29)
        self._bands.append((mixed >> numpy.uint64(32)).astype(numpy.uint32))
        self._bins.append((least & numpy.uint32(255)).astype(numpy.uint8))
        self._usable.append(usable)

    def clusters(self, order: Places) -> Places:
        """For each text the number of its cluster: the least number of the texts in it (its own when it is alone).

        `order` is an order of the texts that does not depend on how they came; it makes the result independent too.
        """
        if not self._bins:
            return numpy.empty(0, numpy.int64)
        bins, usable = numpy.concatenate(self._bins), numpy.concatenate(self._usable)
        order = order[usable[order]]
        parents = numpy.arange(len(bins))
        for band in range(BANDS):
            keys = numpy.concatenate([each[:, band] for each in self._bands])
            for one, other in _candidates(keys, order):
                apart = parents[one] != parents[other]
                for at in range(0, int(apart.sum()), COMPARED):
                    few = slice(at, at + COMPARED)
                    _unite(parents, *_close(bins, one[apart][few], other[apart][few]))
        return parents


def _least(triples: Numbers, texts: Places, count: int) -> NDArray[numpy.uint32]:
    """The smallest hash in each bin of each text."""
    least = numpy.full(count * BINS, _EMPTY, numpy.uint32)
    places = texts * BINS + (triples >> numpy.uint64(58)).astype(numpy.int64)
    numpy.minimum.at(least, places, ((triples >> numpy.uint64(20)) & numpy.uint64(0xFFFFFFFE)).astype(numpy.uint32))
    return least.reshape(count, BINS)


def _filled(given: NDArray[numpy.uint32]) -> NDArray[numpy.uint32]:
    """Empty bins borrow from the first bin in their order that is not empty."""
    least = given.copy()
    rows, columns = numpy.nonzero(given == _EMPTY)
    for donors in _DONORS:
        if not len(rows):
            break
        found = given[rows, donors[columns]]
        least[rows, columns] = found
        still = found == _EMPTY
        rows, columns = rows[still], columns[still]
    return least


def _candidates(keys: NDArray[numpy.uint32], order: Places) -> list[tuple[Places, Places]]:
    """Pairs worth comparing: of texts with the same key, each with the first of them and with the one before."""
    placed = order[numpy.argsort(keys[order], kind="stable")]
    sorted_keys = keys[placed]
    same = numpy.flatnonzero(sorted_keys[1:] == sorted_keys[:-1]) + 1
    if not len(same):
        return []
    starts = numpy.ones(len(placed), bool)
    starts[same] = False
    first = numpy.maximum.accumulate(numpy.where(starts, numpy.arange(len(placed)), 0))[same]
    return [(placed[first], placed[same]), (placed[same - 1], placed[same])]


def _close(bins: NDArray[numpy.uint8], one: Places, other: Places) -> tuple[Places, Places]:
    """The pairs that are similar; one in 256 bytes agrees by chance."""
    agree = (bins[one] == bins[other]).mean(1)
    close = (agree - 1 / 256) / (1 - 1 / 256) >= SIMILAR
    return one[close], other[close]


def _unite(parents: Places, one: Places, other: Places) -> None:
    """Make each pair one cluster; a cluster's number is its least member."""
    while len(one):
        left, right = parents[one], parents[other]
        apart = left != right
        one, other, left, right = one[apart], other[apart], left[apart], right[apart]
        least = numpy.minimum(left, right)
        numpy.minimum.at(parents, left, least)
        numpy.minimum.at(parents, right, least)
        while True:
            above = parents[parents]
            if (above == parents).all():
                break
            parents[:] = above
