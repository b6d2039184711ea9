"""GGUF files of every family and every kind of tokenizer: llama.cpp gives the trained model's tokens and scores."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.spec.exports import Probe, Turn
from engine.spec.gguf import FAMILIES, family_problem
from engine.spec.vocabulary import Unreadable, reading_of
from engine.worker.exporting.gguf_file import write_gguf
from engine.worker.exporting.listening import Artefact, listen
from engine.worker.exporting.llama_runtime import LlamaCpp
from engine.worker.exporting.readback import ReadBack
from engine.worker.fault import Fault
from tests.exports.conftest import in_llama
from tests.exports.jobs import probes_for, prompting_for
from tests.exports.made import CHATML, FAMILY_NAMES, TEXTS, WITH_BEGIN, family_model, tokenizer_json, write_tokenizer

TOKENIZERS = (
    "gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "gpt-4o", "tekken", "prefixed", "plain", "first", "unigram"
)  # fmt: skip
NOISE = {"f16": 0.01, "q8_0": 0.15}
"""Largest difference of a score as a share of their spread: rounding of weights, and of sums in 8 bits."""
HARD = (
    "WE'LL see: 1234567 euros, ½ off!\r\n\r\n\tTabs", "naïve façade — 日本語 🙂🏽 é", "a" * 40 + "  b   c    ",
    "<s>x<|im_end|>?",
)  # fmt: skip


def loaded(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def written(folder: Path, model: Any, probes: tuple[Probe, ...], template: str, quant: str = "f16") -> Path:
    path = folder / f"{quant}.gguf"
    prompting = prompting_for(folder, template)
    write_gguf(path, model, folder, prompting, probes, name="x", quant=quant, after=lambda done, total: None)
    return path


def furthest(model: Any, artefact: Artefact, probes: tuple[Probe, ...]) -> float:
    """Of the first token's scores, as a share of their spread."""
    worst = 0.0
    for probe in probes:
        ours, theirs = (
            each[0] for each in (listen(model, probe.tokens, 1, ()).scores, artefact.listen(probe.tokens, 1, ()).scores)
        )
        worst = max(worst, ((ours - theirs).abs().max() / ours.std()).item())
    return worst


@in_llama
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_llama_cpp_gives_a_familys_scores(tmp_path: Path, family: str) -> None:
    model = loaded(family_model(tmp_path, family))
    write_tokenizer(tmp_path, "gpt-2")
    probes = probes_for(tmp_path)
    for quant in ("f16", "q8_0"):
        runtime = LlamaCpp(written(tmp_path, model, probes, CHATML, quant), 256)
        assert [runtime.prompt(probe) for probe in probes] == [probe.tokens for probe in probes]
        assert furthest(model, runtime, probes) < NOISE[quant]
        runtime.close()


@in_llama
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_llama_cpp_cuts_text_as_the_tokenizer_does(tmp_path: Path, kind: str) -> None:
    family_model(tmp_path, "llama")
    write_tokenizer(tmp_path, kind, WITH_BEGIN)
    probes = probes_for(tmp_path, tuple(dict.fromkeys(TEXTS)) + HARD)
    runtime = LlamaCpp(written(tmp_path, loaded(tmp_path), probes, WITH_BEGIN), 512)
    for probe in probes:
        assert runtime.prompt(probe) == probe.tokens, probe.text
    runtime.close()


SCRAPS = (
    *"abcXYZ019 .,;:!?'\"-_()[]{}\n\r\t#@/\\",
    *(
        "é",
        "ü",
        "ß",
        "日",
        "本",
        "🙂",
        "👍🏽",
        "½",
        "²",
        "Ⅷ",
        "\u00a0",
        "\u3000",
        "İ",
        "ǅ",
        "א",
        "ع",
        "١",
        "ไท",
        "한",
        "\u200b",
    ),
    *("\ufeff", "'s", "'LL", "don't", "1234567", "  ", "\n\n", "<|im_end|>", "<s>"),
)


