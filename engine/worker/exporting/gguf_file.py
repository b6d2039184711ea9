"""A whole model as one GGUF file: numbers, tokenizer and weights, written tensor by tensor, and read back.

Format: ggml-org/ggml `docs/gguf.md`. Tensor names come from the `gguf` package; what llama.cpp lays out otherwise than
transformers is in engine/spec/gguf.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import msgspec
import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from torch import nn

from engine.spec.exits import Exit
from engine.spec.exports import Probe, Prompting
from engine.spec.gguf import FAMILIES, Family, family_problem
from engine.worker.exporting.gguf_vocabulary import read_vocabulary, write_vocabulary
from engine.worker.fault import Fault

ARCHES = {name: arch for arch, name in gguf.MODEL_ARCH_NAMES.items()}
FILE_TYPES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
LARGEST_F16 = 65_504.0
BLOCK = 32
"""Weights that share one scale in Q8_0; a row must be a multiple of it."""


class Numbers(msgspec.Struct, frozen=True):
    """What llama.cpp needs to know of a model's configuration."""

    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_parameters: dict[str, Any]
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    tie_word_embeddings: bool = False
    sliding_window: int | None = None
    attn_logit_softcapping: float | None = None
    final_logit_softcapping: float | None = None

    @property
    def family(self) -> Family:
        return FAMILIES[self.model_type]

    @property
    def kv_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def head(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def rope(self) -> dict[str, Any]:
        """The position coding of layers that see the whole text."""
        return self.rope_parameters.get("full_attention", self.rope_parameters)


def numbers_of(model: nn.Module) -> Numbers:
    """The model's configuration. Raises Fault when llama.cpp would compute something else."""
    config: Any = model.config
    plain = config.to_dict()
    if why := family_problem(config.to_json_string(use_diff=False).encode()):
        raise Fault(
            Exit.BAD_MODEL,
            "This model cannot be made a GGUF file.",
            f"llama.cpp would not compute what it computes: {why}.",
            "Export it as a merged model, which transformers reads.",
        )
    return msgspec.convert(plain, Numbers)


class Source(msgspec.Struct, frozen=True):
    """A tensor of the model under llama.cpp's name; it is laid out as llama.cpp wants it when its numbers are taken."""

    name: str
    tensor: torch.Tensor
    kind: GGMLQuantizationType
    laid_out: Callable[[torch.Tensor], torch.Tensor]

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        per, size = gguf.GGML_QUANT_SIZES[self.kind]
        return self.tensor.numel() // per * size

    def data(self) -> np.ndarray:
        """The numbers as they stand in the file."""
        if self.kind is GGMLQuantizationType.F16:
            return self.laid_out(self.tensor).to(torch.float16).cpu().contiguous().numpy()
        plain = self.laid_out(self.tensor).float().cpu().contiguous().numpy()
        return plain if self.kind is GGMLQuantizationType.F32 else gguf.quantize(plain, self.kind)


def names_of(model: nn.Module, numbers: Numbers) -> Iterator[tuple[str, str]]:
    """Every tensor's name in the model and in the file. Raises Fault when one has no place there."""
    known = gguf.get_tensor_name_map(ARCHES[numbers.family.arch], numbers.num_hidden_layers)
    for name in model.state_dict():
        if name == "lm_head.weight" and numbers.tie_word_embeddings:
            continue
        place = known.get_name(name, try_suffixes=(".weight", ".bias"))
        if place is None:
            raise Fault(
                Exit.BAD_MODEL,
                "This model cannot be made a GGUF file.",
                f"llama.cpp has no place for its weight {name}.",
                "Export it as a merged model, which transformers reads.",
            )
        yield name, place


def sources(model: nn.Module, numbers: Numbers, quant: str) -> Iterator[Source]:
    """The model's tensors in the file's order and layout."""
    state = model.state_dict()
    for name, place in names_of(model, numbers):
        turn = partial(laid_out, name=name, numbers=numbers, back=False)
        yield Source(place, state[name], _kind(state[name], quant), turn)
    if numbers.rope.get("rope_type") == "llama3":
        yield Source("rope_freqs.weight", _llama3_factors(numbers), GGMLQuantizationType.F32, lambda factors: factors)


def _kind(tensor: torch.Tensor, quant: str) -> GGMLQuantizationType:
    """Vectors stay exact, as llama.cpp wants them; so does what half precision cannot hold."""
    if tensor.ndim < 2:
        return GGMLQuantizationType.F32
    if quant == "q8_0" and tensor.shape[-1] % BLOCK == 0:
        return GGMLQuantizationType.Q8_0
    return GGMLQuantizationType.F32 if tensor.abs().max() > LARGEST_F16 else GGMLQuantizationType.F16


def laid_out(tensor: torch.Tensor, *, name: str, numbers: Numbers, back: bool) -> torch.Tensor:
    """The tensor in llama.cpp's layout, or from it `back` into transformers'."""
    family = numbers.family
    if family.shifted and name.endswith("norm.weight"):
        return tensor.float() - 1 if back else tensor.float() + 1
    for part, heads in (("q_proj", numbers.num_attention_heads), ("k_proj", numbers.kv_heads)):
        if family.interleaved and f".{part}." in name:
            return _turned(tensor, heads, back=back)
    return tensor


def _turned(tensor: torch.Tensor, heads: int, *, back: bool) -> torch.Tensor:
    """Rows of each head from halves to neighbouring pairs, or back."""
    halves = (heads, -1, 2) if back else (heads, 2, -1)
    return tensor.reshape(*halves, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)


def _llama3_factors(numbers: Numbers) -> torch.Tensor:
    """By how much each frequency of the position coding is slowed (Llama 3.1's scaling)."""
    rope, half = numbers.rope, numbers.head // 2
    factor, context = rope["factor"], rope["original_max_position_embeddings"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    factors = []
    for place in range(half):
        wave = 2 * math.pi * rope["rope_theta"] ** (place / half)
        smooth = min(1.0, max(0.0, (context / wave - low) / (high - low)))
        factors.append(1 / ((1 - smooth) / factor + smooth))
    return torch.tensor(factors)


def write_gguf(
    path: Path,
    model: nn.Module,
    tokenizer: Path,
    prompting: Prompting,
    probes: tuple[Probe, ...],
    *,
    name: str,
    quant: str,
    after: Callable[[int, int], None],
) -> None:
    """Write the model as f16 or q8_0; `after` hears bytes written and bytes in all. Raises Fault or OSError."""
    numbers = numbers_of(model)
    writer = GGUFWriter(path, numbers.family.arch)
    known = read_vocabulary(tokenizer, numbers.vocab_size)
    writer.add_name(_titled(name, strips=known.reading.strips))
    writer.add_file_type(FILE_TYPES[quant])
    _write_numbers(writer, numbers)
    write_vocabulary(writer, known, prompting, probes)
    tensors = list(sources(model, numbers, quant))
    for each in tensors:
        dtype = np.dtype(np.float16 if each.kind is GGMLQuantizationType.F16 else np.float32)
        raw = each.kind if each.kind is GGMLQuantizationType.Q8_0 else None
        writer.add_tensor_info(each.name, tuple(each.tensor.shape), dtype, each.bytes, raw_dtype=raw)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        written, total = 0, sum(each.bytes for each in tensors)
        for each in tensors:
            writer.write_tensor_data(each.data())
            written += each.bytes
            after(written, total)
    finally:
        writer.close()


def _titled(name: str, *, strips: bool) -> str:
    """The model's name. llama.cpp turns on Phi-3's spacing where it reads that family's name, and fails on others."""
    plain = name.lower().replace("modern-bert", "modern bert").replace("phi-3", "phi 3").replace("phi3", "phi 3")
    return f"{plain} (phi-3)" if strips else (name if plain == name.lower() else plain)


def _write_numbers(writer: GGUFWriter, numbers: Numbers) -> None:
    writer.add_block_count(numbers.num_hidden_layers)
    writer.add_context_length(numbers.max_position_embeddings)
    writer.add_embedding_length(numbers.hidden_size)
    writer.add_feed_forward_length(numbers.intermediate_size)
    writer.add_head_count(numbers.num_attention_heads)
    writer.add_head_count_kv(numbers.kv_heads)
    writer.add_key_length(numbers.head)
    writer.add_value_length(numbers.head)
    writer.add_vocab_size(numbers.vocab_size)
    writer.add_layer_norm_rms_eps(numbers.rms_norm_eps)
    writer.add_rope_dimension_count(int(numbers.head * numbers.rope.get("partial_rotary_factor", 1.0)))
    writer.add_rope_freq_base(numbers.rope["rope_theta"])
    if numbers.rope.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(numbers.rope["factor"])
    _write_window(writer, numbers)


def _write_window(writer: GGUFWriter, numbers: Numbers) -> None:
    """Windows and caps, of the families whose layers look through them."""
    if not numbers.family.full_every:
        return
    if numbers.sliding_window:
        writer.add_sliding_window(numbers.sliding_window)
    if "sliding_attention" in numbers.rope_parameters:
        writer.add_rope_freq_base_swa(numbers.rope_parameters["sliding_attention"]["rope_theta"])
    if numbers.attn_logit_softcapping:
        writer.add_attn_logit_softcapping(numbers.attn_logit_softcapping)
    if numbers.final_logit_softcapping:
        writer.add_final_logit_softcapping(numbers.final_logit_softcapping)


def read_weights(reader: GGUFReader, model: nn.Module) -> Iterator[tuple[str, str, torch.Tensor]]:
    """The file's tensors by the model's names, with their format, as fp32 in transformers' layout. Raises KeyError."""
    numbers = numbers_of(model)
    held = {tensor.name: tensor for tensor in reader.tensors}
    for name, place in names_of(model, numbers):
        found = held[place]
        plain = torch.from_numpy(np.array(gguf.dequantize(found.data, found.tensor_type), dtype=np.float32))
        yield name, found.tensor_type.name, laid_out(plain, name=name, numbers=numbers, back=True)
