"""Turns of a conversation: OpenAI messages with tool calls, ShareGPT turns, transcripts in one text.

Texts are kept as they are; who speaks is found from the usual words, or from the tags given.
"""

from __future__ import annotations

import json
import re

from engine.data.cells import Unusable, Values, as_text, cell, parsed, text_in
from engine.data.nouns import JsonValue, Mapping, Message, Speaker, Tags, ToolCall

SPEAKERS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "customer": "user",
    "prompter": "user",
    "client": "user",
    "question": "user",
    "q": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "agent": "assistant",
    "ai": "assistant",
    "support": "assistant",
    "answer": "assistant",
    "a": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
    "function_response": "tool",
    "ipython": "tool",
}
ROLE_FIELDS = ("role", "from", "speaker", "author", "sender")
CONTENT_FIELDS = ("content", "value", "text", "message", "utterance", "parts")
TURN = re.compile(
    r"^[ \t]*(?:#{1,4}[ \t]*|\*\*)?(system|user|human|customer|client|assistant|bot|agent|ai|gpt|support|q|a)"
    r"(?:\*\*)?[ \t]*:(?:\*\*)?[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
KNOWN = "system, user, assistant or tool"


def conversation(values: Values, mapping: Mapping) -> tuple[Message, ...]:
    """The messages of a record, the system message first. Raises Unusable."""
    messages = read_messages(cell(values, mapping.messages), mapping.messages, mapping.tags)
    if messages and messages[0].role != "system":
        messages = (*system_message(values, mapping), *messages)
    check_order(messages, mapping.messages)
    return messages


def earlier_turns(values: Values, mapping: Mapping) -> tuple[Message, ...]:
    """The turns before a question: pairs of what was asked and answered, as Alpaca's `history`, or messages.

    Raises Unusable.
    """
    value = parsed(cell(values, mapping.messages))
    if value in (None, "", []):
        return ()
    if is_history(value) and isinstance(value, list):
        speakers: tuple[Speaker, Speaker] = ("user", "assistant")
        pairs = (each for each in value if isinstance(each, list))
        return tuple(
            Message(speaker, as_text(text)) for pair in pairs for speaker, text in zip(speakers, pair, strict=True)
        )
    return read_messages(value, mapping.messages, mapping.tags)


def is_history(value: JsonValue) -> bool:
    """A list of pairs of texts."""
    value = parsed(value)
    return isinstance(value, list) and all(
        isinstance(each, list) and len(each) == 2 and all(isinstance(text, str) for text in each) for each in value
    )


def system_message(values: Values, mapping: Mapping) -> tuple[Message, ...]:
    """The record's own system message, or the one given for all."""
    own = text_in(values, mapping.system)
    text = own if own.strip() else mapping.system_text
    return (Message("system", text),) if text.strip() else ()


def read_messages(value: JsonValue, column: str, tags: Tags | None = None) -> tuple[Message, ...]:
    """The messages in a cell, whatever way they are written. Raises Unusable."""
    turns = parse_turns(value)
    if turns is None and isinstance(value, str) and (spoken := transcript(value)):
        return spoken
    if turns is None:
        raise Unusable(f"“{column}” is not a list of messages.", "Write it as [{role, content}, …].", column)
    return tuple(_message(turn, number, column, tags or Tags()) for number, turn in enumerate(turns, start=1))


def parse_turns(value: JsonValue) -> list[JsonValue] | None:
    """The list of turns in a cell, which tables hold as JSON text, and some files inside an object."""
    value = parsed(value)
    if isinstance(value, dict):
        value = next((each for name in ("messages", "conversations", "turns") if (each := value.get(name))), None)
    return value if isinstance(value, list) else None


def transcript(text: str) -> tuple[Message, ...]:
    """The turns of a text such as “User: … Assistant: …”, each on a new line; none when it is not one."""
    marks = list(TURN.finditer(text))
    if len(marks) < 2 or text[: marks[0].start()].strip():
        return ()
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    turns = [
        Message(SPEAKERS[mark[1].lower()], text[mark.end() : end].strip())
        for mark, end in zip(marks, ends, strict=True)
    ]
    speakers = {each.role for each in turns}
    return tuple(turns) if {"user", "assistant"} <= speakers else ()


def fields_of(turn: dict[str, JsonValue], tags: Tags) -> tuple[str, str]:
    """The field with the speaker and the field with the words."""
    if "role" in turn and "content" in turn and not (tags.role or tags.content):
        return "role", "content"  # most files
    role = tags.role or next((each for each in ROLE_FIELDS if each in turn), "role")
    content = tags.content or next((each for each in CONTENT_FIELDS if each in turn), "content")
    return role, content


def _message(turn: JsonValue, number: int, column: str, tags: Tags) -> Message:
    if not isinstance(turn, dict):
        raise Unusable(f"Message {number} is not an object.", "Write it as {role, content}.", column)
    role, words = fields_of(turn, tags)
    speaker = _speaker(turn.get(role), number, column, tags)
    calls = _calls(parsed(turn.get("tool_calls")), number, column) if speaker == "assistant" else ()
    content = _content(turn.get(words), number, column)
    if turn.get(role) == "function_call" and not calls:
        calls, content = _calls(parsed(content), number, column), ""
    if not content.strip() and not calls:
        raise Unusable(f"Message {number} ({speaker}) is empty.", "Fill it in, or remove it.", column)
    name = as_text(turn.get("name")) if speaker == "tool" else ""
    answered = as_text(turn.get("tool_call_id")) if speaker == "tool" else ""
    return Message(speaker, content, calls, name, answered)


def _speaker(said: JsonValue, number: int, column: str, tags: Tags) -> Speaker:
    if isinstance(said, str):
        found = tags.speakers.get(said) or SPEAKERS.get(said.strip().lower())
        if found:
            return found
    raise Unusable(f"Message {number} is by “{said}”, which is not {KNOWN}.", f"Name the speaker {KNOWN}.", column)


def _content(value: JsonValue, number: int, column: str) -> str:
    """Plain content, or the texts of a list of parts; pictures and sound cannot be learned from."""
    if not isinstance(value, list):
        return as_text(value)
    texts: list[str] = []
    for part in value:
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            raise Unusable(f"Message {number} has a part that is not text.", "Only text can be learned from.", column)
        texts.append(text)
    return "".join(texts)


def _calls(value: JsonValue, number: int, column: str) -> tuple[ToolCall, ...]:
    """Calls as OpenAI writes them, {id, function: {name, arguments}}, or plainly {name, arguments}."""
    if value in (None, [], ""):
        return ()
    calls = value if isinstance(value, list) else [value]
    return tuple(_call(each, number, column) for each in calls)


def _call(value: JsonValue, number: int, column: str) -> ToolCall:
    function = value.get("function", value) if isinstance(value, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        remedy = "Write it as {function: {name, arguments}}."
        raise Unusable(f"Message {number} has a tool call without a function's name.", remedy, column)
    given = function.get("arguments", function.get("parameters"))
    arguments = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
    return ToolCall(name, arguments, as_text(value.get("id")) if isinstance(value, dict) else "")


def check_order(messages: tuple[Message, ...], column: str) -> None:
    """Raises Unusable when there is nothing to learn, or a system message in the middle."""
    if not any(each.role == "assistant" for each in messages):
        raise Unusable("No message is by the assistant.", "Add the answer that should be learned.", column)
    if any(each.role == "system" for each in messages[1:]):
        raise Unusable("A system message stands after the first message.", "Put it first, or remove it.", column)
    if not any(each.role == "user" for each in messages):
        raise Unusable("No message is by the user.", "Add what the assistant answers to.", column)


def tools_in(values: Values, mapping: Mapping) -> str:
    """The functions the assistant may call, as a JSON list; "" when there are none. Raises Unusable."""
    value = parsed(cell(values, mapping.tools))
    if value in (None, "", []):
        return ""
    if not isinstance(value, list):
        raise Unusable("The tools are not a list.", "Write them as [{type: function, function: …}, …].", mapping.tools)
    return json.dumps(value, ensure_ascii=False)
