"""Finding things by a few of their letters, as editors do. Pure functions over text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
START, WORD, NEXT, FAR = 8.0, 6.0, 7.0, 0.05
"""Points for a letter at the very start, at the start of a word, right after the one before; lost per sign between."""


def score(query: str, text: str) -> float | None:
    """How well the letters of `query` are found in `text`, in their order; None when they are not all there.

    Letters side by side and at the starts of words count most; spaces in the query and the case of letters do not.
    """
    wanted = "".join(query.casefold().split())
    if not wanted:
        return 0.0
    folded = text.casefold()
    if not _pattern(wanted).search(folded):
        return None
    whole = folded.find(" ".join(query.casefold().split()))
    places = range(whole, whole + len(query.strip())) if whole >= 0 else _places(wanted, folded)
    return _points(folded, list(places))


_patterns: dict[str, re.Pattern[str]] = {}


def _pattern(wanted: str) -> re.Pattern[str]:
    """Any text with these letters in this order; the newest alone is kept."""
    if wanted not in _patterns:
        _patterns.clear()
        _patterns[wanted] = re.compile("[^\0]*?".join(re.escape(letter) for letter in wanted), re.DOTALL)
    return _patterns[wanted]


def _places(wanted: str, folded: str) -> list[int]:
    """Where each letter is found: at the start of a word if the rest still fits behind it, else at the next place."""
    places: list[int] = []
    at = 0
    for index, letter in enumerate(wanted):
        first = folded.index(letter, at)
        better = next(
            (place for place in _starts(folded, letter, first) if _fits(wanted[index + 1 :], folded, place)), first
        )
        beside = bool(places) and first == places[-1] + 1
        places.append(first if beside else better)
        at = places[-1] + 1
    return places


def _starts(folded: str, letter: str, at: int) -> Iterable[int]:
    while at >= 0:
        if _starts_word(folded, at):
            yield at
        at = folded.find(letter, at + 1)


def _fits(rest: str, folded: str, place: int) -> bool:
    for letter in rest:
        place = folded.find(letter, place + 1)
        if place < 0:
            return False
    return True


def _starts_word(folded: str, place: int) -> bool:
    return place == 0 or not folded[place - 1].isalnum()


def _points(folded: str, places: list[int]) -> float:
    total = 0.0
    before = -1
    for place in places:
        total += START if place == 0 else WORD if _starts_word(folded, place) else 1.0
        total += NEXT if place == before + 1 and before >= 0 else 0.0
        total -= FAR * (place - before - 1)
        before = place
    return total - FAR * len(folded) / 10


def best(query: str, things: Iterable[T], words: Callable[[T], str], limit: int) -> list[T]:
    """The things that fit best, the best first; those that fit equally stay in their order."""
    found = [(points, thing) for thing in things if (points := score(query, words(thing))) is not None]
    found.sort(key=lambda each: -each[0])
    return [thing for _, thing in found[:limit]]
