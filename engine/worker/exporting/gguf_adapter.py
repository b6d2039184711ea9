"""A LoRA adapter as a GGUF file of its own, which llama.cpp and Ollama put on a base: written, and read back.

Each weight that the adapter changes has two tensors under the weight's name in the base's file, `.lora_a` and
`.lora_b`; llama.cpp adds alpha / rank times their product, with one alpha for the whole file. Format:
ggml-org/llama.cpp `convert_lora_to_gguf.py`, `src/llama-adapter.cpp`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import msgspec
import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter
from safetensors import safe_open
from torch import nn

from engine.spec.exits import Exit
from engine.spec.methods import no_lora_file
from engine.spec.runspec import ExportJob
from engine.worker.exporting.folders import ADAPTER_FILES
from engine.worker.exporting.gguf_file import laid_out, names_of, numbers_of
from engine.worker.fault import Fault
from engine.worker.model import attach, module_name

FIRST, SECOND = ".lora_a", ".lora_b"
OWN_TENSORS = (".lora_A.weight", ".lora_B.weight")
SAME = 1e-5
"""Largest difference of a weight's change, as a share of its largest number: what sums in fp32 leave."""


class Part(msgspec.Struct, frozen=True):
    """How the weight `name` is changed: by `scaling` times second [out, rank] times first [rank, in]."""

    name: str
    first: torch.Tensor
    second: torch.Tensor
    scaling: float

    @property
    def rank(self) -> int:
        """The width of the narrow matrices."""
        return self.first.shape[0]

    @property
    def change(self) -> torch.Tensor:
        """What is added to the weight."""
        return self.scaling * (self.second @ self.first)


def lora_parts(job: ExportJob, base: nn.Module) -> list[Part]:
    """The adapter's parts as PEFT reads and scales them; `base` is as it was afterwards. Raises Fault."""
    if why := no_lora_file(job.method):
        raise _not_plain(why)
    _refuse_more(Path(job.adapter.path))
    from peft.tuners.lora import LoraLayer

    together: Any = attach(base, job.adapter)
    name, parts = module_name(job.adapter.name), []
    layers: Any = together.base_model.model.named_modules()
    for place, layer in layers:
        if isinstance(layer, LoraLayer) and name in layer.lora_A:
            pair: Any = layer.lora_A[name].weight, layer.lora_B[name].weight
            first, second = (each.detach().float().cpu().clone() for each in pair)
            parts.append(Part(f"{place}.weight", first, second, float(layer.scaling[name])))
    together.unload()
    return parts


def _refuse_more(folder: Path) -> None:
    """Raises Fault when the adapter has more than low-rank parts: trained biases, embeddings or whole layers."""
    with safe_open(folder / ADAPTER_FILES[1], "pt") as held:
        other = next((name for name in held.keys() if not name.endswith(OWN_TENSORS)), "")  # noqa: SIM118
    if other:
        raise _not_plain(f"llama.cpp's adapters are LoRA's two narrow matrices; this one also has {other}.")


def _not_plain(why: str) -> Fault:
    return Fault(
        Exit.BAD_SPEC,
        "The adapter cannot be a GGUF file of its own.",
        why,
        "Export it as an Ollama package, with the adapter in the weights.",
        "Or export the adapter itself, as PEFT reads it.",
    )


def write_lora(path: Path, parts: list[Part], base: nn.Module, name: str) -> None:
    """Write the parts in fp32, in the base's layout. Raises Fault when the base's file has no place for one."""
    numbers = numbers_of(base)
    places = dict(names_of(base, numbers))
    if homeless := next((each.name for each in parts if each.name not in places), ""):
        raise _not_plain(f"The base's file has no weight of its own for {homeless}, which the adapter changes.")
    alpha = parts[0].scaling * parts[0].rank
    writer = GGUFWriter(path, numbers.family.arch)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for each in parts:
        second = each.second * (each.scaling * each.rank / alpha)
        second = laid_out(second, name=each.name, numbers=numbers, back=False)
        writer.add_tensor(f"{places[each.name]}{FIRST}", each.first.contiguous().numpy())
        writer.add_tensor(f"{places[each.name]}{SECOND}", second.contiguous().numpy())
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def put_on(path: Path, base: nn.Module, parts: list[Part]) -> str:
    """Add the file's changes to the base's weights, as llama.cpp would; returns the first that is not the trained
    adapter's, or that is missing, in words. Empty when none is."""
    reader, numbers, wrong = GGUFReader(path), numbers_of(base), ""
    kind, alpha = (_value(reader, key) for key in (gguf.Keys.Adapter.TYPE, gguf.Keys.Adapter.LORA_ALPHA))
    if _value(reader, "general.type") != "adapter" or kind != "lora":
        return "The file does not say that it is a LoRA adapter."
    held = {each.name: torch.from_numpy(np.array(each.data, dtype=np.float32)) for each in reader.tensors}
    places, state = dict(names_of(base, numbers)), base.state_dict()
    for each in parts:
        first, second = (held.pop(f"{places[each.name]}{end}", None) for end in (FIRST, SECOND))
        if first is None or second is None:
            wrong = wrong or f"{each.name} is missing in the adapter's file."
            continue
        change = alpha / len(first) * (laid_out(second, name=each.name, numbers=numbers, back=True) @ first)
        with torch.no_grad():
            state[each.name] += change.to(state[each.name])
        apart = (change - each.change).abs().max() / each.change.abs().max().clamp(min=1e-30)
        if not apart <= SAME:
            wrong = wrong or f"{each.name} is changed otherwise by the adapter's file, by {100 * apart:.2f} %."
    return wrong or (f"The adapter's file has {next(iter(held))} too, which was not trained." if held else "")


def _value(reader: GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    return field.contents() if field else None
