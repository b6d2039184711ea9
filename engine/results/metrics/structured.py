"""Answers that have to be of a form: JSON with the right fields, or words that must or must not be there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from engine.core.errors import DataError
from engine.spec.suite import Pattern

FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL)
DECODER = msgspec.json.Decoder()
MOSTLY = 0.9


class NoJson(ValueError):
    """The text is not one JSON value."""


def parsed(text: str) -> object:
    """The JSON value that a text is, a fence of Markdown around it left out. Raises NoJson."""
    plain = text.strip()
    if fenced := FENCE.match(plain):
        plain = fenced.group(1)
    try:
        return DECODER.decode(plain)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise NoJson(str(error)) from error


def json_valid(answer: str, reference: str) -> bool:
    """Whether the answer is JSON, an object or a list where the reference is one."""
    try:
        return type(parsed(answer)) is type(parsed(reference))
    except NoJson:
        return False


def json_fields(answer: str, reference: str) -> float:
    """The share of fields that have the right value, 0 to 1: of all that are wanted or were said. No JSON: 0.

    A field is a place in the value (`address.city`, `items.0.price`); numbers are equal by value, texts by letter.
    """
    try:
        said, wanted = dict(_fields(parsed(answer))), dict(_fields(parsed(reference)))
    except NoJson:
        return 0.0
    places = said.keys() | wanted.keys()
    right = sum(place in said and place in wanted and _same(said[place], wanted[place]) for place in places)
    return right / len(places)


def _fields(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every value that holds no others, by its place; an empty object or list is such a value."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _fields(inner, (*place, str(name)))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _fields(inner, (*place, number))
    else:
        yield place, value


def _same(said: object, wanted: object) -> bool:
    if isinstance(said, bool) or isinstance(wanted, bool):
        return said is wanted
    return said == wanted


def mostly_json(references: Sequence[str]) -> bool:
    """Whether nearly all references are JSON objects or lists."""
    return bool(references) and sum(map(_is_structure, references)) >= MOSTLY * len(references)


def _is_structure(text: str) -> bool:
    try:
        return isinstance(parsed(text), dict | list)
    except NoJson:
        return False


def holds(pattern: Pattern, answer: str) -> bool:
    """Whether an answer keeps to a pattern of plain words; an expression is searched for elsewhere (checks)."""
    return (pattern.text.casefold() in answer.casefold()) is pattern.wanted


def expression(pattern: Pattern) -> None:
    """Look whether the pattern is a regular expression; nothing is searched for. Raises DataError."""
    try:
        re.compile(pattern.text)
    except re.error as error:
        raise DataError(
            f"“{pattern.text}” is not a regular expression.",
            f"{error}.",
            "Correct it, or check for plain words instead.",
        ) from error
