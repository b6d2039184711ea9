"""A model's tokenizer as a GGUF file holds it: tokens, their kinds and scores, merges, special tokens, template."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
from gguf import GGUFWriter, TokenType

from engine.spec.exits import Exit
from engine.spec.exports import Probe, Prompting
from engine.spec.vocabulary import Reading, Unreadable, reading_of
from engine.worker.fault import Fault

MODELS = {"bytes": "gpt2", "pieces": "llama", "unigram": "t5"}
"""llama.cpp's names: byte-level BPE, SentencePiece's BPE, and unigram."""


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by id with their kinds and scores (higher is joined first), merges, and the special tokens' ids."""

    reading: Reading
    tokens: list[str]
    kinds: list[int]
    scores: list[float]
    merges: list[str]
    specials: dict[str, int]


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The tokenizer in a model's folder, filled up to the model's `size`. Raises Fault."""
    data = (folder / "tokenizer.json").read_bytes()
    try:
        reading = reading_of(data)
    except Unreadable as error:
        raise refused(str(error)) from error
    whole = json.loads(data)
    model, added = whole["model"], whole.get("added_tokens", [])
    pieces = _pieces(model)
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds, scores = [int(TokenType.UNUSED)] * size, [-10_000.0] * size
    for text, (number, score) in pieces.items():
        tokens[number], kinds[number], scores[number] = text, int(TokenType.NORMAL), score
    if reading.kind == "pieces":
        for value in range(256):
            if (number := pieces.get(f"<0x{value:02X}>", (None, 0.0))[0]) is not None:
                kinds[number] = int(TokenType.BYTE)
    if (unknown := _unknown(model, pieces)) is not None:
        kinds[unknown] = int(TokenType.UNKNOWN)
    for token in added:
        number = token["id"]
        tokens[number] = token["content"]
        if kinds[number] != TokenType.UNKNOWN:
            kinds[number] = int(TokenType.CONTROL if token["special"] else TokenType.USER_DEFINED)
    merges = [" ".join(each) if isinstance(each, list) else each for each in model.get("merges", [])]
    specials = _special_ids(folder, tokens)
    if unknown is not None:
        specials.setdefault("unk", unknown)
    return Vocabulary(
        reading=reading,
        tokens=tokens,
        kinds=kinds,
        scores=scores,
        merges=merges,
        specials=specials,
    )


def _pieces(model: dict[str, Any]) -> dict[str, tuple[int, float]]:
    """Every token of the model with its id and score. What a merge makes scores by the merge's rank."""
    if model["type"] == "Unigram":
        return {text: (number, score) for number, (text, score) in enumerate(model["vocab"])}
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(model["merges"]):
        left, right = merge if isinstance(merge, list) else merge.split(" ", 1)
        ranks.setdefault(left + right, rank)
    last = len(model["merges"])
    return {text: (number, -float(ranks.get(text, last))) for text, number in model["vocab"].items()}


def _unknown(model: dict[str, Any], pieces: dict[str, tuple[int, float]]) -> int | None:
    if model["type"] == "Unigram":
        return model.get("unk_id")
    return pieces[model["unk_token"]][0] if model.get("unk_token") in pieces else None


def _special_ids(folder: Path, tokens: list[str]) -> dict[str, int]:
    """The ids of bos, unk and pad, as the tokenizer's settings name them."""
    named: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).exists():
            named |= json.loads((folder / name).read_bytes())
    ids = {text: number for number, text in enumerate(tokens)}
    found = {}
    for name in ("bos", "unk", "pad"):
        value = named.get(f"{name}_token")
        text = value.get("content") if isinstance(value, dict) else value
        if text in ids:
            found[name] = ids[text]
    return found


def prefixed(known: Vocabulary, probes: tuple[Probe, ...]) -> bool:
    """Whether llama.cpp shall put a space before each stretch of text. Raises Fault when it could not do as trained."""
    special = [number for number, kind in enumerate(known.kinds) if kind in (TokenType.CONTROL, TokenType.UNKNOWN)]
    if known.reading.prefix == "first":
        if not all(probe.tokens and probe.tokens[0] in special for probe in probes):
            raise refused(
                "it puts a space before the first word only, and llama.cpp before each stretch of text or none"
            )
        return False
    if known.reading.prefix == "missing":
        between = "|".join(re.escape(known.tokens[number]) for number in special) or "$"
        if any(stretch.startswith(" ") for probe in probes for stretch in re.split(between, probe.text)):
            raise refused(
                "its prompts have stretches that begin with a space, before which llama.cpp would put another"
            )
    return known.reading.prefix != "none"


def write_vocabulary(writer: GGUFWriter, known: Vocabulary, prompting: Prompting, probes: tuple[Probe, ...]) -> None:
    """Tokens, special tokens and template. Nothing is added to a prompt but what training saw."""
    writer.add_tokenizer_model(MODELS[known.reading.kind])
    writer.add_tokenizer_pre(known.reading.pre)
    writer.add_token_list(known.tokens)
    writer.add_token_types(known.kinds)
    if known.reading.kind == "bytes":
        writer.add_token_merges(known.merges)
    else:
        writer.add_token_scores(known.scores)
        writer.add_add_space_prefix(prefixed(known, probes))
    if known.reading.kind == "unigram":
        writer.add_remove_extra_whitespaces(False)
    _write_specials(writer, known.specials, prompting)
    if prompting.template:
        writer.add_chat_template(prompting.template)


def _write_specials(writer: GGUFWriter, specials: dict[str, int], prompting: Prompting) -> None:
    """The end token is the one that training wrote after each answer; the model's own comes second."""
    if "bos" in specials:
        writer.add_bos_token_id(specials["bos"])
    writer.add_eos_token_id(prompting.end_tokens[0])
    if len(prompting.end_tokens) > 1:
        writer.add_eot_token_id(prompting.end_tokens[1])
    if "unk" in specials:
        writer.add_unk_token_id(specials["unk"])
    if "pad" in specials:
        writer.add_pad_token_id(specials["pad"])
    writer.add_add_bos_token(prompting.adds_bos)
    writer.add_add_eos_token(False)


def refused(why: str) -> Fault:
    """The card for a tokenizer that llama.cpp would read otherwise."""
    return Fault(
        Exit.BAD_MODEL,
        "This model cannot be made a GGUF file.",
        f"Its tokenizer would be read otherwise by llama.cpp: {why}.",
        "Export it as a merged model, which transformers reads.",
        "Or train another model of the families that GGUF supports.",
    )
