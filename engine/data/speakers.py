"""Who is meant by which word in conversations with unusual tags: seen from the order of the turns.

Two speakers that take turns are the user, who begins, and the assistant.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.data.conversations import CONTENT_FIELDS, ROLE_FIELDS, SPEAKERS, parse_turns
from engine.data.nouns import JsonValue, Speaker, Tags

UNUSUAL = 0.7
"""Confidence that two unknown speakers are user and assistant."""
UNCLEAR = 0.4


def tags_of(cells: Sequence[JsonValue]) -> tuple[Tags, float]:
    """The tags of a sample of conversations, and how sure they are; nothing to tag where all is as usual."""
    talks = [turns for each in cells if (turns := parse_turns(each))]
    first = next((turn for turns in talks for turn in turns if isinstance(turn, dict)), None)
    if first is None:
        return Tags(), 1.0
    role = next((each for each in ROLE_FIELDS if each in first), "")
    content = next((each for each in CONTENT_FIELDS if each in first), "") or _wordiest(first, role)
    said = [[turn.get(role) for turn in turns if isinstance(turn, dict)] for turns in talks]
    unknown = {each for turns in said for each in turns if isinstance(each, str) and each.lower() not in SPEAKERS}
    usual = role in ("role", "from") and content in ("content", "value")
    plain = Tags() if usual else Tags(role=role, content=content)
    if not unknown:
        return plain, 1.0
    speakers = _two(said, unknown)
    tags = Tags(role=plain.role, content=plain.content, speakers=speakers)
    return (tags, UNUSUAL) if speakers else (plain, 1.0 if len(unknown) * 4 < len(said) else UNCLEAR)


def _wordiest(turn: dict[str, JsonValue], role: str) -> str:
    texts = {name: len(value) for name, value in turn.items() if isinstance(value, str) and name != role}
    return max(texts, key=lambda name: texts[name], default="")


def _two(said: list[list[JsonValue]], unknown: set[str]) -> dict[str, Speaker]:
    """Two names and no other (but the system): the one that begins is the user."""
    names = {each for turns in said for each in turns if isinstance(each, str) and each.lower() != "system"}
    first = {str(next((each for each in turns if each != "system"), "")) for turns in said}
    begins = next(iter(first)) if len(first) == 1 else ""
    if len(names) != 2 or begins not in names:
        return {}
    (other,) = names - {begins}
    if SPEAKERS.get(begins.lower(), "user") != "user" or SPEAKERS.get(other.lower(), "assistant") != "assistant":
        return {}
    return {begins: "user", other: "assistant"}
