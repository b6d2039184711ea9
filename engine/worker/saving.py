"""The result of training as other tools read it: a PEFT adapter, or a whole model after full fine-tuning."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import nn

from engine.spec.files import rename, sync_folder
from engine.spec.folder import RunFolder
from engine.spec.methods import Full
from engine.spec.runspec import TrainJob

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "generation_config.json",
)


def save_result(model: nn.Module, job: TrainJob, folder: RunFolder) -> None:
    """Write `adapter/` complete or not at all; an earlier one is replaced. Raises OSError."""
    beside = folder.path / ".adapter.tmp"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        model.save_pretrained(beside)  # type: ignore[operator]
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
