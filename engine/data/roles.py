"""Which column plays which role, with a confidence for each: from the columns' names, checked against what they hold.

Knows only a sample of records. What is not sure is for the person to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from engine.data.columns import Column, columns_of, survey
from engine.data.nouns import Detection, Mapping, Record, RoleGuess, RoleName
from engine.data.speakers import tags_of
from engine.data.vocabulary import CHOICES, FLAGS, HISTORY, LETTERED, MESSAGES, joined_name

GUESS = 0.45
"""Confidence of a role that only the contents speak for."""
Chosen = dict[str, RoleGuess]
__all__ = ["columns_of", "detect_roles"]


def detect_roles(records: Sequence[Record]) -> Detection:
    """The likeliest mapping of these records' columns."""
    columns = survey(records)
    for recognise in _RECOGNISERS:
        found = recognise(columns)
        if found is not None:
            return _with_tags(found, records)
    return Detection(roles=tuple(_ignored(each) for each in columns), mapping=None, confidence=0.0)


def _with_tags(found: Detection, records: Sequence[Record]) -> Detection:
    """Conversations whose speakers have unusual names: who they are, and how sure that is."""
    if found.mapping is None or not found.mapping.talks:
        return found
    tags, sure = tags_of([record.values.get(found.mapping.messages) for record in records])
    mapping = msgspec.structs.replace(found.mapping, tags=tags)
    return msgspec.structs.replace(found, mapping=mapping, confidence=min(found.confidence, sure))


def _guess(column: Column, role: RoleName, confidence: float, evidence: str) -> RoleGuess:
    return RoleGuess(column=column.name, role=role, confidence=round(confidence, 2), evidence=evidence)


def _named(columns: list[Column], role: RoleName, taken: Chosen) -> RoleGuess | None:
    """The free, filled column whose name speaks loudest for the role."""
    may_be_empty = role in ("input", "system", "group")
    free = [each for each in columns if role in each.names and each.name not in taken]
    able = [each for each in free if each.values or may_be_empty]
    if not able:
        return None
    best = max(able, key=lambda each: (each.names[role], each.filled))
    return _guess(best, role, best.names[role] * (1.0 if best.filled >= 0.5 or may_be_empty else 0.7), BY_NAME)


BY_NAME = "its name says so"


def _take(columns: list[Column], role: RoleName, chosen: Chosen) -> str:
    """The column that plays the role, which is then taken; "" when there is none."""
    found = _named(columns, role, chosen)
    if found is None:
        return ""
    chosen[found.column] = found
    return found.column


def _preference(columns: list[Column]) -> Detection | None:
    """A chosen and a rejected answer, as texts or as messages, with their prompt or with a shared beginning."""
    chosen: Chosen = {}
    better, worse = _take(columns, "chosen", chosen), _take(columns, "rejected", chosen)
    if not better or not worse:
        return None
    asked = _take(columns, "instruction", chosen)
    talk = None if asked else _free_conversation(columns, chosen)
    if talk is not None:
        chosen[talk.name] = _guess(talk, "messages", 0.95, "it holds the turns before the answers")
    asked = asked or ("" if talk else _asked(columns, chosen))
    extra = _take(columns, "input", chosen) if asked else ""
    mapping = Mapping(
        schema="preference",
        chosen=better,
        rejected=worse,
        messages=talk.name if talk else _earlier(columns, chosen),
        instruction=asked,
        input=extra,
        system=_take(columns, "system", chosen),
    )
    return _detection(columns, chosen, mapping, min(each.confidence for each in chosen.values()))


def _free_conversation(columns: list[Column], taken: Chosen) -> Column | None:
    found = [each for each in columns if each.turns and each.name not in taken]
    return max(found, key=lambda each: ("messages" in each.names, each.name in MESSAGES, each.filled), default=None)


def _earlier(columns: list[Column], chosen: Chosen) -> str:
    """The column with the turns before the question, which is then taken; "" when there is none."""
    found = next((each for each in columns if each.pairs and joined_name(each.name) in HISTORY), None)
    if found is None:
        return ""
    chosen[found.name] = _guess(found, "messages", 0.95, "its name, and its cells are pairs of question and answer")
    return found.name


