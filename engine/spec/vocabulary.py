"""A model's tokenizer.json as llama.cpp would read it, or why it cannot: judged from its structure alone.

llama.cpp has its own tokenizers, and a GGUF file only names one. Named here are those whose every step is the same
(llama.cpp: `src/llama-vocab.cpp`); anything else is refused, since a model given other tokens answers nonsense.
"""

from __future__ import annotations

import json
from typing import Literal

import msgspec

Json = dict[str, "Json | list[Json] | str | int | float | bool | None"]
LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD = r"[^\r\n\p{L}\p{N}]?"
LLAMA_3 = rf"{SHORT}|{LETTERS}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{REST}"
QWEN_2 = rf"{SHORT}|{LETTERS}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{REST}"
GPT_4O = (
    rf"{LEAD}{UPPER}*{LOWER}+{SHORT}?|{LEAD}{UPPER}+{LOWER}*{SHORT}?"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{REST}"
)
TEKKEN = rf"{LEAD}{UPPER}*{LOWER}+|{LEAD}{UPPER}+{LOWER}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{REST}"
SPLITS = {
    (LLAMA_3, True): "llama-bpe",
    (LLAMA_3, False): "dbrx",
    (QWEN_2, False): "qwen2",
    (GPT_4O, False): "gpt-4o",
    (TEKKEN, True): "tekken",
}
"""llama.cpp's name by the pattern that cuts words, and by whether whole words skip the merges."""
META = "▁"
PHI_3_KEEPING = {"<unk>", "<s>", "<|endoftext|>"}
"""The special tokens of Phi-3 after which llama.cpp keeps spaces."""
Kind = Literal["bytes", "pieces", "unigram"]
Prefix = Literal["each", "missing", "first", "none"]
"""Before which stretches of text between special tokens a space is put; `missing`: where none stands there yet."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How llama.cpp is to read a tokenizer. `pre` names the word cutting.

    llama.cpp puts a space before each stretch or before none. A tokenizer that does so before the `first` alone fits
    where every prompt begins with a special token; one that adds a `missing` one, where no stretch begins with a space.
    `strips`: special tokens swallow the spaces after them, which llama.cpp does for Phi-3 alone.
    """

    kind: Kind
    pre: str
    prefix: Prefix
    strips: bool = False


class Unreadable(ValueError):
    """llama.cpp would cut some text otherwise; the text says why."""


