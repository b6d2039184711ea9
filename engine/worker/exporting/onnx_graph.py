"""The merged model as an ONNX graph, through the exporter of transformers, and read back in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.spec.exits import Exit
from engine.spec.runspec import ExportJob
from engine.worker.exporting.folders import TokenizerFolder, write_card, write_tokenizer
from engine.worker.exporting.listening import Heard
from engine.worker.fault import Fault

FILE = "model.onnx"
SAMPLE_ROWS, SAMPLE_TOKENS = 2, 8
"""The text that the graph is traced with. Two rows: with one, the number of rows would be fixed."""


def write_onnx(job: ExportJob, model: nn.Module, place: Path) -> None:
    """Write the graph, its weights in fp32, and the tokenizer. Raises Fault when the model cannot be traced."""
    from transformers.exporters.configs import OnnxConfig
    from transformers.exporters.exporter_onnx import OnnxExporter

    plain: Any = model.float().cpu()
    plain.config.use_cache = False
    text = torch.ones((SAMPLE_ROWS, SAMPLE_TOKENS), dtype=torch.int64)
    sample: dict[str, Any] = {"input_ids": text, "attention_mask": torch.ones_like(text)}
    try:
        exported = OnnxExporter().export(plain, sample, config=OnnxConfig(dynamic=True))
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise Fault(
            Exit.BAD_MODEL,
            "This model cannot be exported to ONNX.",
            f"transformers could not trace it: {str(error).splitlines()[0][:300]}",
            "Export it as a merged model or a GGUF file.",
        ) from error
    exported.save_pretrained(place)
    write_tokenizer(job, place)
    write_card(job, place)


class Graph(TokenizerFolder):
    """The graph in ONNX Runtime, with its own tokenizer."""

    def __init__(self, job: ExportJob, place: Path) -> None:
        super().__init__(job, place)
        onnxruntime: Any = import_module("onnxruntime")  # of the extra `onnx`
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.runtime = f"ONNX Runtime {version('onnxruntime')}"
        self._session = onnxruntime.InferenceSession(place / FILE, options)

    def listen(self, tokens: Sequence[int], count: int, ends: Sequence[int]) -> Heard:
        text, scores, answer = list(tokens), [], []
        while len(answer) < count:
            ids = torch.tensor([text])
            given = {"input_ids": ids.numpy(), "attention_mask": torch.ones_like(ids).numpy()}
            scores.append(torch.from_numpy(self._session.run(["logits"], given)[0][0, -1]))
            answer.append(int(scores[-1].argmax()))
            text.append(answer[-1])
            if answer[-1] in ends:
                break
        return Heard(torch.stack(scores), answer)

    def close(self) -> None:
        del self._session
