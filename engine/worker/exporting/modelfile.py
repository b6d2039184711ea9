"""Ollama's Modelfile: the GGUF file's name, the chat template in Ollama's own language, and what ends an answer.

Written from the texts that the model's own template puts around each turn, and read back to see that it says the same.
Language: ollama/ollama `docs/modelfile.mdx`, `docs/template.mdx` (Go's text/template).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.spec.exits import Exit
from engine.spec.exports import Pieces, Probe, Prompting, Turn
from engine.worker.fault import Fault

NAME = "Modelfile"
QUOTES = '"""'
CHUNK = re.compile(r'\{\{ ((?:"(?:[^"\\]|\\.)*"|[^"])*?) \}\}', re.DOTALL)
"""One action; braces inside a text do not end it, in Go neither."""


class Sampling(msgspec.Struct, frozen=True):
    """What generation_config.json says of how the model is meant to answer."""

    do_sample: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None

    def parameters(self) -> dict[str, float]:
        """Under Ollama's names; without sampling the likeliest token is taken each time."""
        own = {"top_p": self.top_p, "top_k": self.top_k, "repeat_penalty": self.repetition_penalty}
        warm = {"temperature": self.temperature, **own} if self.do_sample else {"temperature": 0.0}
        return {name: value for name, value in warm.items() if value is not None}


def sampling_of(folder: Path) -> Sampling:
    """The settings in a model's folder; those of transformers where there are none."""
    path = folder / "generation_config.json"
    return msgspec.json.decode(path.read_bytes(), type=Sampling) if path.exists() else Sampling()


def modelfile(gguf: str, prompting: Prompting, sampling: Sampling, context: int, adapter: str = "") -> str:
    """The text of a Modelfile beside the GGUF file, and that of an `adapter` on it where there is one.

    Raises Fault when the template is more than texts around turns.
    """
    lines = [f"FROM ./{gguf}", *([f"ADAPTER ./{adapter}"] if adapter else [])]
    if prompting.template:
        if prompting.pieces is None:
            raise untranslatable("it is more than texts around turns")
        lines.append(f"TEMPLATE {QUOTES}{_template(prompting.pieces)}{QUOTES}")
    lines += [f"PARAMETER stop {_quoted(text)}" for text in prompting.end_texts]
    lines += [f"PARAMETER {name} {value:g}" for name, value in sampling.parameters().items()]
    lines.append(f"PARAMETER num_ctx {context}")
    return "\n".join(lines) + "\n"


def _template(pieces: Pieces) -> str:
    """Every text stands as a Go string, so that no white space is lost or added."""
    opening = [_text(pieces.begin)]
    if pieces.system:
        before, after = pieces.system
        said = [_text(before), "{{ .System }}", _text(after)]
        opening = ["{{ if .System }}", *said, "{{ else }}", *opening, "{{ end }}"]
    user = [_text(pieces.user[0]), "{{ .Content }}", _text(pieces.user[1])]
    assistant = [_text(pieces.assistant[0]), "{{ .Content }}", _text(pieces.assistant[1])]
    turns = ['{{ if eq .Role "user" }}', *user, '{{ else if eq .Role "assistant" }}', *assistant, "{{ end }}"]
    whole = "".join([*opening, "{{ range .Messages }}", *turns, "{{ end }}", _text(pieces.answer)])
    if QUOTES in whole:
        raise untranslatable("it contains three quotes in a row, which end a text there")
    return whole


def _text(text: str) -> str:
    return f"{{{{ {_quoted(text)} }}}}" if text else ""


def _quoted(text: str) -> str:
    """A Go string: JSON's escapes are among Go's, as long as characters stand for themselves."""
    return json.dumps(text, ensure_ascii=False)


class Modelfile:
    """A Modelfile's text read back, as far as it says what this module writes. Raises ValueError."""

    def __init__(self, text: str) -> None:
        self.source = _only(re.findall(r"^FROM (.+)$", text, re.MULTILINE))
        self.adapter = next(iter(re.findall(r"^ADAPTER (.+)$", text, re.MULTILINE)), "")
        templates = re.findall(rf"^TEMPLATE {QUOTES}(.*?){QUOTES}$", text, re.MULTILINE | re.DOTALL)
        self.template = templates[0] if templates else ""
        self.stops = [json.loads(each) for each in re.findall(r"^PARAMETER stop (.+)$", text, re.MULTILINE)]

    def render(self, probe: Probe) -> str:
        """The prompt that Ollama makes of the probe's turns."""
        if not self.template or not probe.turns:
            return probe.text
        words = list(_words(self.template))
        said, rest = _run(words, 0, probe.turns, None)
        if rest != len(words):
            raise ValueError("the template ends before its end")
        return said


def _only(found: list[str]) -> str:
    if len(found) != 1:
        raise ValueError(f"{len(found)} lines begin with FROM")
    return found[0]


def _words(template: str) -> Iterator[str]:
    if CHUNK.sub("", template):
        raise ValueError("there is text outside the braces")
    yield from (found.group(1) for found in CHUNK.finditer(template))


def _run(words: list[str], at: int, turns: tuple[Turn, ...], turn: Turn | None) -> tuple[str, int]:
    """What the words from `at` say, up to an `else` or `end` of an outer block, and where that is."""
    said = ""
    while at < len(words) and not words[at].startswith(("else", "end")):
        word, at = words[at], at + 1
        if word.startswith('"'):
            said += json.loads(word)
        elif word == ".System":
            said += _system(turns)
        elif word == ".Content" and turn is not None:
            said += turn.content
        elif word.startswith("if "):
            part, at = _choice(words, at, word.removeprefix("if "), turns, turn)
            said += part
        elif word == "range .Messages":
            parts = [_run(words, at, turns, each)[0] for each in turns]
            said, at = said + "".join(parts), _run(words, at, turns, turns[0])[1] + 1
        else:
            raise ValueError(f"{word!r} is not known here")
    return said, at


def _choice(words: list[str], at: int, condition: str, turns: tuple[Turn, ...], turn: Turn | None) -> tuple[str, int]:
    """The first branch whose condition holds, and where the block ends."""
    said, found = "", False
    while True:
        part, at = _run(words, at, turns, turn)
        if not found and _holds(condition, turns, turn):
            said, found = part, True
        word, at = words[at], at + 1
        if word == "end":
            return said, at
        condition = word.removeprefix("else").strip().removeprefix("if ")


def _holds(condition: str, turns: tuple[Turn, ...], turn: Turn | None) -> bool:
    if condition == "":
        return True
    if condition == ".System":
        return bool(_system(turns))
    role = re.fullmatch(r'eq \.Role "(\w+)"', condition)
    if role is None or turn is None:
        raise ValueError(f"the condition {condition!r} is not known here")
    return turn.role == role.group(1)


def _system(turns: tuple[Turn, ...]) -> str:
    return "".join(turn.content for turn in turns if turn.role == "system")


def untranslatable(why: str) -> Fault:
    """The card for a template that Ollama's language cannot say."""
    return Fault(
        Exit.BAD_MODEL,
        "This model cannot be made an Ollama package.",
        f"Its chat template cannot be said in Ollama's language: {why}. A guessed one would give wrong answers.",
        "Export a GGUF file: it has the template as it is, and llama.cpp and LM Studio read it.",
    )
