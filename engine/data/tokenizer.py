"""A model's own tokenizer and its special tokens, read from the model's folder without transformers.

Runs in a spawned process: `tokenizers` is imported when a tokenizer is loaded. Knows nothing of templates or rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.core.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

T = TypeVar("T")


class _Token(msgspec.Struct):
    content: str


class _Named(msgspec.Struct):
    name: str
    template: str


_Special = str | _Token | None


class TokenizerConfig(msgspec.Struct):
    """What is needed of `tokenizer_config.json` (and, in older models, of `special_tokens_map.json`)."""

    bos_token: _Special = None
    eos_token: _Special = None
    unk_token: _Special = None
    sep_token: _Special = None
    pad_token: _Special = None
    cls_token: _Special = None
    mask_token: _Special = None
    chat_template: str | list[_Named] | None = None

    def specials(self) -> dict[str, str]:
        """The special tokens by name, those that are set; a template may use them."""
        pairs = ((name, getattr(self, name)) for name in SPECIALS)
        return {name: each.content if isinstance(each, _Token) else each for name, each in pairs if each}


SPECIALS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class _ModelConfig(msgspec.Struct):
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    vocab_size: int | None = None

    @property
    def ends(self) -> list[int]:
        ids = self.eos_token_id
        return [] if ids is None else [ids] if isinstance(ids, int) else ids


class ModelTokenizer:
    """A tokenizer with the ids that end, begin and pad a text. Offsets cover every character, spaces too."""

    def __init__(self, folder: Path) -> None:
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise _missing(folder)
        self.hash = hashlib.sha256(file.read_bytes()).hexdigest()
        self.config = read_tokenizer_config(folder)
        self._model = _read(folder / "config.json", _ModelConfig)
        self._tokenizer = _load(file)
        self.adds_bos = self._begins_with_bos()
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.post_processor = None  # it would take leading spaces out of the offsets
        added = self._tokenizer.get_added_tokens_decoder()
        self.added = {token.content: number for number, token in added.items()}
        self.vocabulary = max(self._tokenizer.get_vocab_size(with_added_tokens=True), max(added, default=-1) + 1)
        self._check_vocabulary(folder)

    def _begins_with_bos(self) -> bool:
        bos = self.token_id("bos_token")
        return bos is not None and bos in self._tokenizer.encode("").ids

    def _check_vocabulary(self, folder: Path) -> None:
        known = self._model.vocab_size
        if known is not None and self.vocabulary > known:
            raise ModelError(
                f"The tokenizer of {folder.name} does not belong to its model.",
                f"It has {self.vocabulary:,} tokens, and the model knows {known:,}.",
                "Download the model again, with all its files.",
                "Choose another model.",
            )

    @property
    def own(self) -> Tokenizer:
        """The tokenizer itself, for decoding a stream of ids."""
        return self._tokenizer

    def token_id(self, name: str) -> int | None:
        """The id of a special token by its name (eos_token, …); None when the model has none."""
        text = self.config.specials().get(name)
        return self._tokenizer.token_to_id(text) if text else None

    @property
    def end_of_text(self) -> int | None:
        """The id that ends a text."""
        own = self.token_id("eos_token")
        return own if own is not None else next(iter(self._model.ends), None)

    @property
    def pad(self) -> int:
        """The id that fills up a batch; it is never learned from."""
        named = self.token_id("pad_token")
        for each in (named, self._model.pad_token_id, self.end_of_text):
            if each is not None and each >= 0:
                return each
        return 0

    def text_of(self, token: int) -> str:
        """The text that a special token is written as."""
        return self._tokenizer.id_to_token(token) or ""

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokens of each text with their places in it; nothing is added."""
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, special ones included."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)


def read_tokenizer_config(folder: Path) -> TokenizerConfig:
    """`tokenizer_config.json`, with what only `special_tokens_map.json` says."""
    own = _read(folder / "tokenizer_config.json", TokenizerConfig)
    other = _read(folder / "special_tokens_map.json", TokenizerConfig)
    missing = {name: getattr(other, name) for name in SPECIALS if getattr(own, name) is None}
    return msgspec.structs.replace(own, **missing)


def _read(path: Path, kind: type[T]) -> T:
    """A JSON file of the model; with none, everything at its default."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"{path.name} of the model {path.parent.name} cannot be read.",
            f"Its content is not what it should be: {error}.",
            "Download the model again.",
            "Choose another model.",
        ) from error


def _load(file: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:
        raise ModelError(
            f"The tokenizer of {file.parent.name} cannot be read.",
            f"tokenizer.json is damaged or of a newer kind: {error}.",
            "Download the model again.",
            "Choose another model.",
        ) from error


def _missing(folder: Path) -> ModelError:
    return ModelError(
        f"The model {folder.name} has no tokenizer.json.",
        "Without it text cannot be turned into tokens. Older models have other tokenizer files that must be converted.",
        "Download the model again, with all its files.",
        "Choose another model.",
    )
