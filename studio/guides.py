"""The help that ships with the app: guides in Markdown and the glossary, read once and searched without a network."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import msgspec

ORDER = (
    "first-steps",
    "data",
    "templates",
    "settings-of-a-run",
    "memory",
    "curve",
    "anomalies",
    "runs",
    "versions",
    "playground",
    "export",
    "install",
    "home",
    "serving",
    "keyboard",
    "troubleshooting",
)
"""Guides in the order of the user's journey."""


class Guide(msgspec.Struct, frozen=True):
    """A page of help. `text` is Markdown and begins with its title."""

    id: str
    text: str

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0].removeprefix("# ")

    @property
    def lead(self) -> str:
        """The first paragraph, or the first point of a list, without the signs of Markdown."""
        body = self.text.partition("\n")[2].strip()
        paragraph = re.split(r"\n\s*\n|\n(?=- )", body, maxsplit=1)[0]
        return re.sub(r"[*`]|\[([^]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.removeprefix("- ").split()))


class Term(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word of the field: what it means, an example, and the settings that are about it."""

    term: str
    meaning: str
    example: str
    settings: tuple[str, ...] = ()


@cache
def guides() -> tuple[Guide, ...]:
    """Every guide."""
    folder = files("assets") / "help"
    return tuple(Guide(name, (folder / f"{name}.md").read_text(encoding="utf-8")) for name in ORDER)


def guide(name: str) -> Guide | None:
    """A guide by its id, as error cards name it."""
    return next((each for each in guides() if each.id == name), None)


@cache
def terms() -> tuple[Term, ...]:
    """The glossary, in the order of the alphabet."""
    raw = (files("assets") / "glossary.json").read_bytes()
    return tuple(sorted(msgspec.json.decode(raw, type=tuple[Term, ...]), key=lambda each: each.term.casefold()))


@cache
def term_of(setting: str) -> Term | None:
    """The term that explains a setting, by the setting's name."""
    return next((each for each in terms() if setting in each.settings), None)


@cache
def term_named(name: str) -> Term:
    """The term of this name. Raises StopIteration for one that the glossary does not have."""
    return next(each for each in terms() if each.term == name)


@cache
def _names() -> tuple[re.Pattern[str], dict[str, Term]]:
    """What finds a term in a text, the longest first, and the terms by their names."""
    known = {each.term.casefold(): each for each in terms()}
    longest = sorted(known, key=len, reverse=True)
    return re.compile(rf"(?<![\w+-])({'|'.join(map(re.escape, longest))})(?:s|es)?(?![\w+-])"), known


@cache
def terms_in(words: str) -> tuple[Term, ...]:
    """The terms that occur in these words, one or many, in their order, each once."""
    pattern, known = _names()
    found = dict.fromkeys(pattern.findall(words.casefold()))
    return tuple(known[each] for each in found)


def search(words: str) -> tuple[list[Guide], list[Term]]:
    """Guides and terms that have every word; those that have them in their name come first."""
    wanted = words.casefold().split()

    def has(text: str) -> bool:
        folded = text.casefold()
        return all(word in folded for word in wanted)

    found = [each for each in guides() if has(each.text)]
    named = [each for each in terms() if has(f"{each.term} {each.meaning} {each.example}")]
    return sorted(found, key=lambda each: not has(each.title)), sorted(named, key=lambda each: not has(each.term))