@in_llama
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_llama_cpp_cuts_any_text_as_the_tokenizer_does(tmp_path: Path, kind: str) -> None:
    from tokenizers import Tokenizer

    family_model(tmp_path, "llama")
    write_tokenizer(tmp_path, kind, "")
    begun = Probe(turns=(), text="<s>", tokens=(1,))
    runtime = LlamaCpp(written(tmp_path, loaded(tmp_path), (begun,), ""), 256)
    tokenizer, dice = Tokenizer.from_file(str(tmp_path / "tokenizer.json")), random.Random(1)
    for _ in range(400):
        text = "<s>" * (kind == "first") + "".join(dice.choice(SCRAPS) for _ in range(dice.randint(1, 14)))
        if kind == "unigram" and any(stretch.startswith(" ") for stretch in re.split(r"<s>|<\|im_end\|>", text)):
            continue  # refused where prompts have such stretches
        expected = tuple(tokenizer.encode(text, add_special_tokens=False).ids)
        assert runtime.prompt(Probe(turns=(), text=text, tokens=())) == expected, repr(text)
    runtime.close()


def test_a_tokenizer_that_adds_missing_spaces_is_refused_where_stretches_begin_with_one(tmp_path: Path) -> None:
    family_model(tmp_path, "llama")
    write_tokenizer(tmp_path, "unigram")
    spaced = Probe(turns=(), text="<|im_start|> Hello", tokens=(4, 9))
    with pytest.raises(Fault) as caught:
        written(tmp_path, loaded(tmp_path), (spaced,), CHATML)
    assert "begin with a space" in caught.value.card.why


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_file_read_back_holds_every_weight(tmp_path: Path, family: str) -> None:
    model = loaded(family_model(tmp_path, family))
    write_tokenizer(tmp_path, "gpt-2")
    probes = probes_for(tmp_path)
    path = written(tmp_path, model, probes, CHATML, "q8_0")
    again = ReadBack(path, loaded(tmp_path), tmp_path / "tokenizer.json")
    tied = model.config.tie_word_embeddings
    assert set(again.apart) == {name for name in model.state_dict() if not (tied and name == "lm_head.weight")}
    assert not again.wrong()
    assert 0 < furthest(model, again, probes) < NOISE["q8_0"]


def test_queries_and_keys_change_places_only_where_llama_cpp_turns_them_otherwise(tmp_path: Path) -> None:
    from gguf import GGUFReader

    for family, moved in (("llama", True), ("qwen3", False)):
        model = loaded(family_model(tmp_path / family, family))
        write_tokenizer(tmp_path / family, "gpt-2")
        path = written(tmp_path / family, model, probes_for(tmp_path / family), CHATML)
        found = next(t for t in GGUFReader(path).tensors if t.name == "blk.0.attn_q.weight").data
        own = model.state_dict()["model.layers.0.self_attn.q_proj.weight"].half().numpy()
        assert (found != own).any() == moved
        assert sorted(found.sum(axis=1).tolist()) == pytest.approx(sorted(own.sum(axis=1).tolist()))


def odd(kind: str, **changes: Any) -> bytes:
    whole = tokenizer_json(kind)
    for path, value in changes.items():
        part: Any = whole
        *steps, last = path.split("__")
        for step in steps:
            part = part[step] if not isinstance(part, list) else part[int(step)]
        part[last] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (odd("gpt-2", normalizer={"type": "Lowercase"}), "Lowercase"),
        (odd("gpt-2", pre_tokenizer={"type": "Whitespace"}), "not cut"),
        (odd("qwen2", pre_tokenizer__pretokenizers__0__pattern={"Regex": r"\w+"}), "none of the verified"),
        (odd("llama-bpe", model__ignore_merges=False).replace(b"1,3", b"1,4"), "none of the verified"),
        (odd("gpt-2", model__end_of_word_suffix="</w>"), "end_of_word_suffix"),
        (odd("gpt-2", added_tokens__5__lstrip=True), "spaces beside it"),
        (odd("gpt-2", model__type="WordPiece"), "WordPiece"),
        (odd("plain", model__merges=[]), ""),
        (odd("unigram", model__byte_fallback=True), "bytes"),
        (b"{}", "cannot be read"),
    ],
)
def test_a_tokenizer_that_llama_cpp_reads_otherwise_is_refused_with_the_reason(data: bytes, why: str) -> None:
    if not why:  # without merges nothing is joined by either
        assert reading_of(data).kind == "pieces"
        return
    with pytest.raises(Unreadable, match=why):
        reading_of(data)


def test_merges_that_leave_a_pair_out_are_refused() -> None:
    whole = tokenizer_json("plain")
    made = [left + right for left, right in whole["model"]["merges"]]
    twice = next(each for each in made if made.count(each) > 1)
    whole["model"]["merges"].pop(made.index(twice))
    with pytest.raises(Unreadable, match="would join"):
        reading_of(json.dumps(whole).encode())