def _rated(columns: list[Column]) -> Detection | None:
    """One answer to a prompt (or a conversation), and whether it is good."""
    flags = [each for each in columns if each.flags and joined_name(each.name).removesuffix("s") in FLAGS]
    if not flags:
        return None
    rating = flags[0]
    chosen: Chosen = {rating.name: _guess(rating, "label", 0.95, "its name, and its values are good or bad")}
    talk = _free_conversation(columns, chosen)
    if talk is not None:
        chosen[talk.name] = _guess(talk, "messages", 0.98, "its cells are lists of turns")
        mapping = Mapping(schema="kto", messages=talk.name, label=rating.name)
        return _detection(columns, chosen, mapping, 0.95)
    output, asked = _take(columns, "output", chosen), _asked(columns, chosen)
    if not output or not asked:
        return None
    mapping = Mapping(
        schema="kto",
        instruction=asked,
        output=output,
        label=rating.name,
        messages=_earlier(columns, chosen),
        input=_take(columns, "input", chosen),
        system=_take(columns, "system", chosen),
    )
    return _detection(columns, chosen, mapping, min(chosen[output].confidence, chosen[asked].confidence))


def _multiple_choice(columns: list[Column]) -> Detection | None:
    """A question, its choices in one column or in several, and which is right."""
    listed = [each for each in columns if each.choices and not each.turns and joined_name(each.name) in CHOICES]
    choices = listed[:1] or _lettered(columns)
    if not choices:
        return None
    evidence = "it lists the choices" if listed else "one of the choices, by its letter or number"
    chosen = {each.name: _guess(each, "input", 0.95, evidence) for each in choices}
    output = _take(columns, "output", chosen) or _take(columns, "label", chosen)
    asked = _take(columns, "instruction", chosen) or _take(columns, "text", chosen)
    if not output or not asked:
        return None
    chosen[output] = msgspec.structs.replace(chosen[output], role="output")
    chosen[asked] = msgspec.structs.replace(chosen[asked], role="instruction")
    mapping = Mapping(
        schema="multiple_choice",
        instruction=asked,
        output=output,
        choices=tuple(each.name for each in choices),
        input=_take(columns, "input", chosen),
        system=_take(columns, "system", chosen),
    )
    return _detection(columns, chosen, mapping, min(chosen[output].confidence, chosen[asked].confidence))


def _lettered(columns: list[Column]) -> list[Column]:
    """Columns called A, B, C, … or option_1, option_2, …; two at least."""
    found = [each for each in columns if each.values and LETTERED.fullmatch(joined_name(each.name))]
    marks = [match[1] for each in found if (match := LETTERED.fullmatch(joined_name(each.name)))]
    usual = len(marks) >= 2 and (set(marks[:2]) in ({"a", "b"}, {"1", "2"}, {"0", "1"}))
    return found if usual and len(set(marks)) == len(marks) else []


def _conversation(columns: list[Column]) -> Detection | None:
    best = _free_conversation(columns, {})
    if best is None:
        return None
    chosen = {best.name: _guess(best, "messages", 0.98, "its cells are lists of turns")}
    tools = next((each.name for each in columns if joined_name(each.name) in ("tools", "functions")), "")
    mapping = Mapping(schema="chat", messages=best.name, system=_take(columns, "system", chosen), tools=tools)
    return _detection(columns, chosen, mapping, 0.98)


def _transcript(columns: list[Column]) -> Detection | None:
    """One column of text that says who speaks: “User: … Assistant: …”."""
    spoken = [each for each in columns if each.spoken]
    if len(spoken) != 1:
        return None
    chosen = {spoken[0].name: _guess(spoken[0], "messages", 0.9, "its texts name a speaker before each turn")}
    return _detection(columns, chosen, Mapping(schema="chat", messages=spoken[0].name), 0.9)


def _exchange(columns: list[Column]) -> Detection | None:
    """An instruction and its output, with extra input or without."""
    chosen: Chosen = {}
    output = _take(columns, "output", chosen)
    if not output:
        return None
    asked = _asked(columns, chosen) or _text_as_instruction(columns, chosen)
    if not asked:
        return None
    mapping = Mapping(
        schema="instruction",
        instruction=asked,
        output=output,
        messages=_earlier(columns, chosen),
        input=_take(columns, "input", chosen),
        system=_take(columns, "system", chosen),
    )
    return _detection(columns, chosen, mapping, min(chosen[asked].confidence, chosen[output].confidence))


