"""Fills text templates with words; knows the template language, not what any text is about.

`{animal}` takes any animal; `{animal#1}` the same animal wherever it stands in one document, and another than
`{animal#2}`; `{verb.past}` a field of a record; `{animal:a:cap}` passes it through filters ("An owl"). A list entry may
itself be a template. All choices come from the random generator that is handed in.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TypeAlias

Entry: TypeAlias = str | dict[str, str]
Lists: TypeAlias = Mapping[str, list[Entry]]

SLOT = re.compile(r"\{(\w+)(?:#(\w+))?(?:\.(\w+))?((?::\w+)*)\}")
MAX_TRIES = 20


def load_lists(*paths: Path) -> dict[str, list[Entry]]:
    """Reads JSON files of named lists into one mapping."""
    merged: dict[str, list[Entry]] = {}
    for path in paths:
        merged.update(json.loads(path.read_text(encoding="utf-8")))
    return merged


def with_article(text: str) -> str:
    """Puts "a" or "an" before a text; by its first letter, as no word of the lists needs more."""
    return ("an " if text[:1].lower() in "aeiou" else "a ") + text


def capitalised(text: str) -> str:
    """Makes the first letter a capital and leaves the rest."""
    return text[:1].upper() + text[1:]


IRREGULAR = {
    "mouse": "mice", "goose": "geese", "sheep": "sheep", "deer": "deer", "wolf": "wolves", "child": "children",
    "knife": "knives", "bookshelf": "bookshelves", "pair of boots": "pairs of boots", "headphones": "headphones",
    "moss": "moss", "grass": "grass", "tomato": "tomatoes", "potato": "potatoes", "mango": "mangoes",
    "radish": "radishes", "postman": "postmen", "aloe": "aloe plants", "basil": "basil plants", "mint": "mint plants",
    "parsley": "parsley plants", "thyme": "thyme plants", "cactus": "cactus plants", "clover": "clover plants",
    "spinach": "spinach leaves",
}  # fmt: skip


def plural(text: str) -> str:
    """Forms the plural of a noun of the lists."""
    if text in IRREGULAR:
        return IRREGULAR[text]
    if text.endswith("y") and text[-2] not in "aeiou":
        return text[:-1] + "ies"
    return text + ("es" if text.endswith(("s", "x", "ch", "sh")) else "s")


FILTERS: dict[str, Callable[[str], str]] = {
    "a": with_article,
    "cap": capitalised,
    "s": plural,
    "my": lambda text: f"my {text}",
    "your": lambda text: f"your {text}",
}


class Filler:
    """Fills the slots of one document, remembering what the numbered ones were given."""

    def __init__(self, lists: Lists, rng: Random) -> None:
        self._lists = lists
        self._rng = rng
        self._bound: dict[tuple[str, str], Entry] = {}

    def fill(self, template: str) -> str:
        """Returns the template with every slot filled, entries that are templates included."""
        return SLOT.sub(self._value, template)

    def bind(self, name: str, number: str, entry: Entry) -> None:
        """Decides beforehand what `{name#number}` stands for."""
        self._bound[name, number] = entry

    def _value(self, match: re.Match[str]) -> str:
        name, number, field, filters = match.groups()
        entry = self._numbered(name, number) if number else self._pick(name)
        text = self.fill(entry[field] if isinstance(entry, dict) else entry)
        for step in filters.split(":")[1:]:
            text = FILTERS[step](text)
        return text

    def _numbered(self, name: str, number: str) -> Entry:
        key = (name, number)
        if key not in self._bound:
            taken = [entry for (other, _), entry in self._bound.items() if other == name]
            entry = self._picked_and_filled(name)
            for _ in range(MAX_TRIES):
                if entry not in taken:
                    break
                entry = self._picked_and_filled(name)
            self._bound[key] = entry
        return self._bound[key]

    def _picked_and_filled(self, name: str) -> Entry:
        """An entry that is a template is filled at once, so that it reads the same wherever its number stands."""
        entry = self._pick(name)
        return self.fill(entry) if isinstance(entry, str) else entry

    def _pick(self, name: str) -> Entry:
        if name == "codeword":
            return "".join(str(s) for s in self._rng.choices(self._lists["syllable"], k=self._rng.randint(2, 4)))
        if name == "code":
            return f"{self._rng.choice('ABCDEFGHKLMNPRSTUVWXYZ')}{self._rng.randint(100, 99999)}"
        return self._rng.choice(self._lists[name])
