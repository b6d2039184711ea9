"""A batch of texts as numbers: the hash of every word and of every three words in a row. Runs in a spawned process.

Case and punctuation do not count. Characters of scripts that leave no space between words (from U+3000 on) stand for
themselves. Everything is done by numpy over the bytes of the whole batch, about 60 million words a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

Bytes = NDArray[numpy.uint8]
Numbers = NDArray[numpy.uint64]
Places = NDArray[numpy.int64]

FIRST_WIDE = 0xE3
"""The first byte of the characters from U+3000 on, in UTF-8."""
_LOWER = numpy.array(
    [0 if value < 128 and not chr(value).isalnum() else ord(chr(value).lower()) if value < 128 else value
     for value in range(256)],
    dtype=numpy.uint8,
)  # fmt: skip
_MASKS = numpy.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=numpy.uint64)
_ONE, _TWO, _THREE = (numpy.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


class Words(NamedTuple):
    """The words of a batch: each word's hash, its first eight bytes, and where each text's words begin and end."""

    hashes: Numbers
    heads: Numbers
    bounds: Places


class Batch(NamedTuple):
    """Texts as bytes: text `n` lies from `bounds[n]` to `bounds[n + 1] - 1`, a zero byte after it."""

    data: bytes
    bounds: Places

    @property
    def size(self) -> int:
        """How many texts there are."""
        return len(self.bounds) - 1


def batch_of(texts: Sequence[str]) -> Batch:
    """The texts as UTF-8, one after the other."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    bounds = numpy.zeros(len(texts) + 1, numpy.int64)
    numpy.cumsum([len(each) + 1 for each in encoded], out=bounds[1:])
    return Batch(b"\0".join([*encoded, b"\0" * 16]), bounds)


def words_of(batch: Batch) -> Words:
    """Every word of every text."""
    lower = _LOWER[numpy.frombuffer(batch.data, numpy.uint8)]
    _blank_punctuation(lower)
    inside = lower != 0
    begins = inside.copy()
    begins[1:] &= ~inside[:-1] | (lower[1:] >= FIRST_WIDE)
    ends = inside[:-1] & (~inside[1:] | begins[1:])
    starts, lasts = numpy.flatnonzero(begins), numpy.flatnonzero(ends)
    lengths = lasts - starts + 1
    heads = _eight(lower, starts) & _MASKS[numpy.minimum(lengths, 8)]
    hashes = heads.copy()
    long = numpy.flatnonzero(lengths > 8)
    hashes[long] ^= _eight(lower, lasts[long] - 7) * _TWO + lengths[long].astype(numpy.uint64)
    return Words(_mixed(hashes), heads, numpy.searchsorted(starts, batch.bounds))


def _blank_punctuation(lower: Bytes) -> None:
    """Typographic punctuation and spaces (U+0080 to U+00BF, U+2000 to U+207F) part words too."""
    general = numpy.flatnonzero(lower[:-2] == 0xE2)
    general = general[(lower[general + 1] & 0xFE) == 0x80]
    latin = numpy.flatnonzero(lower[:-1] == 0xC2)
    for places in (general, general + 1, general + 2, latin, latin + 1):
        lower[places] = 0


def _eight(data: Bytes, places: Places) -> Numbers:
    """The eight bytes from each place on, as one number."""
    windows = numpy.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
    return windows[places]


def _mixed(hashes: Numbers) -> Numbers:
    hashes = (hashes ^ (hashes >> numpy.uint64(32))) * _ONE
    return hashes ^ (hashes >> numpy.uint64(29))


def triples_of(words: Words) -> tuple[Numbers, Places]:
    """The hash of every three words in a row, and the text each stands in."""
    hashes, counts = words.hashes, numpy.diff(words.bounds)
    texts = numpy.repeat(numpy.arange(len(counts)), counts)
    if len(hashes) < 3:
        return numpy.empty(0, numpy.uint64), numpy.empty(0, numpy.int64)
    triples = _mixed(hashes[:-2] * _ONE + hashes[1:-1] * _TWO + hashes[2:] * _THREE)
    whole = texts[:-2] == texts[2:]
    return triples[whole], texts[:-2][whole]


def digits_in(batch: Batch) -> Places:
    """How many ASCII digits each text has."""
    digits = (numpy.frombuffer(batch.data, numpy.uint8) - numpy.uint8(48)) < 10
    return _counted(digits, batch.bounds)


def bytes_in(batch: Batch) -> tuple[Places, Places]:
    """The bytes of each text, and how many of them are not ASCII."""
    wide = numpy.frombuffer(batch.data, numpy.uint8) >= 128
    return numpy.diff(batch.bounds) - 1, _counted(wide, batch.bounds)


def _counted(marked: NDArray[numpy.bool_], bounds: Places) -> Places:
    """How many places are marked between one bound and the next; quick where few are."""
    return numpy.diff(numpy.searchsorted(numpy.flatnonzero(marked), bounds))


def phrase_hash(words: str) -> int:
    """The hash of a phrase of three words, as `triples_of` makes it."""
    return int(triples_of(words_of(batch_of([words])))[0][0])


def word_hash(word: str) -> int:
    """The hash of a word, as `words_of` makes it."""
    return int(words_of(batch_of([word])).hashes[0])


class Wanted:
    """A set of hashes that a large array is searched for."""

    def __init__(self, hashes: Sequence[int]) -> None:
        self._hashes = numpy.array(sorted(hashes), dtype=numpy.uint64)
        self._bits = numpy.zeros(1 << 16, bool)
        self._bits[self._hashes >> numpy.uint64(48)] = True

    def within(self, hashes: Numbers) -> Places:
        """The places of wanted hashes."""
        likely = numpy.flatnonzero(self._bits[hashes >> numpy.uint64(48)])
        return likely[numpy.isin(hashes[likely], self._hashes)]
