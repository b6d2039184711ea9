"""A step of a fix, done to one row: what it says after it, or that it goes. Knows nothing of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from engine.core.errors import DataError
from engine.data.language import language_of
from engine.data.marks import MARKS
from engine.data.nouns import Mapping, Message, Row, Step, ToolCall
from engine.data.personal import redacted
from engine.data.repair import repaired

_CHANGES: dict[str, Callable[[str], str]] = {"repair_encoding": repaired, "trim": str.strip, "redact": redacted}
WORDS = (
    "drop:FINDING",
    "drop:rows:3,8-10",
    "drop:language:en",
    "hide:rows:3",
    "show",
    "repair_encoding",
    "redact",
    "trim",
)


def step_from(word: str) -> Step:
    """A step as the command line and findings write it, such as `redact` or `drop:duplicates`. Raises DataError."""
    do, _, rest = word.partition(":")
    if do in (*_CHANGES, "show") and not rest:
        return Step(do=do)  # type: ignore[arg-type]
    if do == "remap" and rest:
        return Step(do="remap", mapping=_mapping(rest, word))
    what, _, which = rest.partition(":")
    if do in ("drop", "hide", "show") and what == "rows" and which:
        return Step(do=do, rows=_numbers(which, word))  # type: ignore[arg-type]
    if do in ("drop", "hide") and what == "language" and which:
        return Step(do=do, language=which)  # type: ignore[arg-type]
    if do in ("drop", "hide") and rest in MARKS:
        return Step(do=do, finding=rest)  # type: ignore[arg-type]
    raise DataError(
        f"There is no fix “{word}”.",
        f"Fixes are written: {', '.join(WORDS)}.",
        f"Findings whose rows can be dropped or hidden are: {', '.join(MARKS)}.",
    )


def _mapping(words: str, whole: str) -> Mapping:
    try:
        return msgspec.json.decode(words, type=Mapping)
    except msgspec.MsgspecError as error:
        raise DataError(
            f"“{whole}” is no mapping.", f"{error}.", "Map columns with: data remap DATASET --map instruction=COLUMN."
        ) from error


def _numbers(words: str, whole: str) -> tuple[int, ...]:
    """Numbers and ranges, such as 3,8-10."""
    found: set[int] = set()
    for part in words.split(","):
        first, _, last = part.partition("-")
        if not first.strip().isdecimal() or (last and not last.strip().isdecimal()) or int(first) < 1:
            raise DataError(
                f"“{whole}” names no rows.", "Rows are numbers from 1, such as 3,8-10.", "Write for example drop:rows:3"
            )
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def word_of(step: Step) -> str:
    """The step as `step_from` reads it."""
    if step.mapping is not None:
        return f"{step.do}:{msgspec.json.encode(step.mapping).decode()}"
    if step.rows:
        return f"{step.do}:rows:{','.join(map(str, step.rows))}"
    which = f"language:{step.language}" if step.language else step.finding
    return f"{step.do}:{which}" if which else step.do


class Doing:
    """Does a step to rows in order. `needs_flags` says that each row's marks must be given."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._rows = frozenset(step.rows)
        self._mask = MARKS[step.finding].mask if step.finding else 0
        self._change = _CHANGES.get(step.do)

    @property
    def needs_flags(self) -> bool:
        """Which rows go depends on their marks."""
        return bool(self._mask)

    def __call__(self, number: int, row: Row, flags: int) -> Row | None:
        """The row (numbered from 1) after the step; None when it goes or is hidden."""
        if self._step.do == "show":
            return row
        if self._change is not None:
            return changed(row, self._change)
        if self._step.language:
            said = language_of("\n".join(each.content for each in row.messages if each.role != "system") or row.text)
            return row if said in ("", self._step.language) else None
        return None if number in self._rows or flags & self._mask else row


def changes_of(steps: Sequence[Step]) -> Callable[[Row], Row]:
    """What these steps do to the words of a row, one after the other."""
    ways = [_CHANGES[each.do] for each in steps if each.do in _CHANGES]

    def change(row: Row) -> Row:
        for way in ways:
            row = changed(row, way)
        return row

    return change


def changed(row: Row, change: Callable[[str], str]) -> Row:
    """The row with every text changed, those of tool calls too."""
    return msgspec.structs.replace(
        row,
        text=change(row.text) if row.text else "",
        messages=tuple(_message(each, change) for each in row.messages),
        rejected=tuple(_message(each, change) for each in row.rejected),
    )


def _message(message: Message, change: Callable[[str], str]) -> Message:
    calls = tuple(ToolCall(each.name, change(each.arguments), each.id) for each in message.tool_calls)
    return msgspec.structs.replace(message, content=change(message.content), tool_calls=calls)
