"""What stands in a cell: text as it is, several columns put together by a template, or why it cannot be used."""

from __future__ import annotations

import json
import re

from engine.data.nouns import JsonValue

PLACE = re.compile(r"\{([^{}]+)\}")
Values = dict[str, JsonValue]


class Unusable(ValueError):
    """Why a record has nothing to learn from: what is wrong, how to mend it, and in which column."""

    def __init__(self, problem: str, remedy: str, column: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.remedy, self.column = problem, remedy, column


def as_text(value: JsonValue) -> str:
    """A cell as text: texts as they are, numbers as written, lists and objects as JSON, nothing (and NaN) as ""."""
    if isinstance(value, str):
        return value
    return "" if value is None or value != value else json.dumps(value, ensure_ascii=False)


def columns_in(source: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that a role's source names: itself when it is one, else those in its braces."""
    if source in columns or not (named := PLACE.findall(source)):
        return (source,)
    return tuple(named)


def cell(values: Values, source: str) -> JsonValue:
    """The value of a column, or the text that a template makes of several; nothing when `source` is empty."""
    if not source or source in values:
        return values.get(source)
    if not PLACE.search(source):
        return None
    if not any(as_text(values.get(name)).strip() for name in PLACE.findall(source)):
        return None
    return PLACE.sub(lambda match: as_text(values.get(match[1])), source)


def text_in(values: Values, source: str) -> str:
    """The cell's text; "" when it is empty."""
    return as_text(cell(values, source))


def needed(values: Values, source: str, role: str) -> str:
    """The cell's text. Raises Unusable when there is none."""
    text = text_in(values, source)
    if not text.strip():
        raise Unusable(f"The {role} (“{source}”) is missing.", f"Fill in “{source}”, or remove the row.", source)
    return text


def parsed(value: JsonValue) -> JsonValue:
    """A list or object that a table holds as JSON text; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def as_flag(value: JsonValue) -> bool | None:
    """Good (True) or bad (False), in the words and numbers people rate with; None for anything else."""
    word = as_text(value).strip().strip('"').casefold()
    return True if word in GOOD else False if word in BAD else None


GOOD = frozenset(
    ("true", "1", "1.0", "yes", "y", "good", "desirable", "desired", "up", "thumbs_up", "like", "👍", "+1")
)
BAD = frozenset(
    ("false", "0", "0.0", "no", "n", "bad", "undesirable", "undesired", "down", "thumbs_down", "dislike", "👎", "-1")
)
