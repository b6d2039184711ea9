"""Answers that people compared or rated: a chosen and a rejected one to the same prompt, or one that is good or bad.

Both answers of a pair are kept as whole conversations with the same beginning.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.data.cells import Unusable, Values, as_flag, as_text, cell, needed, parsed, text_in
from engine.data.conversations import (
    check_order,
    conversation,
    earlier_turns,
    parse_turns,
    read_messages,
    system_message,
    transcript,
)
from engine.data.nouns import JsonValue, Mapping, Message, Row

Messages = tuple[Message, ...]


def preference(values: Values, mapping: Mapping) -> Row:
    """A row whose `messages` end with the chosen answer and whose `rejected` end with the other. Raises Unusable."""
    prompt = _prompt(values, mapping)
    chosen, rejected = (_answer(values, source) for source in (mapping.chosen, mapping.rejected))
    if not prompt and isinstance(chosen, str) and isinstance(rejected, str):
        return _pair(*_parted(values, mapping, chosen, rejected), mapping)
    return _pair(_joined(values, mapping, prompt, chosen), _joined(values, mapping, prompt, rejected), mapping)


def _pair(chosen: Messages, rejected: Messages, mapping: Mapping) -> Row:
    if chosen == rejected:
        raise Unusable("The chosen and the rejected answer are the same.", "Remove the row.", mapping.rejected)
    check_order(chosen, mapping.chosen)
    check_order(rejected, mapping.rejected)
    if chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        raise Unusable("A conversation does not end with an answer.", "Add the answer, or remove the row.", None)
    if not shared_turns(chosen, rejected) or not any(
        each.role == "user" for each in chosen[: shared_turns(chosen, rejected)]
    ):
        raise Unusable("The two answers are to different prompts.", "Give both the same beginning.", mapping.rejected)
    return Row(messages=chosen, rejected=rejected)


def shared_turns(chosen: Messages, rejected: Messages) -> int:
    """How many turns the two conversations have in common from the start; the answers are what comes after."""
    return _shared_length(chosen, rejected)


def _shared_length(one: Sequence[object], other: Sequence[object]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (left, right) in pairs if left != right), min(len(one), len(other)))


def _prompt(values: Values, mapping: Mapping) -> Messages:
    """What is answered: messages, a transcript, or a text with its extra context and the turns before it."""
    value = cell(values, mapping.instruction or mapping.messages)
    if parse_turns(value) is not None:
        return read_messages(value, mapping.instruction or mapping.messages, mapping.tags)
    text = as_text(value)
    extra = text_in(values, mapping.input)
    if not text.strip():
        return ()
    before = earlier_turns(values, mapping) if mapping.instruction else ()
    return (*before, Message("user", f"{text}\n\n{extra}" if extra.strip() else text))


def _answer(values: Values, source: str) -> Messages | str:
    """The answer as messages, or as text."""
    value = parsed(cell(values, source))
    single: list[JsonValue] = [value]
    if isinstance(value, dict) and "messages" not in value:
        value = single  # one message, as LLaMA-Factory writes it
    if parse_turns(value) is not None:
        return read_messages(value, source)
    text = needed(values, source, "answer")
    return transcript(text) or text


def _joined(values: Values, mapping: Mapping, prompt: Messages, answer: Messages | str) -> Messages:
    """Prompt and answer as one conversation; an answer that repeats the prompt is one already."""
    messages = (Message("assistant", answer),) if isinstance(answer, str) else answer
    whole = bool(messages) and messages[0].role != "assistant"
    messages = messages if whole else (*prompt, *messages)
    opened = messages[0].role == "system"
    return messages if opened else (*system_message(values, mapping), *messages)


def _parted(values: Values, mapping: Mapping, chosen: str, rejected: str) -> tuple[Messages, Messages]:
    """Two texts without a prompt: it is the beginning they share, up to a word's end."""
    common = chosen[: _shared_length(chosen, rejected)]
    end = max(common.rfind(" "), common.rfind("\n")) + 1
    if not common[:end].strip() or not chosen[end:].strip() or not rejected[end:].strip():
        problem = "There is no prompt: no column has it, and the two answers do not begin alike."
        raise Unusable(problem, "Add a column “prompt”.", mapping.chosen)
    opening = (*system_message(values, mapping), Message("user", common[:end].rstrip()))
    return (*opening, Message("assistant", chosen[end:])), (*opening, Message("assistant", rejected[end:]))


def rated(values: Values, mapping: Mapping) -> Row:
    """A row whose last answer is good or bad. Raises Unusable."""
    desired = as_flag(cell(values, mapping.label))
    if desired is None:
        said = text_in(values, mapping.label)
        problem = f"“{said[:40]}” is not a rating." if said.strip() else f"The rating (“{mapping.label}”) is missing."
        raise Unusable(problem, "Write true for a good answer and false for a bad one.", mapping.label)
    spoken = mapping.messages and not mapping.instruction
    messages = conversation(values, mapping) if spoken else _rated_exchange(values, mapping)
    if messages[-1].role != "assistant":
        raise Unusable("The conversation does not end with an answer.", "Add the answer that is rated.", None)
    return Row(messages=messages, desired=desired)


def _rated_exchange(values: Values, mapping: Mapping) -> Messages:
    prompt = _prompt(values, mapping)
    if not prompt:
        needed(values, mapping.instruction, "instruction")
    messages = _joined(values, mapping, prompt, _answer(values, mapping.output))
    check_order(messages, mapping.output)
    return messages
