"""What can be said of an answer without understanding it: how long it is, whether it repeats itself, why it ended.

Pure. The words of two answers are compared here as well.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import msgspec

from engine.serving.nouns import Reply

GRAM = 4
REPEATS = 0.2
"""Share of repeated runs of four words from which an answer is said to repeat itself."""
SHORTEST = 12
"""Words under which nothing is said about repetition."""
LONGEST_DIFF = 4000
"""Words of an answer up to which it is compared word by word; finding the way takes the square of them."""
_PIECES = re.compile(r"\s+|\w+|[^\w\s]")


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in numbers: `repetition` is the share of runs of four words that were said before, 0 to 1."""

    words: int
    repetition: float
    notes: tuple[str, ...]


class Span(msgspec.Struct, frozen=True):
    """A stretch of an answer; `own` says that the other answer has it not."""

    text: str
    own: bool


def signals(reply: Reply) -> Signals:
    """What is noticed about a reply, in words."""
    words = re.findall(r"\w+", reply.text.casefold())
    repetition = _repetition(words)
    return Signals(words=len(words), repetition=repetition, notes=tuple(_notes(reply, repetition)))


def _notes(reply: Reply, repetition: float) -> Iterator[str]:
    if reply.ended == "length":
        yield "cut off at its longest"
    if reply.ended == "stop":
        yield "ended at a stop word"
    if reply.ended == "stopped":
        yield "stopped by you"
    if reply.ended == "end" and not reply.text.strip():
        yield "said nothing"
    if repetition >= REPEATS:
        yield f"repeats itself ({repetition:.0%} of it)"
    if reply.forgotten:
        yield (
            f"did not read the first {reply.forgotten} turns" if reply.forgotten > 1 else "did not read the first turn"
        )


def _repetition(words: list[str]) -> float:
    if len(words) < SHORTEST:
        return 0.0
    grams = [tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams)


def differences(text: str, other: str) -> tuple[Span, ...]:
    """A text in stretches, those marked that are not in the other, word by word; together they are the text."""
    mine, theirs = _PIECES.findall(text), _PIECES.findall(other)
    if max(len(mine), len(theirs)) > LONGEST_DIFF:
        return (Span(text, False),) if text else ()
    spans: list[Span] = []
    for tag, start, end, _, _ in difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        words = "".join(mine[start:end])
        if words:
            spans.append(Span(words, tag != "equal" and bool(words.strip())))
    return tuple(spans)
