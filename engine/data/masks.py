"""From rendered text to tokens and trained flags, exactly: no token is half learned.

Where a token would reach over the border of what is learned (a line break that melts with the one before it), the text
is tokenised in pieces, as it is when the model answers: first the prompt, then the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.data.template import Refused, Rendered
from engine.data.tokenizer import ModelTokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding


class Tokens(msgspec.Struct, frozen=True):
    """Token ids and, for each, 1 where it is learned."""

    ids: list[int]
    trained: list[int]


def tokenise(rendered: Sequence[Rendered], tokenizer: ModelTokenizer) -> list[Tokens | Refused]:
    """Tokens of each text, or why its mask cannot be exact."""
    encodings = tokenizer.encode([each.text for each in rendered])
    return [_masked(text, encoding, tokenizer) for text, encoding in zip(rendered, encodings, strict=True)]


def _masked(rendered: Rendered, encoding: Encoding, tokenizer: ModelTokenizer) -> Tokens | Refused:
    flags = _flags(encoding.offsets, rendered.learned)
    if flags is not None:
        return Tokens(encoding.ids, flags)
    tokens = _in_pieces(rendered, tokenizer)
    if tokenizer.decode(tokens.ids) != tokenizer.decode(encoding.ids):
        return Refused("A token reaches over the border of the answer.")
    return tokens


def _flags(offsets: Sequence[tuple[int, int]], learned: Sequence[tuple[int, int]]) -> list[int] | None:
    """1 for each token inside a learned range; None when one reaches over a border."""
    flags = [0] * len(offsets)
    ranges = iter(learned)
    start, stop = next(ranges, (1 << 62, 1 << 62))
    for number, (first, last) in enumerate(offsets):
        while first >= stop and last > first:
            start, stop = next(ranges, (1 << 62, 1 << 62))
        if last <= start or first == last:
            continue
        if first < start or last > stop:
            return None
        flags[number] = 1
    return flags


def _in_pieces(rendered: Rendered, tokenizer: ModelTokenizer) -> Tokens:
    """The text cut at every border, each piece tokenised by itself."""
    pieces: list[tuple[str, int]] = []
    at = 0
    for start, stop in rendered.learned:
        pieces += [(rendered.text[at:start], 0), (rendered.text[start:stop], 1)]
        at = stop
    pieces.append((rendered.text[at:], 0))
    ids: list[int] = []
    trained: list[int] = []
    for encoding, (_, flag) in zip(tokenizer.encode([text for text, _ in pieces]), pieces, strict=True):
        ids += encoding.ids
        trained += [flag] * len(encoding.ids)
    return Tokens(ids, trained)
