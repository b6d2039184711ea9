"""Texts that are nearly the same, among millions: one-permutation MinHash with locality-sensitive hashing.

A text is the set of its runs of three words. Each run's hash falls into one of 64 bins, and the smallest of a bin
stands for it (Li, Owen, Zhang 2012); an empty bin borrows from another (Shrivastava 2017). Two texts agree in as many
bins as their sets overlap (Jaccard). Texts that agree in one of 16 bands of four bins are compared; `SIMILAR` of the
bins must agree. The chance that texts which overlap by 0.9 are compared at all is above 0.9999; the estimate has a
standard error of 0.05. Texts under `FEWEST` runs are left out: one other word changes too much of
them. 128 bytes a text, in temporary files where they are many. Runs in a spawned process (numpy).
"""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import SpooledTemporaryFile

import numpy
from numpy.typing import NDArray

from engine.core.errors import from_os
from engine.data.words import Numbers, Places

BINS, BANDS = 64, 16
SIMILAR = 0.8
FEWEST = 8
COMPARED = 1 << 17
"""Pairs compared at a time."""
IN_MEMORY = 1 << 27
"""Bytes that are kept in memory before they go to temporary files."""
_EMPTY = numpy.uint32(0xFFFFFFFF)
_DONORS = numpy.stack([numpy.random.default_rng(bin).permutation(BINS) for bin in range(BINS)], axis=1)
"""In which order each bin (column) asks the others when it is empty."""


class Signatures:
    """What is kept of each text: a byte of each of 64 bins, and the keys of 16 bands."""

    def __init__(self) -> None:
        self._files = ExitStack()
        self._bins, *self._bands = (
            self._files.enter_context(SpooledTemporaryFile(IN_MEMORY // (1 + BANDS)))  # noqa: SIM115
            for _ in range(1 + BANDS)
        )
        self._usable: list[NDArray[numpy.bool_]] = []

    def add(self, triples: Numbers, texts: Places, count: int) -> None:
        """Take in a batch of `count` texts by their runs of three words. Raises StorageError."""
        least = _least(triples, texts, count)
        usable = numpy.bincount(texts, minlength=count) >= FEWEST
        least[usable] = _filled(least[usable])
        keys = least.reshape(count, BANDS, BINS // BANDS).astype(numpy.uint64)
        mixed = numpy.zeros((count, BANDS), numpy.uint64)
        for column in range(BINS // BANDS):
            mixed = (mixed ^ keys[:, :, column]) * numpy.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> numpy.uint64(29)
        self._usable.append(usable)
        try:
            self._bins.write((least & numpy.uint32(255)).astype(numpy.uint8).tobytes())
            for number, band in enumerate(self._bands):
                band.write((mixed[:, number] >> numpy.uint64(32)).astype(numpy.uint32).tobytes())
        except OSError as error:
            raise from_os(error, "looking for rows that are nearly the same") from error

    def clusters(self, order: Places) -> Places:
        """For each text the number of its cluster: the least number of the texts in it (its own when it is alone).

        `order` is an order of the texts that does not depend on how they came; it makes the result independent too.
        Asked once: what was kept is let go.
        """
        usable = numpy.concatenate(self._usable or [numpy.empty(0, bool)])
        order = order[usable[order]]
        parents = numpy.arange(len(usable))
        with self._files:
            for band in self._bands:
                band.seek(0)
                for one, other in _candidates(numpy.frombuffer(band.read(), numpy.uint32), order):
                    apart = numpy.flatnonzero(parents[one] != parents[other])
                    for at in range(0, len(apart), COMPARED):
                        few = apart[at : at + COMPARED]
                        _unite(parents, *self._close(one[few], other[few]))
        return parents

    def _close(self, one: Places, other: Places) -> tuple[Places, Places]:
        """The pairs that are similar; one in 256 bytes agrees by chance."""
        texts, places = numpy.unique(numpy.concatenate([one, other]), return_inverse=True)
        bins = self._bins_of(texts)[places].reshape(2, len(one), BINS)
        agree = (bins[0] == bins[1]).mean(1)
        close = (agree - 1 / 256) / (1 - 1 / 256) >= SIMILAR
        return one[close], other[close]

    def _bins_of(self, texts: Places) -> NDArray[numpy.uint8]:
        """The bins of these texts, a row each."""
        found = bytearray()
        for text in texts.tolist():
            self._bins.seek(text * BINS)
            found += self._bins.read(BINS)
        return numpy.frombuffer(found, numpy.uint8).reshape(len(texts), BINS)


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
    first = numpy.maximum.accumulate(numpy.where(starts, numpy.arange(len(placed), dtype=numpy.uint32), 0))[same]
    return [(placed[first], placed[same]), (placed[same - 1], placed[same])]


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
