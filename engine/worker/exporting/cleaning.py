"""What an export says of where it was made: nothing. Local paths and credentials are taken out of all files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.spec.exits import Exit
from engine.worker.fault import Fault

CREDENTIAL = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16})\b"
)
"""How the keys of Hugging Face, OpenAI-like services, GitHub and AWS look."""
REMOVED = "[removed]"
NAMED_AFTER_PLACES = ("_name_or_path", "name_or_path")
WORDS_OF_TEXT = ("tokenizer.json", "vocab.json", "added_tokens.json")
"""Files that hold pieces of language, which may look like anything."""
HEADER_BYTES = 8


def cleaned(text: str, private: Sequence[str]) -> str:
    """The text without credentials and places of this machine; of a path its last part stays."""
    text = CREDENTIAL.sub(REMOVED, text)
    for place in sorted(private, key=len, reverse=True):
        text = re.sub(re.escape(place) + r"(?:[/\\]+[^\s\"'/\\:]+)*", lambda found: _last(found.group(), private), text)
    return text


def _last(path: str, private: Sequence[str]) -> str:
    return REMOVED if path in private else re.split(r"[/\\]", path)[-1]


def cleaned_json(value: Any, private: Sequence[str]) -> Any:
    """The same for every text in a JSON value; entries that only say where a model was loaded from are left out."""
    if isinstance(value, str):
        return cleaned(value, private)
    if isinstance(value, list):
        return [cleaned_json(each, private) for each in value]
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if name not in NAMED_AFTER_PLACES}
        return {name: cleaned_json(each, private) for name, each in kept.items()}
    return value


def clean_folder(place: Path, private: Sequence[str]) -> None:
    """Clean every JSON and text file in a folder. Raises OSError."""
    for path in _words(place):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            after = json.dumps(cleaned_json(json.loads(text), private), indent=2, ensure_ascii=False) + "\n"
        else:
            after = cleaned(text, private)
        if after != text:
            path.write_text(after, encoding="utf-8", newline="\n")


def _words(place: Path) -> Iterator[Path]:
    for path in sorted(place.rglob("*")):
        if path.is_file() and path.name not in WORDS_OF_TEXT and path.suffix in (".json", ".md", ".txt", ".jinja", ""):
            yield path


def refuse_leaks(place: Path, private: Sequence[str]) -> None:
    """Raises Fault when a file still names a place of this machine, or holds something that looks like a key."""
    for path in [*_words(place), *place.rglob("*.safetensors")]:
        text = _head(path) if path.suffix == ".safetensors" else path.read_text(encoding="utf-8")
        if CREDENTIAL.search(text) or any(each in text for each in private):
            raise Fault(
                Exit.BAD_SPEC,
                "The export was not finished: it would have said where it was made.",
                f"{path.name} names a folder of this machine or holds something that looks like a key.",
                "Take it out of the version's name and notes, and export again.",
            )


def _head(path: Path) -> str:
    """The header of a safetensors file, where its names and notes are."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(HEADER_BYTES), "little")
        return file.read(size).decode("utf-8", "replace")
