"""Exports: the forms a version can leave in, what is asked of it on both sides, and the certificate that they agree.

A certificate compares the trained model with the artefact as its own runtime reads it, on the same prompts.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Form = Literal["adapter", "merged", "hf", "gguf", "ollama", "ollama-adapter", "lmstudio", "onnx", "package"]
FORMS: dict[str, tuple[str, str]] = {
    "adapter": (
        "PEFT adapter",
        "The trained adapter alone, as the PEFT library reads it. Small; needs the base model.",
    ),
    "merged": ("Merged model", "One whole model in safetensors, as transformers reads it."),
    "hf": ("Hugging Face package", "The merged model with a model card: data, training, measurements, limits, usage."),
    "gguf": ("GGUF file", "One file with weights, tokenizer and chat template, as llama.cpp reads it."),
    "ollama": ("Ollama package", "A GGUF file and the Modelfile that Ollama creates a model from."),
    "ollama-adapter": (
        "Ollama package with adapter",
        "The base and the adapter as a GGUF file each, and the Modelfile that puts them together; Ollama keeps the "
        "base once for all its versions.",
    ),
    "lmstudio": ("LM Studio folder", "A GGUF file in the folders that LM Studio looks through."),
    "onnx": ("ONNX model", "The merged model as a graph that ONNX Runtime reads."),
    "package": ("Local package", "The model, pinned requirements and an example that runs."),
}
"""Every form's title and what it is."""
Quant = Literal["none", "f16", "q8_0", "q5_k_m", "q4_k_m"]
QUANTS: tuple[Quant, ...] = ("f16", "q8_0", "q5_k_m", "q4_k_m")
"""Number formats of a GGUF file, the closest to the trained weights first."""
BITS: dict[str, float] = {"f16": 16.0, "q8_0": 8.5, "q5_k_m": 5.7, "q4_k_m": 4.85}
"""Bits that each weight takes, with its share of the scales."""
WITH_GGUF = ("gguf", "ollama", "ollama-adapter", "lmstudio")
WITH_MODELFILE = ("ollama", "ollama-adapter")
SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
"""Names of files and folders that an export makes: nothing that could lead out of its folder."""
SafeName = Annotated[str, msgspec.Meta(pattern=SAFE_NAME)]
CERTIFICATE = "certificate.json"
CHECKSUMS = "checksums.sha256"


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a conversation, as chat templates take it."""

    role: str
    content: str


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt that both sides get: its turns (none for plain text), its text and its token ids as trained on."""

    turns: tuple[Turn, ...]
    text: str
    tokens: tuple[int, ...]


class Pieces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chat template as texts around each turn, where it is no more than that; before and after each role's words.

    `begin` opens a conversation without a system turn; a system turn, which comes first, brings its own opening.
    `answer` opens the answer that is asked for.
    """

    begin: str
    system: tuple[str, str] | None
    user: tuple[str, str]
    assistant: tuple[str, str]
    answer: str


class Prompting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the trained model is prompted. `end_tokens`: first the one that training wrote after each answer.

    `template` is the jinja source, empty for plain text; `frozen_date` says that it asks for today's date, which
    training had frozen. `adds_bos`: plain text began with the token that begins a text.
    """

    template: str
    end_tokens: tuple[int, ...]
    end_texts: tuple[str, ...]
    pieces: Pieces | None
    adds_bos: bool
    frozen_date: bool


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was compared. `measured` and `allowed` are numbers where there is one to compare."""

    name: str
    passed: bool
    words: str
    measured: float | None = None
    allowed: float | None = None


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """Why the two differ: `cause` is a short name, `words` say what was found."""

    cause: Literal[
        "double begin token", "wrong end token", "missing template", "changed template", "changed vocabulary",
        "changed prompt", "changed weights", "changed answers", "missing file",
    ]  # fmt: skip
    words: str


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt and what both said to it. `split_at` is where the artefact's answer parts from the trained one's, and
    `margin` how far the trained model preferred its own token there, in logits; None when the answers are equal."""

    prompt: str
    trained: str
    exported: str
    first_equal: bool
    split_at: int | None = None
    margin: float | None = None


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """`certificate.json`: whether the artefact answers like the trained model, and what that rests on.

    The one beside the artefact has no `exchanges`: they are rows of the user's data, and stay in the run's folder.
    """

    form: str
    quant: str
    runtime: str
    prompts: int
    passed: bool
    verdict: str
    checks: tuple[Check, ...]
    mismatches: tuple[Mismatch, ...]
    exchanges: tuple[Exchange, ...]
    notes: tuple[str, ...]
    made: float