def test_special_tokens_that_swallow_spaces_are_taken_where_they_are_phi_3s() -> None:
    whole = tokenizer_json("gpt-2")
    for token in whole["added_tokens"]:
        token["rstrip"] = token["content"] not in ("<unk>", "<s>", "<|endoftext|>")
    assert reading_of(json.dumps(whole).encode()).strips
    whole["added_tokens"][4]["rstrip"] = False
    with pytest.raises(Unreadable, match="spaces beside it"):
        reading_of(json.dumps(whole).encode())


@in_llama
def test_phi_3s_swallowed_spaces_are_swallowed_in_llama_cpp_too(tmp_path: Path) -> None:
    family_model(tmp_path, "phi3")
    write_tokenizer(tmp_path, "gpt-2")
    path = tmp_path / "tokenizer.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    for token in whole["added_tokens"]:
        token["rstrip"] = token["content"] not in ("<unk>", "<s>", "<|endoftext|>")
    path.write_text(json.dumps(whole), encoding="utf-8")
    from tokenizers import Tokenizer

    text = "<|im_start|>user\n Hello<|im_end|>\n\n<|im_start|> x"
    ids = tuple(Tokenizer.from_file(str(path)).encode(text, add_special_tokens=False).ids)
    runtime = LlamaCpp(written(tmp_path, loaded(tmp_path), (), ""), 256)
    assert runtime.prompt(Probe(turns=(), text=text, tokens=ids)) == ids
    runtime.close()


@in_llama
def test_a_name_like_another_familys_does_not_change_how_text_is_cut(tmp_path: Path) -> None:
    family_model(tmp_path, "llama")
    write_tokenizer(tmp_path, "gpt-2")
    probes = probes_for(tmp_path)
    path = tmp_path / "named.gguf"
    write_gguf(
        path,
        loaded(tmp_path),
        tmp_path,
        prompting_for(tmp_path),
        probes,
        name="My Phi-3 like Modern-BERT",
        quant="f16",
        after=lambda done, total: None,
    )
    runtime = LlamaCpp(path, 256)
    assert [runtime.prompt(probe) for probe in probes] == [probe.tokens for probe in probes]
    runtime.close()


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"model_type": "mamba"}, "mamba"),
        ({"model_type": "llama", "hidden_act": "gelu"}, "activation"),
        ({"model_type": "llama", "rope_scaling": {"type": "yarn", "factor": 4.0}}, "yarn"),
        ({"model_type": "phi3", "rope_parameters": {"rope_type": "longrope"}}, "longrope"),
        ({"model_type": "gemma2", "head_dim": 64, "query_pre_attn_scalar": 144}, "scales its attention"),
        ({"model_type": "gemma3_text", "head_dim": 64, "layer_types": ["full_attention"] * 3}, "window"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "both ways"),
    ],
)
def test_a_model_that_llama_cpp_computes_otherwise_is_refused_with_the_reason(config: dict[str, Any], why: str) -> None:
    assert why in family_problem(json.dumps(config).encode())


def test_every_familys_usual_configuration_is_taken() -> None:
    from transformers import AutoConfig

    for family in FAMILIES:
        assert family_problem(AutoConfig.for_model(family).to_json_string(use_diff=False).encode()) == ""


def test_a_weight_without_a_place_is_refused_by_its_name(tmp_path: Path) -> None:
    model = loaded(family_model(tmp_path, "llama"))
    write_tokenizer(tmp_path, "gpt-2")
    model.model.layers[0].register_parameter("odd", torch.nn.Parameter(torch.ones(3)))
    with pytest.raises(Fault) as caught:
        written(tmp_path, model, (), CHATML)
    assert "model.layers.0.odd" in caught.value.card.why


def test_a_space_before_the_first_word_alone_is_refused_where_prompts_begin_with_words(tmp_path: Path) -> None:
    family_model(tmp_path, "llama")
    write_tokenizer(tmp_path, "first", "")
    bare = Probe(turns=(Turn(role="user", content="Hi"),), text="Hi", tokens=(300,))
    with pytest.raises(Fault) as caught:
        written(tmp_path, loaded(tmp_path), (bare,), "")
    assert "first word only" in caught.value.card.why
