"""Which language a text is in, seen from its script and its commonest words. Light and certain rather than complete.

Scripts decide where one language owns them; languages that share a script are told apart by words that only a few of
them have (assets/quality/languages.json). Texts too short or too mixed to tell have no language: "".
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from math import sqrt

import msgspec

READ = 600
FEWEST_HITS = 2.0
MARGIN = 1.5
_WORD = re.compile(r"[^\W\d_]+")
Z95 = 1.959964


class _Facts(msgspec.Struct, frozen=True):
    scripts: dict[str, str]
    words: dict[str, str]
    names: dict[str, str]


@cache
def _facts() -> _Facts:
    data = (resources.files("assets") / "quality" / "languages.json").read_bytes()
    return msgspec.json.decode(data, type=_Facts)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((language, re.compile(f"[{ranges}]")) for language, ranges in _facts().scripts.items())


@cache
def _weights() -> dict[str, tuple[tuple[str, float], ...]]:
    """Each word with the languages that use it; a word of several counts less."""
    owners: dict[str, list[str]] = {}
    for language, words in _facts().words.items():
        for word in words.split():
            owners.setdefault(word, []).append(language)
    return {word: tuple((each, 1 / len(found)) for each in found) for word, found in owners.items()}


def language_name(code: str) -> str:
    """The language in English words."""
    return _facts().names.get(code, code)


def language_of(text: str) -> str:
    """The code of the language (ISO 639-1), or "" when it cannot be told."""
    text = text[:READ]
    if not text.isascii() and (found := _by_script(text)):
        return found
    hits: dict[str, float] = {}
    weights = _weights()
    for word in _WORD.findall(text.lower()):
        for language, weight in weights.get(word, ()):
            hits[language] = hits.get(language, 0.0) + weight
    ranked = sorted(hits.items(), key=lambda each: each[1], reverse=True)[:2]
    if not ranked or ranked[0][1] < FEWEST_HITS:
        return ""
    return ranked[0][0] if len(ranked) == 1 or ranked[0][1] >= MARGIN * ranked[1][1] else ""


def _by_script(text: str) -> str:
    """The language whose script most letters are of; Japanese has kana among its Chinese characters."""
    letters = sum(map(str.isalpha, text))
    for language, pattern in _patterns():
        share = 0.1 if language == "ja" else 0.3
        if len(pattern.findall(text)) > share * letters:
            return language
    return ""


def interval(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share seen in a sample (Wilson 1927)."""
    if not whole:
        return 0.0, 1.0
    share, square = part / whole, Z95 * Z95
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    width = Z95 * sqrt(share * (1 - share) / whole + square / (4 * whole * whole)) / (1 + square / whole)
    return (middle - width if part else 0.0), (middle + width if part < whole else 1.0)
