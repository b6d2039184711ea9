"""The result of training as other tools read it: a PEFT adapter, or a whole model after full fine-tuning."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.spec.files import rename, sync_folder
from engine.spec.folder import RunFolder
from engine.spec.methods import Full, Method, Pissa
from engine.spec.runspec import TrainJob
from engine.worker.group import Group, whole_state

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "generation_config.json",
)


UNDER = ".base_layer."
"""How PEFT names the layer that an adapter sits on."""
BEGINNING = "beginning"
"""Folder of a PiSSA run: the adapter as it was before training, which the conversion at the end needs."""


def keep_beginning(model: nn.Module, method: Method, folder: RunFolder) -> None:
    """Note where a PiSSA adapter began. Others begin at nothing and need no note."""
    if not isinstance(method, Pissa):
        return
    config: Any = model.peft_config["default"]  # type: ignore[index]
    kept, config.init_lora_weights = config.init_lora_weights, True
    model.save_pretrained(folder.path / BEGINNING)  # type: ignore[operator]
    config.init_lora_weights = kept


def _save(
    model: nn.Module, method: Method, folder: RunFolder, target: Path, state: dict[str, torch.Tensor] | None
) -> None:
    """PiSSA changed the base it sits on: what is saved is the difference, a plain LoRA on the original base."""
    more: dict[str, Any] = {} if state is None else {"state_dict": state}
    if isinstance(method, Pissa):
        more["path_initial_model_for_weight_conversion"] = str(folder.path / BEGINNING)
    model.save_pretrained(target, **more)  # type: ignore[operator]


def save_result(model: nn.Module, job: TrainJob, folder: RunFolder, group: Group) -> None:
    """Write `adapter/` complete or not at all; an earlier one is replaced. Raises OSError."""
    state = whole_state(_kept(model, job.method), group) if group.size > 1 else None
    if group.first:
        _place(model, job, folder, state)
    group.wait()


def _kept(model: nn.Module, method: Method) -> dict[str, torch.Tensor]:
    """What a result may hold. The layers under an adapter are most of a model, and no part of what it saves."""
    state = model.state_dict()
    return state if isinstance(method, Full) else {name: each for name, each in state.items() if UNDER not in name}


def _place(model: nn.Module, job: TrainJob, folder: RunFolder, state: dict[str, torch.Tensor] | None) -> None:
    beside = folder.path / ".adapter.tmp"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        _save(model, job.method, folder, beside, state)
        if isinstance(job.method, Full):
            _copy_tokenizer(Path(job.model.path), beside)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    if folder.adapter.exists():
        shutil.rmtree(folder.adapter)
    rename(beside, folder.adapter)
    sync_folder(folder.path)


def _copy_tokenizer(source: Path, target: Path) -> None:
    """A whole model is only whole with its tokenizer and template."""
    for name in TOKENIZER_FILES:
        if (source / name).exists() and not (target / name).exists():
            shutil.copyfile(source / name, target / name)
