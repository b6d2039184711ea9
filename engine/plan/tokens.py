"""What a model folder says about its tokenizer: whether a chat template, an end token and a padding token are there.

Nothing is missing that data preparation cannot replace; what it will do instead is said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.data.nouns import Finding


class TokenizerConfig(msgspec.Struct, frozen=True):
    """The parts of `tokenizer_config.json` that planning looks at. Tokens are texts or descriptions of tokens."""

    chat_template: str | list[object] | None = None
    eos_token: str | dict[str, object] | None = None
    pad_token: str | dict[str, object] | None = None


def read_tokenizer_config(folder: Path) -> TokenizerConfig | None:
    """What the folder says of its tokenizer; None when it says nothing that can be read."""
    try:
        return msgspec.json.decode((folder / "tokenizer_config.json").read_bytes(), type=TokenizerConfig)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def has_template(folder: Path) -> bool:
    """Whether the model comes with a chat template, in either of its two places."""
    found = read_tokenizer_config(folder)
    return (folder / "chat_template.jinja").is_file() or (found is not None and found.chat_template is not None)


def tokenizer_findings(folder: Path) -> Iterator[Finding]:
    """What is missing of the tokenizer, and what stands in for it."""
    found = read_tokenizer_config(folder)
    if not has_template(folder):
        yield Finding(
            level="info",
            what="The model has no chat template.",
            why="It was not made for conversations; turns are marked with the words User: and Assistant: instead.",
            fix="Nothing needs to be done; the preview shows how your rows are written.",
        )
    if found is None:
        return
    if found.eos_token is None:
        yield Finding(
            level="info",
            what="The tokenizer names no token that ends a text.",
            why="The model would not learn where to stop; the end token of config.json is used instead.",
            fix="If config.json has none either, name an eos_token in tokenizer_config.json.",
        )
    elif found.pad_token is None:
        yield Finding(
            level="info",
            what="The tokenizer names no padding token.",
            why="Rows are filled up with the end token instead; filled places are never learned from.",
            fix="Nothing needs to be done.",
        )
