"""Small helpers of the data tests: files written in each format, tiny models with templates, rows of any text."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies

from engine.data.nouns import Message

STARTER = Path(__file__).parents[2] / "assets" / "starter"
LLAMA_3 = (
    "{{- bos_token }}{%- set date_string = strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + '<|eot_id|>' }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{- message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
THINKING = (
    "{%- for message in messages %}{%- set content = message.content %}"
    "{%- if message.role == 'assistant' and '</think>' in content and not loop.last %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>\n' }}{%- endfor %}"
)
TRIMMING = (
    "{%- for message in messages %}{%- if message.role == 'assistant' %}"
    "{{- '<start>model\n' }}{% generation %}{{- message.content | trim }}{{- '<end>' }}{% endgeneration %}{{- '\n' }}"
    "{%- else %}{{- '<start>' ~ message.role ~ '\n' ~ message.content | trim ~ '<end>\n' }}{%- endif %}{%- endfor %}"
)
BLOCKS = """{% for message in messages %}
    {% if message.role == 'assistant' %}
<start>model
{{ message.content }}<end>
    {% else %}
<start>{{ message.role }}
{{ message.content }}<end>
    {% endif %}
{% endfor %}
"""
SPACED = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ 'Assistant: ' + m.content + eos_token + '\n' }}"
    "{% else %}{{ m.role + ': ' + m.content + '\n' }}{% endif %}{% endfor %}"
)
CHATML = (STARTER / "chat_template.jinja").read_text(encoding="utf-8")
TEMPLATES = {
    "chatml": CHATML,
    "llama-3": LLAMA_3,
    "thinking": THINKING,
    "trimming": TRIMMING,
    "blocks": BLOCKS,
    "spaced": SPACED,
}
ADDED = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>", "<start>", "<end>")

texts = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=60)
filled = texts.filter(lambda text: bool(text.strip()))
table_texts = strategies.text(
    strategies.characters(exclude_categories=["Cs", "Cc"]) | strategies.sampled_from(' ",;|\t\n')
)


def make_model(folder: Path, template: str | None) -> Path:
    """The starter's tokenizer with every template's special tokens, offsets that leave spaces out, and a template."""
    folder.mkdir(parents=True)
    tokenizer = json.loads((STARTER / "tokenizer.json").read_text(encoding="utf-8"))
    for number, content in enumerate(ADDED, start=2049):
        plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        tokenizer["added_tokens"].append({"id": number, "content": content, **plain})
    tokenizer["model"]["vocab"]["ĊĊ"] = 2048  # two line breaks melt, as in most large vocabularies
    tokenizer["model"]["merges"].append(["Ċ", "Ċ"])
    tokenizer["post_processor"] = {**tokenizer["decoder"], "type": "ByteLevel", "trim_offsets": True}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    config = json.loads((STARTER / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["bos_token"] = "<|begin_of_text|>"
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copy(STARTER / "generation_config.json", folder)
    model = json.loads((STARTER / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**model, "vocab_size": 2080}), encoding="utf-8")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def as_csv(rows: Sequence[dict[str, str]], delimiter: str = ",") -> bytes:
    """A table as Python's csv module writes it."""
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


def as_jsonl(rows: Sequence[dict[str, str]]) -> bytes:
    """One JSON object a line."""
    return "\n".join(json.dumps(row) for row in rows).encode()


def dialogue(*contents: str, system: str = "") -> tuple[Message, ...]:
    """User and assistant in turns."""
    first = (Message("system", system),) if system else ()
    turns = tuple(Message("assistant" if number % 2 else "user", text) for number, text in enumerate(contents))
    return first + turns
