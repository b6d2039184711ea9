"""The base model in memory: loading, number formats, and adapters put on and taken off."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
from torch import nn

from engine.spec.exits import Exit
from engine.spec.runspec import AdapterRef, ModelRef
from engine.worker.fault import Fault

PACKED = ("Params4bit", "Int8Params")
"""Quantized weights: their bits may be stored as floating-point numbers, and are none."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def device() -> torch.device:
    """The fastest device torch can use here."""
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def load_base(
    model: ModelRef, precision: str, quantization: str = "none", *, double: bool = False, shared: bool = False
) -> nn.Module:
    """The base model from its local folder: safetensors only, no remote code, no network.

    `quantization` is none, nf4, fp4 or int8; `double` also compresses the scales of 4-bit weights; `shared` stores
    those weights so that FSDP can cut them. Raises Fault.
    """
    from transformers import AutoModelForCausalLM

    _check_folder(Path(model.path))
    quantized = quantization != "none"
    extra = {"quantization_config": _quantization(quantization, double, shared, DTYPES[precision])} if quantized else {}
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            model.path,
            dtype=DTYPES[precision],
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            **extra,
        )
    except (ValueError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Fault(
            Exit.BAD_MODEL,
            f"The model {model.name} could not be loaded.",
            str(error).splitlines()[0][:300],
            "Check that the folder holds a complete model that transformers knows.",
            "Choose another model.",
        ) from error
    loaded.config.use_cache = False
    return loaded if quantized else nn.Module.to(loaded, device())


def _check_folder(path: Path) -> None:
    if not (path / "config.json").exists() or not any(path.glob("*.safetensors")):
        raise Fault(
            Exit.MISSING_FILES,
            "The base model is not where it was.",
            f"{path} has no config.json with safetensors weights.",
            "Put the folder back.",
            "Or start a new run with another model.",
        )


def _quantization(kind: str, double: bool, shared: bool, dtype: torch.dtype) -> object:
    from transformers import BitsAndBytesConfig

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it says for every layer and call that it casts
    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype if shared else torch.uint8,
    )


def computing(precision: str, on: torch.device) -> AbstractContextManager[object]:
    """Sums in bf16 or fp16 where asked for; adapters and trained weights themselves stay fp32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(on.type, dtype=DTYPES[precision])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and back; without the 4-bit trap.

    In evaluation mode bitsandbytes' CPU path repacks a 4-bit weight in place, and from then on the gradient through it
    is silently cut. Its layers are therefore left in training mode, which changes nothing else about them.
    """
    model.eval()
    _keep_four_bit_layers(model)
    try:
        with torch.no_grad():
            yield
    finally:
        model.train()


def _keep_four_bit_layers(model: nn.Module) -> None:
    for module in model.modules():
        if type(module).__name__ == "Linear4bit":
            module.training = True


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def ready_to_attach() -> None:
    """Import the library of adapters now: it takes up to seconds, which the first adapter need not wait for."""
    importlib.import_module("peft")


def attach(model: nn.Module, adapter: AdapterRef, *, trainable: bool = False) -> nn.Module:
    """Put one more adapter on a base or on a model that already has some; one to train on is the only one.

    Raises Fault when it does not fit.
    """
    from peft import PeftModel

    try:
        if trainable:
            return PeftModel.from_pretrained(model, adapter.path, is_trainable=True)
        if isinstance(model, PeftModel):
            model.load_adapter(adapter.path, adapter_name=module_name(adapter.name))
            return model.eval()
        return PeftModel.from_pretrained(model, adapter.path, adapter_name=module_name(adapter.name)).eval()
    except (KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        logging.getLogger(__name__).warning("adapter %s: %r", adapter.name, error)
        why = f"Its adapter_config.json lacks {error}." if isinstance(error, KeyError) else str(error)
        raise Fault(
            Exit.MISSING_FILES,
            f"The adapter {adapter.name} could not be loaded.",
            why.partition("\n")[0][:300] or type(error).__name__,
            "Check that the version's folder is complete, or choose another version.",
        ) from error


@contextmanager
def using(model: nn.Module, adapter: str | None) -> Iterator[nn.Module]:
    """The model answering as one of its adapters, or as the bare base. Nothing is loaded or copied."""
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        yield model
    elif adapter is None:
        with model.disable_adapter():
            yield model
    else:
        model.set_adapter(module_name(adapter))
        yield model


def module_name(name: str) -> str:
    """An adapter's name as torch accepts it: module names have no dots."""
    return name.replace(".", "_")
