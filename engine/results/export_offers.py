"""Which forms a version can be exported in on this machine, and for each other one the reason why not."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import msgspec

from engine.plan.models import BaseModel
from engine.spec.exports import BITS, FORMS, QUANTS, WITH_GGUF, Form, Prompting, Quant
from engine.spec.gguf import family_problem
from engine.spec.methods import Full, Method, mergeable, method_name, no_lora_file
from engine.spec.vocabulary import Unreadable, reading_of

QUANTIZER = "llama-quantize"
ONNX_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
ADAPTER_ROOM = 50_000_000
"""Bytes of tokenizer and small files beside the weights, generously."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A form, for GGUF in one number format. `why_not` is empty for one that can be had; `bytes` is what it needs."""

    form: Form
    quant: Quant
    title: str
    about: str
    bytes: int
    why_not: str

    @property
    def offered(self) -> bool:
        return not self.why_not


class Exportable(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about a version's forms: how it was trained, its base, its prompting, and the adapter's size."""

    method: Method
    model: BaseModel
    prompting: Prompting
    adapter_bytes: int


def offers(version: Exportable) -> tuple[Offer, ...]:
    """Every form, offered or not, in the order in which they are shown."""
    kinds: list[tuple[Form, Quant]] = [
        (form, quant) for form in get_args(Form) for quant in (QUANTS if form in WITH_GGUF else ("none",))
    ]
    lacking = _lacking(version)
    return tuple(_offer(version, form, quant, lacking.get(form) or _no_quantizer(quant)) for form, quant in kinds)


def _offer(version: Exportable, form: Form, quant: Quant, why_not: str) -> Offer:
    title, about = FORMS[form]
    size = needed_bytes(version, form, quant)
    return Offer(form=form, quant=quant, title=title, about=about, bytes=size, why_not=why_not)


def _lacking(version: Exportable) -> dict[Form, str]:
    """Why a form cannot be had in any number format."""
    whole = isinstance(version.method, Full)
    merges = whole or mergeable(version.method)
    unmerged = (
        f"An adapter of the kind {method_name(version.method)} works beside the model's weights and cannot be merged "
        "into them."
    )
    found: dict[Form, str] = {}
    if whole:
        found["adapter"] = "Full fine-tuning changed the model itself; there is no adapter."
    if not merges:
        found |= {"merged": unmerged, "gguf": unmerged, "ollama": unmerged, "lmstudio": unmerged, "onnx": unmerged}
        found["ollama-adapter"] = no_lora_file(version.method)
        return found
    if why := _no_gguf(Path(version.model.path)):
        found |= {"gguf": why, "ollama": why, "ollama-adapter": why, "lmstudio": why}
    elif version.prompting.template and version.prompting.pieces is None:
        why = "Its chat template is more than texts around turns, and cannot be said in Ollama's language."
        found |= {"ollama": why, "ollama-adapter": why}
    if why := no_lora_file(version.method):
        found["ollama-adapter"] = why
    if missing := [name for name in ONNX_LIBRARIES if find_spec(name) is None]:
        found["onnx"] = f"It needs {', '.join(missing)}: pip install 'peft-studio[onnx]'."
    return found


def _no_gguf(model: Path) -> str:
    if find_spec("gguf") is None:
        return "It needs the gguf library: pip install 'peft-studio[train]'."
    if why := family_problem((model / "config.json").read_bytes()):
        return f"llama.cpp would not compute what this model computes: {why}."
    try:
        reading_of((model / "tokenizer.json").read_bytes())
    except Unreadable as error:
        return f"llama.cpp would cut text otherwise than this model's tokenizer: {error}."
    return ""


def _no_quantizer(quant: Quant) -> str:
    """4 and 5 bits are written by llama.cpp's own quantizer alone."""
    if quant in ("none", "f16", "q8_0") or find_spec("llama_cpp") is not None or shutil.which(QUANTIZER):
        return ""
    return (
        f"{quant} is written by llama.cpp's own quantizer, which is not here: pip install 'peft-studio[gguf]', or put "
        f"{QUANTIZER} on the PATH."
    )


def needed_bytes(version: Exportable, form: Form, quant: Quant) -> int:
    """The room on the disk that an export takes while it is made."""
    model = version.model
    merges = isinstance(version.method, Full) or mergeable(version.method)
    if form == "adapter" or (form == "hf" and not merges):
        weights = version.adapter_bytes
    elif form in WITH_GGUF:
        direct = model.parameters * BITS[quant] / 8
        weights = direct if quant in ("f16", "q8_0") else direct + model.parameters * BITS["f16"] / 8
        weights += 2 * version.adapter_bytes if form == "ollama-adapter" else 0
    elif form == "onnx":
        weights = 4.0 * model.parameters
    else:
        weights = model.weight_bytes + (0 if merges else version.adapter_bytes)
    return int(weights) + ADAPTER_ROOM
