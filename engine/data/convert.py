"""From a record to a row in its canonical form, under a mapping; what cannot be converted says why.

Texts are kept as they are: nothing is trimmed or corrected.
"""

from __future__ import annotations

from engine.data.cells import Unusable, Values, cell, needed, text_in
from engine.data.choices import multiple_choice
from engine.data.conversations import conversation, earlier_turns, system_message, tools_in
from engine.data.nouns import BadRow, JsonValue, Mapping, Message, Record, Row
from engine.data.preferences import preference, rated


def convert(record: Record, mapping: Mapping) -> Row | BadRow:
    """The row, or the reason there is none."""
    try:
        row = _CONVERTERS[mapping.schema](record.values, mapping)
        _check_characters(row, record.values)
        return row
    except Unusable as error:
        return BadRow(
            line=record.line, problem=error.problem, remedy=error.remedy, column=error.column, file=record.file
        )


def _exchange(values: Values, mapping: Mapping) -> Row:
    asked = needed(values, mapping.instruction, "instruction")
    extra = text_in(values, mapping.input)
    if extra.strip():
        asked = f"{asked}\n\n{extra}"
    answer = _answer(cell(values, mapping.output)) or needed(values, mapping.output, "output")
    before = (*system_message(values, mapping), *earlier_turns(values, mapping))
    return Row(messages=(*before, Message("user", asked), Message("assistant", answer)))


def _answer(value: JsonValue) -> str:
    """The first of several accepted answers, as SQuAD lists them ({text: […]}); "" for any other value."""
    texts = value.get("text") if isinstance(value, dict) else None
    first = texts[0] if isinstance(texts, list) and texts else None
    return first if isinstance(first, str) and first.strip() else ""


def _classification(values: Values, mapping: Mapping) -> Row:
    text = needed(values, mapping.text, "text")
    label = needed(values, mapping.label, "label")
    asked = f"{mapping.task_text}\n\n{text}" if mapping.task_text else text
    return Row(messages=(*system_message(values, mapping), Message("user", asked), Message("assistant", label)))


def _text(values: Values, mapping: Mapping) -> Row:
    return Row(text=needed(values, mapping.text, "text"))


def _chat(values: Values, mapping: Mapping) -> Row:
    return Row(messages=conversation(values, mapping), tools=tools_in(values, mapping))


def _check_characters(row: Row, values: Values) -> None:
    for text in (row.text, *(each.content for each in (*row.messages, *row.rejected))):
        if "\0" in text:
            problem = "It has a NUL character, which is no text: part of the file was overwritten or is binary."
            raise Unusable(problem, "Save the row again, or remove it.", _column_with("\0", values))
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Unusable(
                "It has damaged characters (bytes that are not UTF-8, or half of a character).",
                "Save the file as UTF-8 again from the program it came from.",
                _column_with(text[error.start], values),
            ) from error


def _column_with(character: str, values: Values) -> str | None:
    """The first column whose text has this character."""
    return next((name for name, value in values.items() if isinstance(value, str) and character in value), None)


_CONVERTERS = {
    "chat": _chat,
    "instruction": _exchange,
    "classification": _classification,
    "text": _text,
    "preference": preference,
    "kto": rated,
    "multiple_choice": multiple_choice,
}
