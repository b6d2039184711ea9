"""A config.json alone is enough to plan with; what it lacks is assumed and said, or refused with its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.core.errors import ModelError
from engine.plan.layers import adapted, families, family_of
from engine.plan.models import read_model_facts
from tests.plan.test_models import CONFIG, make


def facts(folder: Path, **changes: object):
    config = {key: value for key, value in {**CONFIG, **changes}.items() if value is not None}
    file = folder / "config.json"
    file.write_text(json.dumps(config))
    return read_model_facts(file)


def said(found) -> str:
    return " ".join(f"{each.what} {each.why}" for each in found.findings)


def test_a_bare_config_gives_the_numbers_of_the_whole_model(tmp_path: Path) -> None:
    found = facts(tmp_path)
    block = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 2 * 64
    assert found.parameters == 2 * 100 * 64 + 2 * block + 64
    assert found.linear_parameters == found.parameters - 2 * 100 * 64
    assert "weights are not here" in said(found)
    assert read_model_facts(tmp_path) == found


def test_a_folder_with_weights_is_read_as_it_is(tmp_path: Path) -> None:
    assert read_model_facts(make(tmp_path / "m")).parameters == 20_992


ASSUMED = {
    "an unknown architecture": (
        {"architectures": ["NovelForCausalLM"], "model_type": "novel"},
        "NovelForCausalLM is not one that is known",
    ),
    "no inner width": ({"intermediate_size": None}, "256 is assumed"),
    "no context": ({"max_position_embeddings": None}, "2,048 tokens is assumed"),
    "experts": ({"num_local_experts": 8}, "8 experts"),
    "remote code": ({"auto_map": {"AutoConfig": "x.Y"}}, "run its own program code"),
    "quantized": ({"quantization_config": {"bits": 4}}, "already compressed"),
}


@pytest.mark.parametrize(("changes", "words"), ASSUMED.values(), ids=ASSUMED)
def test_what_is_missing_or_odd_is_assumed_and_said(tmp_path: Path, changes: dict, words: str) -> None:
    found = facts(tmp_path, **changes)
    assert words in said(found) and found.parameters > 0 and found.linears


MISSING = ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"]


@pytest.mark.parametrize("name", MISSING)
def test_numbers_nothing_works_without_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError) as caught:
        facts(tmp_path, **{name: None})
    assert name in caught.value.card.why and caught.value.card.actions


def test_a_missing_file_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        read_model_facts(tmp_path / "none")
    (tmp_path / "config.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ModelError, match="cannot be read"):
        read_model_facts(tmp_path)


def test_defaults_of_heads_and_tying_follow_the_architecture(tmp_path: Path) -> None:
    assert facts(tmp_path, num_key_value_heads=None).kv_heads == 4
    assert facts(tmp_path, num_key_value_heads=None, multi_query=True).kv_heads == 1
    assert not facts(tmp_path, tie_word_embeddings=None).tied
    assert facts(tmp_path, tie_word_embeddings=None, model_type="gemma2").tied


def test_a_model_without_the_output_layer_it_should_have_is_said(tmp_path: Path) -> None:
    folder = make(tmp_path / "m")
    assert "no output layer" not in said(read_model_facts(folder))
    from tests.plan.test_models import write_weights

    write_weights(folder / "model.safetensors", {"embed": [100, 64], "layer": [64, 128]})
    assert "no output layer" in said(read_model_facts(folder))


TOKENIZERS = {
    "no template": ({"eos_token": "</s>", "pad_token": "<pad>"}, "no chat template"),
    "no end": ({"chat_template": "x"}, "names no token that ends a text"),
    "no padding": ({"chat_template": "x", "eos_token": "</s>"}, "names no padding token"),
}


@pytest.mark.parametrize(("tokenizer", "words"), TOKENIZERS.values(), ids=TOKENIZERS)
def test_what_a_tokenizer_lacks_is_said_with_what_stands_in(tmp_path: Path, tokenizer: dict, words: str) -> None:
    folder = make(tmp_path / "m")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    found = read_model_facts(folder).findings
    assert any(words in each.what and each.why and each.level == "info" for each in found)
    complete = {"eos_token": "</s>", "pad_token": "<pad>", "chat_template": "x"}
    (folder / "tokenizer_config.json").write_text(json.dumps(complete))
    assert read_model_facts(folder).findings == ()


@pytest.mark.parametrize("family", families(), ids=lambda each: each.name)
def test_every_family_names_layers_that_exist(tmp_path: Path, family) -> None:
    found = facts(tmp_path, model_type=family.types[0])
    assert adapted(found.linears, family.ia3) and set(family.feedforward) <= set(family.ia3)
    assert all(each.inner for each in adapted(found.linears, family.feedforward))
    assert len(adapted(found.linears, ("all-linear",))) == len(family.layers)
    assert family_of(family.types[-1]) is family


def test_adapters_stay_off_experts_which_are_not_layers(tmp_path: Path) -> None:
    dense, mixed = facts(tmp_path), facts(tmp_path, num_local_experts=8, num_experts_per_tok=2)
    assert {each.name for each in mixed.adaptable} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert mixed.parameters - dense.parameters == 2 * 7 * 3 * 64 * 128
    assert mixed.active_parameters < mixed.linear_parameters
