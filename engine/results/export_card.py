"""The README of an export: an honest model card. It says what was measured, with intervals, and what was not.

Front matter as the Hugging Face Hub reads it (hub-docs, `docs/hub/model-cards.md`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from engine.results.evaluation import Evaluation
from engine.results.measured import Mean, Result
from engine.results.versions import Version
from engine.spec.exports import FORMS, WITH_GGUF, Form, Quant
from engine.spec.fields import settings_of
from engine.spec.runspec import Training, TrainJob

MEASURES = ("exact_match", "token_f1", "label", "json_valid", "json_fields", "rouge_l", "loss")
"""Shown in the card, in this order, where they were measured."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a card tells of: the version, how it was trained, what it scored, and the form it is in."""

    version: Version
    job: TrainJob
    evaluation: Evaluation | None
    form: Form
    quant: Quant
    name: str
    rows: int | None


def card_of(about: About) -> str:
    """The whole README."""
    parts = [_front(about), _opening(about), _usage(about), _data(about), _training(about), _measured(about)]
    return "\n\n".join([*parts, _limits(about)]) + "\n"


def _front(about: About) -> str:
    adapter = about.form in ("adapter", "ollama-adapter")
    library = {"adapter": "peft", "onnx": "onnx", **dict.fromkeys(WITH_GGUF, "gguf")}
    lines = [
        "---",
        f"base_model: {json.dumps(about.job.model.name, ensure_ascii=False)}",
        f"base_model_relation: {'adapter' if adapter else 'finetune'}",
        f"library_name: {library.get(about.form, 'transformers')}",
        "pipeline_tag: text-generation",
        f"tags: [peft-studio, {about.version.method}]",
        "---",
    ]
    return "\n".join(lines)


def _opening(about: About) -> str:
    title, what = FORMS[about.form]
    number = f" ({about.quant})" if about.quant != "none" else ""
    return (
        f"# {about.version.title}\n\n"
        f"{about.job.model.name}, fine-tuned with {about.version.method} on “{about.version.dataset}”.\n\n"
        f"This is the {title}{number}. {what} The file `certificate.json` says how its answers were "
        "compared with those of the trained model, and `checksums.sha256` lists every file (`sha256sum --check "
        "checksums.sha256`)."
    )


def _usage(about: About) -> str:
    file = f"{about.name}-{about.quant}.gguf"
    ollama = "console", f"$ ollama create {about.name.lower()} -f Modelfile\n$ ollama run {about.name.lower()}"
    code = {
        "adapter": (
            "python",
            "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f"base = AutoModelForCausalLM.from_pretrained({json.dumps(about.job.model.name, ensure_ascii=False)})\n"
            'model = PeftModel.from_pretrained(base, ".")\ntokenizer = AutoTokenizer.from_pretrained(".")',
        ),
        "gguf": ("console", f'$ llama-cli -m {file} -p "Hello!"'),
        "lmstudio": ("text", "Copy the folder in here into LM Studio's folder of models, and choose it there."),
        "ollama": ollama,
        "ollama-adapter": ollama,
        "onnx": ("python", 'import onnxruntime\n\nsession = onnxruntime.InferenceSession("model.onnx")'),
        "package": ("console", '$ pip install -r requirements.txt\n$ python generate.py "Hello!"'),
    }
    whole = (
        "python",
        "from transformers import pipeline\n\n"
        'ask = pipeline("text-generation", model=".")\n'
        'print(ask([{"role": "user", "content": "Hello!"}])[0]["generated_text"][-1]["content"])',
    )
    language, words = code.get(about.form, whole)
    return f"## Usage\n\n```{language}\n{words}\n```"


def _data(about: About) -> str:
    rows = f"{about.rows:,} rows were trained on. " if about.rows else ""
    return (
        f"## Data\n\n“{about.version.dataset}” (content hash `{about.version.dataset_hash[:16]}`). {rows}Held-out rows "
        "were never trained on. The data itself is not part of this package; what it says of people or facts was not "
        "checked."
    )


def _training(about: About) -> str:
    described = settings_of(Training)
    values = msgspec.structs.asdict(about.job.training)
    lines = [f"| {described[name].title} | {value} |" for name, value in values.items() if name in described]
    method = msgspec.to_builtins(about.job.method)
    lines += [f"| {name} | {_plain(value)} |" for name, value in method.items()]
    head = f"{about.version.steps:,} optimizer steps, precision {about.version.precision}."
    return "\n".join(["## Training", "", head, "", "| setting | value |", "|---|---|", *lines])


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def _measured(about: About) -> str:
    evaluation = about.evaluation
    if evaluation is None:
        return "## Measurements\n\nNot evaluated: whether it is better than its base was not measured."
    found = [result for name in MEASURES if (result := evaluation.result(name))]
    rows = [f"| {_title(result)} | {_range(result.base)} | {_range(result.tuned)} |" for result in found]
    head = f"{evaluation.verdict} In brackets: 95 % intervals, where the rows allow one."
    table = ["| measure | base | tuned |", "|---|---|---|", *rows] if rows else []
    return "\n".join(["## Measurements", "", head, "", *table]).rstrip()


def _title(result: Result) -> str:
    return f"{result.measure.title} ({result.measure.unit})"


def _range(mean: Mean) -> str:
    return f"{mean.value:.3f}" + (f" ({mean.low:.3f} to {mean.high:.3f})" if mean.has_interval else "")


def _limits(about: About) -> str:
    few = about.evaluation is not None and len(about.evaluation.examples) < 100
    lines = [
        "It was tuned for one task, on the rows above; outside of them it may be worse than its base.",
        "It can state wrong things with confidence. Check what it says before anyone relies on it.",
        "Safety, bias and other languages than those of its data were not measured.",
        f"The license and the limits of its base, {about.job.model.name}, apply.",
    ]
    if about.form in WITH_GGUF and about.quant != "f16":
        lines.append(f"Its weights are rounded to {about.quant}; the certificate says how far that moves its scores.")
    if few:
        lines.append("The measurements rest on few rows; their intervals are wide.")
    return "\n".join(["## Limits", "", *(f"- {line}" for line in lines)])
