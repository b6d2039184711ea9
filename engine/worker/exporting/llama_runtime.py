"""A GGUF file in llama.cpp, through llama-cpp-python: the very runtime of Ollama and LM Studio."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from engine.spec.exports import Probe
from engine.worker.exporting.listening import Facts, Heard
from engine.worker.exporting.templates import render

Render = Callable[[str, Probe, dict[str, str]], str]


def _library() -> Any:
    """llama-cpp-python, of the extra `gguf`. Raises ImportError."""
    return import_module("llama_cpp")


def available() -> bool:
    """Whether llama-cpp-python is installed."""
    return find_spec("llama_cpp") is not None


class LlamaCpp:
    """The file, loaded, with an `adapter` file on it where there is one. `said` renders a probe where it is not the
    file's own template that does."""

    def __init__(
        self, path: Path, context: int, said: Callable[[Probe], str] | None = None, adapter: Path | None = None
    ) -> None:
        self._lib = _library()
        threads = torch.get_num_threads()
        self._model = self._lib.Llama(
            str(path), n_ctx=context, n_threads=threads, n_threads_batch=threads, logits_all=True, verbose=False,
            lora_path=str(adapter) if adapter else None,
        )  # fmt: skip
        self._vocab = self._lib.llama_model_get_vocab(self._model.model)
        self._said = said
        self.runtime = f"llama.cpp (llama-cpp-python {self._lib.__version__})"

    def facts(self) -> Facts:
        count = self._lib.llama_vocab_n_tokens(self._vocab)
        texts = (self._lib.llama_vocab_get_text(self._vocab, number) for number in range(count))
        begin = self._lib.llama_vocab_bos(self._vocab)
        named = (self._model.metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot"))
        return Facts(
            tokens={number: text.decode("utf-8", "replace") for number, text in enumerate(texts)},
            ends=frozenset(int(each) for each in named if each is not None),
            begin=begin if begin >= 0 else None,
            template=self._model.metadata.get("tokenizer.chat_template", ""),
        )

    def prompt(self, probe: Probe) -> tuple[int, ...]:
        text = self._said(probe) if self._said else self._render(probe)
        return tuple(self._model.tokenize(text.encode(), add_bos=True, special=True))

    def _render(self, probe: Probe) -> str:
        """The file's own template, with the special tokens that the file names."""
        template = self._model.metadata.get("tokenizer.chat_template", "")
        return render(template, probe, self._specials())

    def _specials(self) -> dict[str, str]:
        ids = {"bos_token": self._lib.llama_vocab_bos(self._vocab), "eos_token": self._lib.llama_vocab_eos(self._vocab)}
        return {n: self._lib.llama_vocab_get_text(self._vocab, i).decode() for n, i in ids.items() if i >= 0}

    def listen(self, tokens: Sequence[int], count: int, ends: Sequence[int]) -> Heard:
        self._model.reset()
        given, scores, answer = list(tokens), [], []
        while len(answer) < count:
            self._model.eval(given)
            scores.append(torch.from_numpy(self._model.scores[self._model.n_tokens - 1].copy()).float())
            answer.append(int(scores[-1].argmax()))
            if answer[-1] in ends:
                break
            given = [answer[-1]]
        return Heard(torch.stack(scores), answer)

    def close(self) -> None:
        self._model.close()


def quantize(source: Path, target: Path, quant: str) -> None:
    """Write `source` in 4 or 5 bits with llama.cpp's own quantizer. Raises OSError."""
    llama_cpp = _library()
    kinds = {"q4_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, "q5_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M}
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = kinds[quant]
    settings.nthread = torch.get_num_threads()
    code = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(settings))
    if code:
        raise OSError(f"llama.cpp's quantizer ended with code {code}")
