"""Facts of a model folder from config and safetensors headers; what cannot be tuned is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.core.errors import ModelError
from engine.plan.hardware import detect
from engine.plan.models import find_models, read_base_model, starter_path

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 100,
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "rope_theta": 10000.0,
    "rope_scaling": None,
}
NEW = {key: value for key, value in CONFIG.items() if key not in ("torch_dtype", "rope_theta", "rope_scaling")}
NEW |= {"dtype": "bfloat16", "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}


def write_weights(file: Path, tensors: dict[str, list[int]], *, cut: int = 0) -> None:
    """A safetensors file of 16-bit zeros, its last `cut` bytes missing."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in tensors.items():
        size = 2 * shape[0] * shape[1]
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + bytes(at)
    file.write_bytes(data[: len(data) - cut])


def make(folder: Path, config: dict | None = None, **weights: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    write_weights(
        folder / "model.safetensors", {"embed": [100, 64], "layer": [64, 128], "lm_head.weight": [100, 64]}, **weights
    )
    return folder


def test_the_starter_is_found_as_a_resource_and_read() -> None:
    starter = read_base_model(starter_path())
    assert starter.architecture == "LlamaForCausalLM" and starter.chat_template
    assert 1_000_000 < starter.parameters < 50_000_000
    assert starter.weight_bytes <= (starter_path() / "model.safetensors").stat().st_size
    assert starter.head_dim * starter.heads == starter.hidden
    assert read_base_model(starter_path()) == starter


@pytest.mark.parametrize(("config", "dtype"), [(CONFIG, "float16"), (NEW, "bfloat16")], ids=["old form", "new form"])
def test_old_and_new_configs_are_read(tmp_path: Path, config: dict, dtype: str) -> None:
    found = read_base_model(make(tmp_path / "m", config))
    assert (found.parameters, found.weight_bytes, found.dtype) == (20_992, 41_984, dtype)
    assert (found.hidden, found.layers, found.heads, found.kv_heads, found.head_dim) == (64, 2, 4, 2, 16)
    assert (found.mlp, found.vocabulary, found.context, found.tied) == (128, 100, 256, False)
    assert found.linear_parameters == 20_992 - 2 * 6_400 and not found.chat_template


def test_a_fingerprint_changes_with_config_and_weights(tmp_path: Path) -> None:
    one = read_base_model(make(tmp_path / "a")).fingerprint
    assert read_base_model(make(tmp_path / "b")).fingerprint == one
    assert read_base_model(make(tmp_path / "c", NEW)).fingerprint != one
    write_weights(tmp_path / "b" / "model.safetensors", {"embed": [100, 64]})
    assert read_base_model(tmp_path / "b").fingerprint != one


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_off(folder: Path) -> None:
    make(folder, cut=100)


def cut_in_the_header(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:20])


def empty_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def missing_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def changed(**values: object):
    def damage(folder: Path) -> None:
        make(folder, {**CONFIG, **values})

    return damage


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


UNUSABLE = {
    "no config": (without_config, "not a model folder"),
    "broken config": (broken_config, "cannot be read"),
    "no weights": (without_weights, "no weights"),
    "pickle": (pickled, "pickle"),
    "cut off": (cut_off, "damaged"),
    "cut in the header": (cut_in_the_header, "damaged"),
    "empty weights": (empty_weights, "damaged"),
    "missing shard": (missing_shard, "missing"),
    "remote code": (changed(auto_map={"AutoModelForCausalLM": "m.Model"}), "own program code"),
    "encoder": (changed(architectures=["BertForMaskedLM"], model_type="bert"), "not a model that continues"),
    "encoder and decoder": (changed(architectures=["T5ForConditionalGeneration"]), "not a model that continues"),
    "said to be one": (changed(is_encoder_decoder=True), "not a model that continues"),
    "quantized": (changed(quantization_config={"bits": 4}), "already compressed"),
    "no sizes": (changed(hidden_size=None), "incomplete"),
}


@pytest.mark.parametrize(("damage", "what"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_folder_that_cannot_be_tuned_is_refused_with_a_reason(tmp_path: Path, damage, what: str) -> None:
    folder = make(tmp_path / "m")
    damage(folder)
    with pytest.raises(ModelError) as caught:
        read_base_model(folder)
    assert what in caught.value.card.what and caught.value.card.why and caught.value.card.actions


def test_models_of_the_home_are_listed_and_broken_ones_with_their_reason(tmp_path: Path) -> None:
    make(tmp_path / "one")
    make(tmp_path / "owner" / "two")
    without_weights(make(tmp_path / "three"))
    found = find_models(tmp_path, starter_path())
    assert [each.name for each in found.models] == ["starter", "one", "two"]
    assert [(each.name, "no weights" in each.card.what) for each in found.unusable] == [("three", True)]


def test_this_machine_is_seen_in_less_than_two_seconds(tmp_path: Path) -> None:
    found = detect(tmp_path / "not" / "there" / "yet")
    assert found.cores >= 1 and found.threads >= found.cores and found.memory_total >= found.memory_free > 0
    assert found.disk_free > 0 and found.cpu
