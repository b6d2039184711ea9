"""Small random models of each family that GGUF holds, with small tokenizers of each kind, made in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIALS = ("<unk>", "<s>", "</s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEXTS = [
    "Where is my parcel? It should have come on 12 May 2024.",
    "The lamp doesn't work; I've tried three bulbs (60 W).",
    "Größe und Farbe stimmen nicht — naïve façade, 日本語 と 🙂.",
    "def add(a, b):\n    return a + b\n\n\nprint(add(1, 2345))",
    "   Spaces   before,  and\ttabs\tbetween. WE'LL SEE, he'd SAID.",
] * 4
CHATML = (
    "{%- for message in messages -%}{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'"
    " -}}{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
WITH_BEGIN = "{{- bos_token -}}" + CHATML


def tokenizer_json(kind: str) -> dict[str, Any]:
    """A tokenizer.json: gpt-2, llama-bpe, dbrx, qwen2, gpt-4o, tekken or smollm (bytes); prefixed, plain, first
    (pieces, as SentencePiece's become); unigram."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if kind in ("prefixed", "plain", "first"):
        return _pieces(kind)
    if kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=300, special_tokens=list(SPECIALS), unk_token="<unk>", show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.BPE(ignore_merges=kind in ("llama-bpe", "tekken")))
        tokenizer.pre_tokenizer = _cut(kind)
        tokenizer.decoder = decoders.ByteLevel()
        if kind == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=list(SPECIALS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return json.loads(tokenizer.to_str())


def _cut(kind: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    from engine.spec import vocabulary as known

    if kind == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if kind == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    pattern = next(pattern for (pattern, _), name in known.SPLITS.items() if name == kind)
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), whole])


def _pieces(kind: str) -> dict[str, Any]:
    """BPE with bytes to fall back on, its merges named as transformers names those of a SentencePiece model."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *SPECIALS[3:]]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator([text.replace("日本語", "") for text in TEXTS], trainer)
    whole = json.loads(tokenizer.to_str())
    whole["added_tokens"] = [each for each in whole["added_tokens"] if not each["content"].startswith("<0x")]
    vocabulary: dict[str, int] = whole["model"]["vocab"]
    merges = []
    for token in sorted(vocabulary, key=lambda each: vocabulary[each]):
        if token in SPECIALS or token.startswith("<0x"):
            continue
        cuts = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        merges += [list(pair) for pair in cuts if pair[0] in vocabulary and pair[1] in vocabulary]
    whole["model"]["merges"] = merges
    whole["pre_tokenizer"] = None
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    whole["normalizer"] = replace
    if kind == "prefixed":
        whole["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]}
    if kind == "first":
        whole["normalizer"] = None
        whole["pre_tokenizer"] = {
            "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False,
        }  # fmt: skip
    steps = [replace | {"pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
    whole["decoder"] = {"type": "Sequence", "decoders": steps}
    return whole


def write_tokenizer(folder: Path, kind: str, template: str = CHATML, *, begin: bool = True) -> None:
    """The tokenizer's files, as transformers reads them."""
    whole = tokenizer_json(kind)
    (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    settings["clean_up_tokenization_spaces"] = False  # type: ignore[assignment]
    if begin:
        settings["bos_token"] = "<s>"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    if template:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def family_model(folder: Path, family: str, *, width: int = 64, vocabulary: int = 512) -> Path:
    """A random model of a family: real shapes, small. Its norms and biases are random too, so that each one counts."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    common: dict[str, Any] = {
        "vocab_size": vocabulary, "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 256,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3, "initializer_range": 0.1, "tie_word_embeddings": False,
    }  # fmt: skip
    config = AutoConfig.for_model(family.removesuffix("-scaled"), **{**common, **OWN.get(family, {})})
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith(("norm.weight", ".bias")):
            torch.nn.init.normal_(parameter, 0.0 if family.startswith("gemma") or "bias" in name else 1.0, 0.2)
    model.save_pretrained(folder)
    return folder


OWN: dict[str, dict[str, Any]] = {
    "llama-scaled": {
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
        }
    },
    "qwen3-scaled": {"rope_parameters": {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}},
    "qwen2": {"tie_word_embeddings": True, "head_dim": 16},
    "gemma": {"tie_word_embeddings": True},
    "gemma2": {
        "tie_word_embeddings": True, "query_pre_attn_scalar": 32, "sliding_window": 16,
        "attn_logit_softcapping": 0.5, "final_logit_softcapping": 2.0,
    },
    "gemma3_text": {
        "tie_word_embeddings": True, "query_pre_attn_scalar": 32, "sliding_window": 16, "num_hidden_layers": 7,
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 200.0},
            "full_attention": {"rope_type": "default", "rope_theta": 50_000.0},
        },
    },
    "phi3": {"head_dim": 16},
}  # fmt: skip
FAMILY_NAMES = (
    "llama",
    "llama-scaled",
    "mistral",
    "qwen2",
    "qwen3",
    "qwen3-scaled",
    "gemma",
    "gemma2",
    "gemma3_text",
    "phi3",
)
