"""Which column plays which role, with a confidence for each: from the columns' names, checked against what they hold.

Knows only a sample of records. What is not sure is for the person to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import msgspec

from engine.data.convert import as_text, parse_turns
from engine.data.nouns import Detection, Mapping, Record, RoleGuess, RoleName, Shape
from engine.data.vocabulary import MESSAGES, roles_of_name, words_of

MOST_LABELS = 50
GUESS = 0.45
"""Confidence of a role that only the contents speak for."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample says of one column. `turns` is openai or sharegpt when it holds conversations."""

    name: str
    filled: float
    characters: float
    distinct: int
    values: int
    turns: str
    names: dict[RoleName, float]

    @property
    def label_like(self) -> bool:
        """Few different, short values."""
        few = self.distinct <= min(MOST_LABELS, max(2, self.values // 2))
        return few and self.characters <= 40 and self.distinct >= 2


def columns_of(records: Sequence[Record]) -> tuple[str, ...]:
    """Every column of the records, in the order of their first appearance."""
    return tuple(dict.fromkeys(name for record in records for name in record.values))


def detect_roles(records: Sequence[Record]) -> Detection:
    """The likeliest mapping of these records' columns."""
    columns = [_column(name, records) for name in columns_of(records)]
    for recognise in (_conversation, _exchange, _classification, _single_text, _by_content):
        found = recognise(columns)
        if found is not None:
            return found
    return Detection(roles=tuple(_unused(each) for each in columns), mapping=None, confidence=0.0)


def _column(name: str, records: Sequence[Record]) -> Column:
    cells = [record.values.get(name) for record in records]
    texts = [text for cell in cells if (text := as_text(cell)).strip()]
    return Column(
        name=name,
        filled=len(texts) / max(1, len(cells)),
        characters=fmean([len(text) for text in texts]) if texts else 0.0,
        distinct=len(set(texts)),
        values=len(texts),
        turns=_turns(cells),
        names=roles_of_name(name),
    )


def _turns(cells: Sequence[object]) -> str:
    """openai or sharegpt when most filled cells are lists of turns."""
    kinds: list[str] = []
    for cell in cells[:50]:
        turns = parse_turns(cell) if isinstance(cell, list | str) else None
        first = turns[0] if turns else None
        if isinstance(first, dict):
            kinds.append("openai" if "role" in first else "sharegpt" if "from" in first else "")
        elif cell not in (None, ""):
            kinds.append("")
    for kind in ("openai", "sharegpt"):
        if kinds.count(kind) * 2 > len(kinds):
            return kind
    return ""


def _conversation(columns: list[Column]) -> Detection | None:
    found = [each for each in columns if each.turns]
    if not found:
        return None
    best = max(found, key=lambda each: ("messages" in each.names, each.name in MESSAGES, each.filled))
    shape: Shape = "messages" if best.turns == "openai" else "sharegpt"
    evidence = f"its cells are lists of turns ({'role and content' if shape == 'messages' else 'from and value'})"
    chosen = {best.name: RoleGuess(column=best.name, role="messages", confidence=0.98, evidence=evidence)}
    system = _named(columns, "system", chosen)
    if system:
        chosen[system.column] = system
    mapping = Mapping(shape=shape, messages=best.name, system=system.column if system else "")
    return _detection(columns, chosen, mapping, 0.98)


def _named(columns: list[Column], role: RoleName, taken: dict[str, RoleGuess]) -> RoleGuess | None:
    """The free, filled column whose name speaks loudest for the role."""
    able = [each for each in columns if role in each.names and each.name not in taken and each.values]
    if not able:
        return None
    best = max(able, key=lambda each: (each.names[role], each.filled))
    confidence = best.names[role] * (1.0 if best.filled >= 0.5 or role in ("context", "system") else 0.7)
    return RoleGuess(column=best.name, role=role, confidence=round(confidence, 2), evidence="its name says so")


def _exchange(columns: list[Column]) -> Detection | None:
    """Instruction + input + output, or a prompt and its answer."""
    names = {"_".join(words_of(each.name)): each.name for each in columns}
    if "instruction" in names and "input" in names and (answer := _named(columns, "answer", {})):
        return _alpaca(columns, names["instruction"], names["input"], answer)
    chosen: dict[str, RoleGuess] = {}
    answer = _named(columns, "answer", chosen)
    if answer is None:
        return None
    chosen[answer.column] = answer
    prompt = _named(columns, "prompt", chosen) or _text_as_prompt(columns, chosen)
    if prompt is None:
        return None
    chosen[prompt.column] = prompt
    context, system = _named(columns, "context", chosen), _named(columns, "system", chosen)
    for extra in (context, system):
        if extra:
            chosen[extra.column] = extra
    mapping = Mapping(
        shape="pairs",
        prompt=prompt.column,
        answer=answer.column,
        context=context.column if context else "",
        system=system.column if system else "",
    )
    return _detection(columns, chosen, mapping, min(prompt.confidence, answer.confidence))


def _text_as_prompt(columns: list[Column], taken: dict[str, RoleGuess]) -> RoleGuess | None:
    """Beside an answer, a column of text is what is answered (article and summary)."""
    found = _named(columns, "text", taken)
    if found is None:
        return None
    confidence = round(found.confidence * 0.85, 2)
    return RoleGuess(column=found.column, role="prompt", confidence=confidence, evidence="text beside an answer")


def _alpaca(columns: list[Column], instruction: str, given: str, answer: RoleGuess) -> Detection:
    together = "instruction, input and output belong together"
    chosen = {
        instruction: RoleGuess(column=instruction, role="prompt", confidence=0.97, evidence=together),
        given: RoleGuess(column=given, role="context", confidence=0.97, evidence=together),
        answer.column: answer,
    }
    system = _named(columns, "system", chosen)
    if system:
        chosen[system.column] = system
    mapping = Mapping(
        shape="instruction",
        prompt=instruction,
        context=given,
        answer=answer.column,
        system=system.column if system else "",
    )
    return _detection(columns, chosen, mapping, answer.confidence)


def _classification(columns: list[Column]) -> Detection | None:
    labels = [each for each in columns if "label" in each.names and each.label_like]
    if not labels:
        return None
    label = max(labels, key=lambda each: each.names["label"])
    evidence = f"its name, and only {label.distinct} different values"
    chosen = {label.name: RoleGuess(column=label.name, role="label", confidence=0.95, evidence=evidence)}
    text = _named(columns, "text", chosen) or _named(columns, "prompt", chosen) or _longest(columns, chosen)
    if text is None:
        return None
    text = msgspec.structs.replace(text, role="text")
    chosen[text.column] = text
    mapping = Mapping(shape="classification", text=text.column, label=label.name)
    return _detection(columns, chosen, mapping, min(0.95, text.confidence))


def _longest(columns: list[Column], taken: dict[str, RoleGuess]) -> RoleGuess | None:
    able = [each for each in columns if each.name not in taken and "unused" not in each.names and each.characters > 15]
    if not able:
        return None
    best = max(able, key=lambda each: each.characters)
    confidence = 0.7 if len(able) == 1 else GUESS
    return RoleGuess(column=best.name, role="text", confidence=confidence, evidence="it holds the longest texts")


def _single_text(columns: list[Column]) -> Detection | None:
    """Plain text to continue: one column of text, and nothing else that could be learned from."""
    able = [each for each in columns if "unused" not in each.names and each.values]
    if len(able) != 1:
        return None
    only = able[0]
    named = "text" in only.names
    evidence = "its name, and it is the only text" if named else "it is the only column of text"
    guess = RoleGuess(column=only.name, role="text", confidence=0.95 if named else 0.62, evidence=evidence)
    if {"prompt", "answer"} & set(only.names) and not named:
        guess = RoleGuess(
            column=only.name, role="text", confidence=GUESS, evidence="its other half seems to be missing"
        )
    return _detection(columns, {only.name: guess}, Mapping(shape="text", text=only.name), guess.confidence)


def _by_content(columns: list[Column]) -> Detection | None:
    """Nothing speaks by name: suggest the first two columns of text, and ask."""
    able = [each for each in columns if each.values and each.characters >= 2 and "unused" not in each.names]
    if not able:
        return None
    if len(able) > 1 and able[-1].label_like and not able[0].label_like:
        first, second, shape = able[0], able[-1], "classification"
        roles: tuple[RoleName, RoleName] = ("text", "label")
        mapping = Mapping(shape="classification", text=first.name, label=second.name)
    elif len(able) > 1:
        first, second, shape = able[0], able[1], "pairs"
        roles = ("prompt", "answer")
        mapping = Mapping(shape="pairs", prompt=first.name, answer=second.name)
    else:
        return None
    chosen = {
        column.name: RoleGuess(column=column.name, role=role, confidence=GUESS, evidence=f"a guess ({shape})")
        for column, role in zip((first, second), roles, strict=True)
    }
    return _detection(columns, chosen, mapping, GUESS)


def _detection(columns: list[Column], chosen: dict[str, RoleGuess], mapping: Mapping, confidence: float) -> Detection:
    roles = tuple(chosen.get(each.name) or _unused(each) for each in columns)
    return Detection(roles=roles, mapping=mapping, confidence=round(confidence, 2))


def _unused(column: Column) -> RoleGuess:
    return RoleGuess(column=column.name, role="unused", confidence=0.9, evidence="nothing is learned from it")
