"""Text out of a stream of token ids: whole characters only, each handed out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TextStream:
    """Decodes growing ids. A character whose bytes are not all there yet waits for the next token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._given = 0

    def push(self, ids: list[int]) -> str:
        """The text that became certain with these ids."""
        self._ids += ids
        text = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        certain = text.rstrip("\ufffd")
        new = certain[self._given :]
        self._given = max(self._given, len(certain))
        return new
