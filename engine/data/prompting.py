"""Prompts for answering: messages as the model's own template writes them, up to where its answer begins.

The same template, tokenizer and frozen date that training data is rendered with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import DataError
from engine.data.nouns import Message
from engine.data.prepare import end_tokens
from engine.data.template import ChatTemplate, Refused, template_source
from engine.data.tokenizer import ModelTokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Prompter:
    """A model's template and tokenizer, ready to render. Raises ModelError when one of them cannot be used."""

    def __init__(self, model_folder: Path) -> None:
        self._tokenizer = ModelTokenizer(model_folder)
        self._template = ChatTemplate(template_source(model_folder), self._tokenizer)
        self.end_tokens = end_tokens(self._tokenizer, self._template)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer itself, for decoding a stream."""
        return self._tokenizer.own

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation and the opening of the next answer. Raises DataError."""
        try:
            text = self._template.render(messages, add_generation_prompt=True)
        except Refused as error:
            raise DataError(
                "The model's chat template does not accept this conversation.",
                str(error),
                "Start with a user message and let the roles alternate.",
            ) from error
        return list(self._tokenizer.encode([text])[0].ids)
