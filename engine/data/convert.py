"""From a record to a row in its canonical form, under a mapping; what cannot be converted says why.

Texts are kept as they are: nothing is trimmed or corrected.
"""

from __future__ import annotations

import json
from typing import get_args

from engine.data.nouns import JsonValue, LineProblem, Mapping, Message, Record, Row, Speaker

SPEAKERS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "customer": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "agent": "assistant",
}
assert set(SPEAKERS.values()) == set(get_args(Speaker))


class _Unusable(ValueError):
    """Why a record has nothing to learn from."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def convert(record: Record, mapping: Mapping) -> Row | LineProblem:
    """The row, or the reason there is none."""
    try:
        row = _CONVERTERS[mapping.shape](record.values, mapping)
        _check_characters(row)
        return row
    except _Unusable as error:
        return LineProblem(line=record.line, what=error.what, fix=error.fix)


def as_text(value: JsonValue) -> str:
    """A cell as text: texts as they are, numbers as written, lists and objects as JSON, nothing as ""."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _needed(values: dict[str, JsonValue], column: str, role: str) -> str:
    text = as_text(values.get(column))
    if not text.strip():
        raise _Unusable(f"The {role} (“{column}”) is missing.", f"Fill in “{column}”, or remove the row.")
    return text


def _system(values: dict[str, JsonValue], mapping: Mapping) -> tuple[Message, ...]:
    own = as_text(values.get(mapping.system)) if mapping.system else ""
    text = own if own.strip() else mapping.system_text
    return (Message("system", text),) if text.strip() else ()


def _exchange(values: dict[str, JsonValue], mapping: Mapping) -> Row:
    prompt = _needed(values, mapping.prompt, "question or prompt")
    context = as_text(values.get(mapping.context)) if mapping.context else ""
    if context.strip():
        prompt = f"{prompt}\n\n{context}"
    answer = _needed(values, mapping.answer, "answer")
    return Row(messages=(*_system(values, mapping), Message("user", prompt), Message("assistant", answer)))


def _classification(values: dict[str, JsonValue], mapping: Mapping) -> Row:
    text = _needed(values, mapping.text, "text")
    label = _needed(values, mapping.label, "label")
    asked = f"{mapping.instruction}\n\n{text}" if mapping.instruction else text
    return Row(messages=(*_system(values, mapping), Message("user", asked), Message("assistant", label)))


def _text(values: dict[str, JsonValue], mapping: Mapping) -> Row:
    return Row(text=_needed(values, mapping.text, "text"))


def _conversation(values: dict[str, JsonValue], mapping: Mapping) -> Row:
    turns = parse_turns(values.get(mapping.messages))
    if turns is None:
        raise _Unusable(f"“{mapping.messages}” is not a list of messages.", "Write it as [{role, content}, …].")
    messages = tuple(_message(turn, number) for number, turn in enumerate(turns, start=1))
    if messages and messages[0].role != "system":
        messages = (*_system(values, mapping), *messages)
    _check_order(messages)
    return Row(messages=messages)


def parse_turns(value: JsonValue) -> list[JsonValue] | None:
    """The list of turns in a cell, which tables hold as JSON text."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else None


def _message(turn: JsonValue, number: int) -> Message:
    if not isinstance(turn, dict):
        raise _Unusable(f"Message {number} is not an object.", "Write it as {role, content}.")
    said = turn.get("role", turn.get("from"))
    speaker = SPEAKERS.get(said.strip().lower()) if isinstance(said, str) else None
    if speaker is None:
        known = "system, user or assistant"
        raise _Unusable(f"Message {number} is by “{said}”, which is not {known}.", f"Name the speaker {known}.")
    content = _content(turn.get("content", turn.get("value")), number)
    if not content.strip():
        raise _Unusable(f"Message {number} ({speaker}) is empty.", "Fill it in, or remove it.")
    return Message(speaker, content)


def _content(value: JsonValue, number: int) -> str:
    """Plain content, or the texts of a list of parts; pictures and sound cannot be learned from."""
    if not isinstance(value, list):
        return as_text(value)
    texts: list[str] = []
    for part in value:
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            raise _Unusable(f"Message {number} has a part that is not text.", "Only text can be learned from.")
        texts.append(text)
    return "".join(texts)


def _check_order(messages: tuple[Message, ...]) -> None:
    if not any(each.role == "assistant" for each in messages):
        raise _Unusable("No message is by the assistant.", "Add the answer that should be learned.")
    if any(each.role == "system" for each in messages[1:]):
        raise _Unusable("A system message stands after the first message.", "Put it first, or remove it.")
    if not any(each.role == "user" for each in messages):
        raise _Unusable("No message is by the user.", "Add what the assistant answers to.")


def _check_characters(row: Row) -> None:
    for text in (row.text, *(each.content for each in row.messages)):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _Unusable(
                "It has damaged characters (bytes that are not UTF-8, or half of a character).",
                "Save the file as UTF-8 again from the program it came from.",
            ) from error


_CONVERTERS = {
    "messages": _conversation,
    "sharegpt": _conversation,
    "instruction": _exchange,
    "pairs": _exchange,
    "classification": _classification,
    "text": _text,
}