def reading_of(data: bytes) -> Reading:
    """How llama.cpp reads this tokenizer.json. Raises Unreadable."""
    try:
        whole = json.loads(data)
        model = whole["model"]
        kind = str(model["type"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"tokenizer.json cannot be read: {error}") from error
    steps, before = _flat(whole.get("normalizer"), "normalizers"), _flat(whole.get("pre_tokenizer"), "pretokenizers")
    strips = _strips(whole.get("added_tokens", []))
    if kind == "Unigram":
        read = _unigram(model, steps, before)
    elif kind == "BPE":
        _refuse_odd_merging(model)
        read = _pieces(model, steps, before) if model.get("byte_fallback") else _bytes(model, steps, before)
    else:
        raise Unreadable(f"tokenizers of the kind {kind} were not verified")
    return msgspec.structs.replace(read, strips=strips)


def _flat(part: Json | None, inner: str) -> list[Json]:
    """The steps of a normalizer or pre-tokenizer, those of sequences in their order."""
    if not part:
        return []
    if part["type"] != "Sequence":
        return [part]
    return [step for each in part[inner] for step in _flat(each, inner)]  # type: ignore[union-attr, arg-type]


def _strips(added: list[Json]) -> bool:
    """Whether special tokens swallow the spaces after them, just where llama.cpp lets Phi-3's. Raises Unreadable."""
    right = {str(token.get("content")): bool(token.get("rstrip")) for token in added}
    odd = [token for token in added if token.get("single_word") or token.get("lstrip")]
    if not odd and not any(right.values()):
        return False
    as_phi = right.keys() >= PHI_3_KEEPING and all(
        strips is (name not in PHI_3_KEEPING) for name, strips in right.items()
    )
    if odd or not as_phi or "</s>" not in right:
        name = next((str(token["content"]) for token in odd), next((name for name in right if right[name]), ""))
        raise Unreadable(f"its token {name} takes spaces beside it along, which llama.cpp does not do")
    return True


def _refuse_odd_merging(model: Json) -> None:
    odd = [name for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix") if model.get(name)]
    if odd:
        raise Unreadable(f"its setting {odd[0]} has no counterpart in llama.cpp")


def _bytes(model: Json, steps: list[Json], before: list[Json]) -> Reading:
    """Byte-level BPE. NFC is accepted: composed text, which is nearly all there is, is left as it is."""
    kinds = [step["type"] for step in before]
    if any(step["type"] != "NFC" for step in steps):
        raise Unreadable(f"its normalizer {steps[0]['type']} was not verified")
    if not kinds or kinds[-1] != "ByteLevel" or before[-1].get("add_prefix_space"):
        raise Unreadable("its words are not cut as one of the verified tokenizers cuts them")
    own_cut = bool(before[-1].get("use_regex", True))
    ignores = bool(model.get("ignore_merges"))
    if kinds == ["ByteLevel"] and own_cut and not ignores:
        return Reading(kind="bytes", pre="gpt-2", prefix="none")
    if kinds == ["Digits", "ByteLevel"] and before[0].get("individual_digits") and own_cut and not ignores:
        return Reading(kind="bytes", pre="smollm", prefix="none")
    if kinds == ["Split", "ByteLevel"] and not own_cut and before[0].get("behavior") == "Isolated":
        pattern = before[0].get("pattern")
        text = pattern.get("Regex") if isinstance(pattern, dict) else None
        if pre := SPLITS.get((str(text), ignores)):
            return Reading(kind="bytes", pre=pre, prefix="none")
    raise Unreadable("its words are cut by a pattern that is none of the verified ones")


def _prefix(steps: list[Json], before: list[Json]) -> Prefix:
    """Where a tokenizer that writes spaces as a sign adds one. Raises Unreadable."""
    kinds = [step["type"] for step in steps]
    plain = not before or (before[0]["type"] == "Split" and before[0].get("behavior") == "MergedWithPrevious")
    replaces = bool(steps) and steps[-1]["type"] == "Replace" and steps[-1].get("content") == META
    if replaces and plain and kinds in (["Replace"], ["Prepend", "Replace"]):
        return "each" if kinds[0] == "Prepend" else "none"
    if not steps and len(before) == 1 and before[0]["type"] == "Metaspace" and before[0].get("replacement") == META:
        schemes: dict[str, Prefix] = {"always": "missing", "first": "first", "never": "none"}
        return schemes[str(before[0].get("prepend_scheme", "always"))]
    raise Unreadable("its handling of spaces is none of the verified ones")


def _pieces(model: Json, steps: list[Json], before: list[Json]) -> Reading:
    """BPE over characters with bytes for what is not in the vocabulary: SentencePiece's, as llama.cpp merges it.

    llama.cpp joins any two neighbours whose join is a token; the merges must therefore name every such pair.
    """
    if before and before[0]["type"] == "Metaspace" and before[0].get("split", True):
        raise Unreadable("it cuts words at spaces before it merges, which llama.cpp does not do")
    prefix = _prefix(steps, before)
    vocabulary, merges = model["vocab"], model["merges"]
    assert isinstance(vocabulary, dict) and isinstance(merges, list)
    named = {tuple(each) if isinstance(each, list) else tuple(str(each).split(" ", 1)) for each in merges}
    made = {left + right for left, right in named}
    for token in made:
        for cut in range(1, len(token)):
            pair = token[:cut], token[cut:]
            if pair[0] in vocabulary and pair[1] in vocabulary and pair not in named:
                raise Unreadable(f"llama.cpp would join {pair[0]!r} and {pair[1]!r}, and this tokenizer does not")
    return Reading(kind="pieces", pre="default", prefix=prefix)


def _unigram(model: Json, steps: list[Json], before: list[Json]) -> Reading:
    if model.get("byte_fallback"):
        raise Unreadable("a unigram vocabulary that falls back to bytes has no counterpart in llama.cpp")
    if not before or before[0]["type"] != "Metaspace" or before[0].get("split", True):
        raise Unreadable("its words are cut before they are looked up, which was not verified")
    return Reading(kind="unigram", pre="default", prefix=_prefix(steps, before))
