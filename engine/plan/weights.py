"""The headers of safetensors files: names, shapes and sizes of the weights, without the weights.

A file begins with the length of its header (8 bytes, little-endian) and the header as JSON
(https://huggingface.co/docs/safetensors). Everything else is bytes we do not read.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import msgspec

from engine.core.errors import ModelError

LONGEST_HEADER = 100_000_000
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
TYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}


class Weights(msgspec.Struct, frozen=True):
    """All weight files of a model: name and size of each, and what they hold together."""

    files: tuple[tuple[str, int], ...]
    parameters: int
    bytes: int
    dtype: str
    has_head: bool


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read_weights(folder: Path) -> Weights:
    """The weights of a model folder. Raises ModelError when there are none, only pickled ones, or a file is cut off."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise _none(folder)
    _check_shards(folder, {file.name for file in files})
    parameters, total = 0, 0
    types: Counter[str] = Counter()
    has_head = False
    for file in files:
        for name, tensor in read_header(file).items():
            count = math.prod(tensor.shape)
            parameters += count
            total += tensor.data_offsets[1] - tensor.data_offsets[0]
            types[tensor.dtype] += count
            has_head = has_head or name.startswith("lm_head.")
    dtype = types.most_common(1)[0][0] if types else "F32"
    sizes = tuple((file.name, file.stat().st_size) for file in files)
    return Weights(sizes, parameters, total, TYPES.get(dtype, dtype.lower()), has_head)


def read_header(file: Path) -> dict[str, _Tensor]:
    """Name -> tensor. Raises ModelError when the file is shorter than its header says."""
    size = file.stat().st_size
    with file.open("rb") as source:
        length = int.from_bytes(source.read(8), "little")
        if size < 8 or length > min(size - 8, LONGEST_HEADER):
            raise _damaged(file, "its header is missing or cut off")
        data = source.read(length)
    try:
        entries = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        entries.pop("__metadata__", None)
        tensors = {name: msgspec.json.decode(raw, type=_Tensor) for name, raw in entries.items()}
    except msgspec.MsgspecError as error:
        raise _damaged(file, "its header cannot be read") from error
    end = max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    if size != 8 + length + end:
        raise _damaged(file, f"it has {size:,} bytes where {8 + length + end:,} belong")
    return tensors


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def _check_shards(folder: Path, present: set[str]) -> None:
    try:
        index = msgspec.json.decode((folder / "model.safetensors.index.json").read_bytes(), type=_Index)
    except FileNotFoundError:
        return
    except msgspec.MsgspecError as error:
        raise _damaged(folder / "model.safetensors.index.json", "it cannot be read") from error
    missing = sorted(set(index.weight_map.values()) - present)
    if missing:
        raise ModelError(
            f"{len(missing)} weight files of {folder.name} are missing.",
            f"The first is {missing[0]}.",
            "Download the model again, with all its files.",
            "Choose another model.",
        )


def _none(folder: Path) -> ModelError:
    pickled = next((file for pattern in PICKLED for file in folder.glob(pattern)), None)
    if pickled is not None:
        return ModelError(
            f"The weights of {folder.name} are pickle files.",
            f"Opening a file like {pickled.name} can run any program hidden in it, so it was not opened.",
            "Download the same model in the safetensors format; nearly every model has it.",
            "Choose another model.",
        )
    return ModelError(
        f"{folder.name} has no weights.",
        f"There is no .safetensors file in {folder}.",
        "Download the model again, with all its files.",
        "Or use the starter model.",
    )


def _damaged(file: Path, how: str) -> ModelError:
    return ModelError(
        f"The weight file {file.name} of {file.parent.name} is damaged.",
        f"Most likely its download was cut off: {how}.",
        "Delete it and download the model again.",
        "Choose another model.",
    )
