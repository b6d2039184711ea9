"""The usual names of columns by role. A name counts whole or by one of its words (`customer_message`)."""

from __future__ import annotations

import re

from engine.data.nouns import RoleName


def _names(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


MESSAGES = _names("messages conversations conversation chat dialog dialogue turns items")
NAMES: dict[RoleName, tuple[str, ...]] = {
    "messages": MESSAGES,
    "system": _names("system system_prompt system_message persona"),
    "prompt": _names(
        "prompt question instruction query user input request problem task human customer ask source src premise "
        "inquiry enquiry utterance q frage pregunta anfrage"
    ),
    "answer": _names(
        "answer response completion output reply assistant bot agent target tgt summary solution chosen translation "
        "result gpt generation expected ideal highlights resolution a antwort "
        "respuesta réponse"
    ),
    "context": _names("context passage background reference knowledge"),
    "label": _names("label category class sentiment intent topic tag priority rating emotion"),
    "text": _names(
        "text content document article body sentence review ticket comment description message passage paragraph "
        "story poem post tweet email abstract"
    ),
    "unused": _names("id idx index uuid row_id date time timestamp created_at url rejected score"),
}
WHOLE, PART = 0.95, 0.75
"""Confidence from a name that is in the table, and from one with a word that is."""


def words_of(name: str) -> list[str]:
    """`customerMessage`, `Customer Message` and `customer_message` are the same two words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def roles_of_name(name: str) -> dict[RoleName, float]:
    """The roles a column's name speaks for, each with its confidence."""
    words = words_of(name)
    joined = "_".join(words)
    found: dict[RoleName, float] = {}
    for role, names in NAMES.items():
        if joined in names or joined.removesuffix("s") in names:
            found[role] = WHOLE
        elif any(len(word) > 1 and (word in names or word.removesuffix("s") in names) for word in words):
            found[role] = PART
    return found


def is_known(name: str) -> bool:
    """The whole name is one that columns usually have."""
    return len(name) <= 48 and any(each >= PART for each in roles_of_name(name).values()) and len(words_of(name)) <= 3


def is_text_name(name: str) -> bool:
    """The name of a single column of plain text."""
    return "_".join(words_of(name)) in NAMES["text"]
