"""Text out of a stream of token ids: whole characters only, each handed out once, and nothing from a stop word on."""

from __future__ import annotations

from collections.abc import Sequence
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


class StopWords:
    """Lets text through up to the first stop word. What may still become one waits for what comes next."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [each for each in words if each]
        self._waiting = ""
        self.met = False

    def push(self, text: str) -> str:
        """The text that is certain to stand before any stop word."""
        if self.met:
            return ""
        text = self._waiting + text
        first = min((place for word in self._words if (place := text.find(word)) >= 0), default=-1)
        if first >= 0:
            self.met, self._waiting = True, ""
            return text[:first]
        held = max((_begun(text, word) for word in self._words), default=0)
        self._waiting = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> str:
        """What waited, at the end of the answer."""
        waiting, self._waiting = self._waiting, ""
        return waiting


def _begun(text: str, word: str) -> int:
    """How many letters at the end of a text may be the beginning of a word."""
    return next((count for count in range(min(len(text), len(word) - 1), 0, -1) if text.endswith(word[:count])), 0)