def _asked(columns: list[Column], chosen: Chosen) -> str:
    """The column with the instruction: where none is called so, an input alone is one."""
    found = _take(columns, "instruction", chosen)
    given = None if found else _named(columns, "input", chosen)
    if given is None:
        return found
    evidence = "an input beside no instruction"
    chosen[given.column] = RoleGuess(
        column=given.column, role="instruction", confidence=round(given.confidence * 0.95, 2), evidence=evidence
    )
    return given.column


def _text_as_instruction(columns: list[Column], chosen: Chosen) -> str:
    """Beside an output, a column of text is what is answered (article and summary)."""
    found = _named(columns, "text", chosen)
    if found is None:
        return ""
    chosen[found.column] = RoleGuess(
        column=found.column,
        role="instruction",
        confidence=round(found.confidence * 0.85, 2),
        evidence="text beside an answer",
    )
    return found.column


def _classification(columns: list[Column]) -> Detection | None:
    labels = [each for each in columns if "label" in each.names and each.label_like]
    if not labels:
        return None
    label = max(labels, key=lambda each: each.names["label"])
    chosen = {label.name: _guess(label, "label", 0.95, f"its name, and only {label.distinct} different values")}
    text = _named(columns, "text", chosen) or _named(columns, "instruction", chosen) or _longest(columns, chosen)
    if text is None:
        return None
    chosen[text.column] = msgspec.structs.replace(text, role="text")
    mapping = Mapping(schema="classification", text=text.column, label=label.name)
    return _detection(columns, chosen, mapping, min(0.95, text.confidence))


def _longest(columns: list[Column], taken: Chosen) -> RoleGuess | None:
    able = [each for each in _able(columns) if each.name not in taken and each.characters > 15]
    if not able:
        return None
    best = max(able, key=lambda each: each.characters)
    return _guess(best, "text", 0.7 if len(able) == 1 else GUESS, "it holds the longest texts")


def _able(columns: list[Column]) -> list[Column]:
    """Columns that something could be learned from."""
    return [each for each in columns if each.values and not {"ignored", "group"} & set(each.names)]


def _single_text(columns: list[Column]) -> Detection | None:
    """Plain text to continue: one column of text, and nothing else that could be learned from."""
    able = _able(columns)
    if len(able) != 1:
        return None
    only = able[0]
    named = "text" in only.names
    guess = _guess(only, "text", 0.62, "it is the only column of text")
    if named:
        guess = _guess(only, "text", 0.95, "its name, and it is the only text")
    elif {"instruction", "output"} & set(only.names):
        guess = _guess(only, "text", GUESS, "its other half seems to be missing")
    return _detection(columns, {only.name: guess}, Mapping(schema="text", text=only.name), guess.confidence)


def _by_content(columns: list[Column]) -> Detection | None:
    """Nothing speaks by name: suggest two columns of text, and ask."""
    able = [each for each in _able(columns) if each.characters >= 2]
    if len(able) < 2:
        return None
    labelled = able[-1].label_like and not able[0].label_like
    first, second = able[0], able[-1] if labelled else able[1]
    roles: tuple[RoleName, RoleName] = ("text", "label") if labelled else ("instruction", "output")
    mapping = Mapping(schema="instruction", instruction=first.name, output=second.name)
    if labelled:
        mapping = Mapping(schema="classification", text=first.name, label=second.name)
    pairs = zip((first, second), roles, strict=True)
    chosen = {column.name: _guess(column, role, GUESS, f"a guess ({mapping.schema})") for column, role in pairs}
    return _detection(columns, chosen, mapping, GUESS)


def _detection(columns: list[Column], chosen: Chosen, mapping: Mapping, confidence: float) -> Detection:
    group = _take([each for each in columns if 2 <= each.distinct < each.values], "group", chosen)
    mapping = msgspec.structs.replace(mapping, group=group)
    roles = tuple(chosen.get(each.name) or _ignored(each) for each in columns)
    return Detection(roles=roles, mapping=mapping, confidence=round(confidence, 2))


def _ignored(column: Column) -> RoleGuess:
    return RoleGuess(column=column.name, role="ignored", confidence=0.9, evidence="nothing is learned from it")


_RECOGNISERS: tuple[Callable[[list[Column]], Detection | None], ...] = (
    _preference,
    _rated,
    _multiple_choice,
    _conversation,
    _exchange,
    _classification,
    _transcript,
    _single_text,
    _by_content,
)
