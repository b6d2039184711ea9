"""Exports that are folders for transformers and PEFT: the adapter, the merged model, and the package around it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.spec.exports import Probe
from engine.spec.runspec import ExportJob
from engine.worker.exporting.listening import Facts, Heard, listen
from engine.worker.exporting.templates import render
from engine.worker.exporting.trained import answering, number_format, together
from engine.worker.model import DTYPES, device
from engine.worker.saving import TOKENIZER_FILES

MORE_TOKENIZER_FILES = ("tokenizer.model", "added_tokens.json", "vocab.json", "merges.txt")
CARD = "README.md"
EXAMPLE = "generate.py"
REQUIREMENTS = "requirements.txt"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
BASE = "base"
MODEL = "model"


def write_adapter(job: ExportJob, place: Path) -> None:
    """The adapter as PEFT reads it, with the tokenizer that it was trained with."""
    place.mkdir(parents=True, exist_ok=True)
    source = Path(job.adapter.path)
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name != CARD:
            shutil.copyfile(path, place / path.name)
    _name_base(place / ADAPTER_FILES[0], job.model.name)
    write_tokenizer(job, place)


def _name_base(config: Path, name: str) -> None:
    """The base by its name: the adapter's file says where it lay when it was trained."""
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = name
    config.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def write_model(job: ExportJob, model: nn.Module, place: Path) -> None:
    """A whole model in safetensors, in the base's number format, with its tokenizer and what ends an answer."""
    place.mkdir(parents=True, exist_ok=True)
    model.to(number_format(Path(job.model.path), job.precision)).save_pretrained(place)  # type: ignore[operator]
    write_tokenizer(job, place)


def write_tokenizer(job: ExportJob, place: Path) -> None:
    """The tokenizer's files, the template that prompts were written with, and the end tokens that were trained."""
    base = Path(job.model.path)
    for name in (*TOKENIZER_FILES, *MORE_TOKENIZER_FILES):
        if (base / name).exists():
            shutil.copyfile(base / name, place / name)
    if job.prompting.template:
        (place / "chat_template.jinja").write_text(job.prompting.template, encoding="utf-8", newline="\n")
    path = place / "generation_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    settings["eos_token_id"] = list(job.prompting.end_tokens)
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8", newline="\n")


def write_card(job: ExportJob, place: Path) -> None:
    """The README that the engine wrote."""
    (place / CARD).write_text(job.card, encoding="utf-8", newline="\n")


def write_package(job: ExportJob, model: nn.Module | None, place: Path) -> None:
    """The model, pinned requirements and an example. Without a merged `model`: the base, and the adapter beside it."""
    if model is None:
        shutil.copytree(job.model.path, place / BASE)
        write_adapter(job, place / MODEL)
    else:
        write_model(job, model, place / MODEL)
    needed = ["torch", "transformers", "safetensors", "jinja2", *([] if model is not None else ["peft"])]
    pins = [f"{name}=={version(name).split('+')[0]}\n" for name in needed]
    (place / REQUIREMENTS).write_text("".join(pins), encoding="utf-8", newline="\n")
    shutil.copyfile(Path(__file__).with_name("example.py"), place / EXAMPLE)
    write_card(job, place)


class TokenizerFolder:
    """A folder's tokenizer and template as transformers reads them, and what its settings say ends an answer."""

    def __init__(self, job: ExportJob, place: Path) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(place, local_files_only=True)
        self._plain = not job.prompting.template  # such text gets what the tokenizer adds to it
        self._ends = _end_tokens(place)

    def facts(self) -> Facts:
        """What the folder says of itself."""
        return Facts(
            tokens={number: text for text, number in self._tokenizer.get_vocab().items()},
            ends=self._ends,
            begin=self._tokenizer.bos_token_id,
            template=self._tokenizer.chat_template or "",
        )

    def prompt(self, probe: Probe) -> tuple[int, ...]:
        """The probe as its template writes it, cut into tokens."""
        text = render(self._tokenizer.chat_template or "", probe, self._tokenizer.special_tokens_map)
        return tuple(self._tokenizer(text, add_special_tokens=self._plain).input_ids)


class Folder(TokenizerFolder):
    """An exported folder in transformers, as anybody loads it: the model from it, or an adapter from it on the base."""

    def __init__(self, job: ExportJob, place: Path, *, adapter: bool) -> None:
        super().__init__(job, place)
        self.runtime = f"transformers {version('transformers')}" + (f", PEFT {version('peft')}" if adapter else "")
        self._cached = not adapter
        self._model = together(job, place) if adapter else _loaded(place, job.precision)

    def listen(self, tokens: Sequence[int], count: int, ends: Sequence[int]) -> Heard:
        with answering(self._model) as model:
            return listen(model, tokens, count, ends, cached=self._cached)

    def close(self) -> None:
        del self._model
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _loaded(place: Path, precision: str) -> nn.Module:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        place, dtype=DTYPES[precision], local_files_only=True, use_safetensors=True
    )
    return nn.Module.to(model, device())


def _end_tokens(place: Path) -> frozenset[int]:
    named = json.loads((place / "generation_config.json").read_text(encoding="utf-8")).get("eos_token_id")
    return frozenset(named if isinstance(named, list) else [named] if named is not None else [])
