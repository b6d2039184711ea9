"""A GGUF file read back without llama.cpp: its weights in the model they came from, its tokens, its template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from tokenizers import Tokenizer
from torch import nn

from engine.spec.exports import Probe
from engine.worker.exporting.gguf_file import read_weights
from engine.worker.exporting.listening import Facts, Heard, listen
from engine.worker.exporting.templates import render

EXPECTED = {
    "F32": 1e-5,
    "F16": 6e-4,
    "Q8_0": 0.009,
    "Q6_K": 0.03,
    "Q5_K": 0.05,
    "Q4_K": 0.1,
    "Q5_0": 0.06,
    "Q5_1": 0.05,
}
"""Largest root mean square error of a tensor in each format, as a share of its own size."""


class ReadBack:
    """The file's numbers in `model`, whose own are overwritten; prompts are cut with the trained tokenizer, whose
    tokens are compared with the file's. `apart` is each tensor's error as a share of the trained one."""

    def __init__(self, path: Path, model: nn.Module, tokenizer: Path) -> None:
        self.runtime = "read back with the gguf library"
        self._reader = GGUFReader(path)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.post_processor = None  # type: ignore[assignment]
        self._model = model
        self.apart = self._fill()

    def _fill(self) -> dict[str, tuple[str, float]]:
        """Put the file's weights into the model and measure how far they are from what they replace."""
        state, apart = self._model.state_dict(), {}
        with torch.no_grad():
            for name, kind, found in read_weights(self._reader, self._model):
                trained = state[name].float().cpu()
                size = trained.pow(2).mean().sqrt().clamp(min=1e-30)
                apart[name] = kind, ((found - trained).pow(2).mean().sqrt() / size).item()
                state[name].copy_(found)
        return apart

    def wrong(self) -> str:
        """The tensor that is further off than its format explains; empty when none is."""
        for name, (kind, apart) in self.apart.items():
            if apart > EXPECTED.get(kind, 0.1):
                return f"{name} ({kind}) is off by {100 * apart:.2f} %"
        return ""

    def _field(self, name: str) -> Any:
        field = self._reader.get_field(f"tokenizer.{name}")
        return field.contents() if field else None

    def facts(self) -> Facts:
        ends = [self._field(f"ggml.{name}_token_id") for name in ("eos", "eot")]
        return Facts(
            tokens=dict(enumerate(self._field("ggml.tokens") or ())),
            ends=frozenset(each for each in ends if each is not None),
            begin=self._field("ggml.bos_token_id"),
            template=self._field("chat_template") or "",
        )

    def prompt(self, probe: Probe) -> tuple[int, ...]:
        facts = self.facts()
        specials = {"bos_token": facts.tokens[facts.begin]} if facts.begin is not None else {}
        ids = self._tokenizer.encode(render(facts.template, probe, specials), add_special_tokens=False).ids
        begins = bool(self._field("ggml.add_bos_token")) and facts.begin is not None
        return (facts.begin, *ids) if begins and facts.begin is not None else tuple(ids)

    def listen(self, tokens: Sequence[int], count: int, ends: Sequence[int]) -> Heard:
        return listen(self._model.eval(), tokens, count, ends)

    def close(self) -> None:
        del self._model
