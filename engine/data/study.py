"""A batch of rows looked at closely, by numpy where it is about every character. Runs beside the reading of the file.

Knows texts and marks, nothing of files or splits.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

import msgspec
import numpy
from numpy.typing import NDArray

from engine.data.marks import MARKS
from engine.data.personal import SECRET_HEADS, SECRET_WORDS, personal_in, secrets_in
from engine.data.repair import is_damaged
from engine.data.tally import estimated_tokens
from engine.data.words import (
    Batch,
    Numbers,
    Places,
    Wanted,
    Words,
    batch_of,
    bytes_in,
    digits_in,
    phrase_hash,
    triples_of,
    word_hash,
    words_of,
)

Flags = NDArray[numpy.uint32]
FEWEST_DIGITS = 8
SAID = re.compile(r"[^\W_]+")


class Studied(NamedTuple):
    """Of each text of a batch: its marks, the tokens it has by estimate, and its runs of three words."""

    flags: Flags
    tokens: NDArray[numpy.int64]
    triples: Numbers
    texts: Places


class _Phrases(msgspec.Struct, frozen=True):
    refusal: tuple[str, ...]
    boilerplate: tuple[str, ...]


def study(texts: list[str], answers_from: list[int]) -> Studied:
    """Look at every text; an answer begins where `answers_from` says (characters), refusals count only in answers."""
    batch = batch_of(texts)
    words = words_of(batch)
    triples, owners = triples_of(words)
    flags = numpy.zeros(len(texts), numpy.uint32)
    _mark_personal(flags, batch, words, texts)
    _mark_phrases(flags, triples, owners, texts, answers_from)
    size, wide = bytes_in(batch)
    for place in numpy.flatnonzero(wide):
        if is_damaged(texts[place]):
            flags[place] |= MARKS["encoding_damage"].mask
    return Studied(flags, estimated_tokens(size, wide), triples, owners)


def _mark_personal(flags: Flags, batch: Batch, words: Words, texts: list[str]) -> None:
    numbered = digits_in(batch) >= FEWEST_DIGITS
    for place, text in enumerate(texts):
        numbers = bool(numbered[place])
        if (numbers or "@" in text) and any(personal_in(text, numbers=numbers)):
            flags[place] |= MARKS["personal_data"].mask
    for place in _maybe_secret(words, texts):
        if any(secrets_in(texts[place])):
            flags[place] |= MARKS["secrets"].mask


def _maybe_secret(words: Words, texts: list[str]) -> list[int]:
    """Texts with a word that keys begin with, or a private key block."""
    exact, heads = _secret_hashes()
    places = exact.within(words.hashes)
    headed = numpy.flatnonzero(numpy.isin((words.heads & numpy.uint64(0xFFFFFFFF)).astype(numpy.uint32), heads))
    found = numpy.searchsorted(words.bounds, numpy.concatenate([places, headed]), "right") - 1
    return sorted({*found.tolist(), *(number for number, text in enumerate(texts) if "-----BEGIN " in text)})


@cache
def _secret_hashes() -> tuple[Wanted, NDArray[numpy.uint32]]:
    heads = [int.from_bytes(each.encode(), "little") for each in SECRET_HEADS]
    return Wanted([word_hash(each) for each in SECRET_WORDS]), numpy.array(heads, numpy.uint32)


def _mark_phrases(flags: Flags, triples: Numbers, owners: Places, texts: list[str], answers_from: list[int]) -> None:
    wanted, refusals, boilerplate = _phrases()
    for place in set(owners[wanted.within(triples)].tolist()):
        answer = " ".join(SAID.findall(texts[place][answers_from[place] :].lower()))
        whole = " ".join(SAID.findall(texts[place].lower()))
        if refusals.search(answer):
            flags[place] |= MARKS["refusals"].mask
        if boilerplate.search(whole):
            flags[place] |= MARKS["boilerplate"].mask


@cache
def _phrases() -> tuple[Wanted, re.Pattern[str], re.Pattern[str]]:
    """The first three words of every phrase, and both lists as patterns over words with single spaces."""
    data = (resources.files("assets") / "quality" / "phrases.json").read_bytes()
    phrases = msgspec.json.decode(data, type=_Phrases)
    spoken = [" ".join(SAID.findall(each)) for each in (*phrases.refusal, *phrases.boilerplate)]
    refusals, boilerplate = spoken[: len(phrases.refusal)], spoken[len(phrases.refusal) :]
    heads = [phrase_hash(" ".join(each.split()[:3])) for each in spoken]
    return Wanted(heads), re.compile(rf"\b(?:{'|'.join(refusals)})\b"), re.compile(rf"\b(?:{'|'.join(boilerplate)})\b")


@lru_cache(64)
def study_system(text: str) -> int:
    """The marks of a system text, which most rows share."""
    return int(study([text], [len(text)]).flags[0]) if text else 0
