"""One small model with its tokenizer and one adapter for all export tests of a session."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.exports.jobs import random_adapter
from tests.exports.made import WITH_BEGIN, family_model, write_tokenizer

in_llama = pytest.mark.skipif(
    find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed: python3 build/run.py test --with gguf"
)
in_onnx = pytest.mark.skipif(
    find_spec("onnxruntime") is None,
    reason="the ONNX libraries are not installed: python3 build/run.py test --with onnx",
)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama whose template writes the begin token itself."""
    folder = tmp_path_factory.mktemp("tiny")
    family_model(folder, "llama")
    write_tokenizer(folder, "gpt-2", WITH_BEGIN)
    return folder


@pytest.fixture(scope="session")
def tiny_adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA on it, far from zero."""
    return random_adapter(tiny, tmp_path_factory.mktemp("adapter"))
