"""Multiple-choice questions: the choices lettered below the question, the letter of the right one as the answer."""

from __future__ import annotations

from string import ascii_uppercase

from engine.data.cells import Unusable, Values, as_text, cell, needed, parsed, text_in
from engine.data.conversations import system_message
from engine.data.nouns import JsonValue, Mapping, Message, Row


def multiple_choice(values: Values, mapping: Mapping) -> Row:
    """A row that asks for the letter. Raises Unusable."""
    question = needed(values, mapping.instruction, "question")
    context = text_in(values, mapping.input)
    texts, names = choices_in(values, mapping)
    right = _right(values, mapping, texts, names)
    listed = "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, texts, strict=False))
    asked = "\n\n".join(each for each in (context, question, listed) if each.strip())
    answer = Message("assistant", ascii_uppercase[right])
    return Row(messages=(*system_message(values, mapping), Message("user", asked), answer))


def choices_in(values: Values, mapping: Mapping) -> tuple[list[str], list[str]]:
    """The choices and, where the file names them (A, B or 1, 2), their names. Raises Unusable."""
    column, *others = mapping.choices or ("",)
    if others:
        texts = [text_in(values, each) for each in mapping.choices]
        while texts and not texts[-1].strip():
            texts.pop()  # questions with fewer choices leave the last columns empty
        names: list[str] = []
    else:
        texts, names = listed_choices(parsed(cell(values, column)))
    if not 2 <= len(texts) <= len(ascii_uppercase) or not all(text.strip() for text in texts):
        raise Unusable("There are not two or more choices to choose from.", "List the choices.", column)
    return texts, names


def listed_choices(value: JsonValue) -> tuple[list[str], list[str]]:
    """Texts and names from a list of texts or of {text, label}, from {text: […], label: […]}, or from {A: …, B: …}."""
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        texts, labels = value["text"], value.get("label")
        assert isinstance(texts, list)
        return [as_text(each) for each in texts], [as_text(e) for e in labels] if isinstance(labels, list) else []
    if isinstance(value, dict):
        return [as_text(each) for each in value.values()], list(value)
    if isinstance(value, list) and value and all(isinstance(each, dict) and "text" in each for each in value):
        objects = [each for each in value if isinstance(each, dict)]
        labels = [as_text(each.get("label", each.get("id"))) for each in objects]
        return [as_text(each["text"]) for each in objects], labels if all(labels) else []
    return ([as_text(each) for each in value], []) if isinstance(value, list) else ([], [])


def _right(values: Values, mapping: Mapping, texts: list[str], names: list[str]) -> int:
    """The number of the right choice: by name, by letter, by its words, or counted."""
    said = needed(values, mapping.output, "right answer").strip()
    bare = said.strip("().: ")
    for known in (names, list(mapping.choices)):
        if bare in known:
            return known.index(bare)
    if bare.upper() in ascii_uppercase[: len(texts)] and len(bare) == 1:
        return ascii_uppercase.index(bare.upper())
    if said in texts:
        return texts.index(said)
    if bare.isdecimal() and 0 <= (number := int(bare) - mapping.first_choice) < len(texts):
        return number
    raise Unusable(f"“{said[:40]}” is none of the choices.", "Give its letter, number or words.", mapping.output)
