"""A conversation as the model's own chat template writes it, and exactly which characters of it are learned.

Learned: the assistant's content and the token that ends its turn; nothing else. The place of a turn's content is found
by rendering again with that content replaced by one character that occurs nowhere else: what stands before and after
it in that rendering stands before and after the content in the true one. A template for which this does not come out
exactly is refused. Templates are foreign code: they run in jinja2's sandbox with a frozen date, and the first
rendering has a time limit.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.core.errors import ModelError
from engine.data.nouns import JsonValue, Message, ToolCall
from engine.data.tokenizer import ModelTokenizer, read_tokenizer_config

if TYPE_CHECKING:
    import jinja2

DEFAULT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'User:\\n' + message['content'] + '\\n\\n' }}"
    "{% else %}{{ 'Assistant:\\n' + message['content'] + eos_token + '\\n\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:\\n' }}{% endif %}"
)
"""For a model that has no chat template: `User:` and `Assistant:`, each on a line above its words, and an end token."""
FROZEN_DATE = datetime.datetime(2024, 7, 26)
"""What a template gets that asks for today: the same text tomorrow, and the date that Llama 3 falls back to."""
TIME_LIMIT = 5.0
PRIVATE = range(0xE000, 0xF8FF)


class Refused(ValueError):
    """The template does not accept this conversation, or its place in the text cannot be told exactly."""


class Rendered(msgspec.Struct, frozen=True):
    """The text of a conversation and the ranges of its characters that are learned, in order, none overlapping."""

    text: str
    learned: tuple[tuple[int, int], ...]


def template_source(folder: Path) -> str:
    """The model's chat template: `chat_template.jinja`, the older place in `tokenizer_config.json`, or the default."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = read_tokenizer_config(folder).chat_template
    if isinstance(found, list):
        by_name = {each.name: each.template for each in found}
        found = by_name.get("default") or next(iter(by_name.values()), None)
    return found or DEFAULT_TEMPLATE


class ChatTemplate:
    """A model's chat template, tried once on a small conversation. Raises ModelError or DataError when it cannot be."""

    def __init__(self, source: str, tokenizer: ModelTokenizer) -> None:
        self.source = source
        self.hash = hashlib.sha256(f"{source}\0{FROZEN_DATE:%Y-%m-%d}".encode()).hexdigest()
        self._specials = tokenizer.config.specials()
        if "eos_token" not in self._specials and (end := tokenizer.end_of_text) is not None:
            self._specials["eos_token"] = tokenizer.text_of(end)
        self._template = _compile(source)
        self._ends = sorted(tokenizer.added, key=len, reverse=True)
        self.end = ""
        self.end = self._try()

    def _try(self) -> str:
        """The token that ends an answer. Endless templates are given up after a time limit."""
        probe = (Message("user", "Question"), Message("assistant", "Answer"))
        try:
            text = _within(TIME_LIMIT, lambda: self.render(probe))
            start, stop = self._place(probe, 1, text)
        except Refused as error:
            raise _unusable(str(error)) from error
        if text[start:stop].strip() != "Answer":
            raise _unusable("It changes the answer's text.")
        following = text[stop:].lstrip()
        end = next((each for each in self._ends if each and following.startswith(each)), "")
        if not end:
            raise _unusable("No special token ends an answer, so the model would not learn to stop.")
        return end

    def render(self, messages: Sequence[Message], *, tools: str = "", add_generation_prompt: bool = False) -> str:
        """The whole text, up to where an answer would begin if asked so. Raises Refused with the template's words.

        `tools` is the JSON list of functions that the assistant may call.
        """
        import jinja2

        turns = [as_turn(each) for each in messages]
        try:
            return self._template.render(
                messages=turns,
                tools=json.loads(tools) if tools else None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **self._specials,
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, IndexError, RecursionError) as error:
            raise Refused(f"The chat template refuses it: {error}") from error

    def mark(self, messages: Sequence[Message], *, start: int = 0, tools: str = "") -> Rendered:
        """The text and what is learned from it: the assistant's turns from the turn `start` on.

        Raises Refused when that cannot be told exactly.
        """
        text = self.render(messages, tools=tools)
        learned: list[tuple[int, int]] = []
        for number, message in enumerate(messages):
            if message.role == "assistant" and number >= start:
                found = self._calls if message.tool_calls else self._turn
                learned += found(messages, number, text, tools)
        if any(before[1] > after[0] for before, after in pairwise(learned)):
            raise Refused("The chat template writes the turns in another order.")
        if tools and not all(each in text for each in _function_names(tools)):
            raise Refused("The chat template does not write the tools that may be called.")
        return Rendered(text, tuple(learned))

    def _turn(self, messages: Sequence[Message], number: int, text: str, tools: str) -> list[tuple[int, int]]:
        """The ranges of one turn: its content, and its end token right after (only white space may part them)."""
        start, stop = self._place(messages, number, text, tools)
        if not text[start:stop].strip():
            return []  # the template leaves this turn's content out (an earlier thought)
        if text[start:stop] not in messages[number].content:
            raise Refused("The chat template rewrites the answer.")
        end = len(text) - len(text[stop:].lstrip())
        if not text.startswith(self.end, end):
            raise Refused(f"The answer is not followed by {self.end}.")
        after = end + len(self.end)
        return [(start, after)] if end == stop else [(start, stop), (end, after)]

    def _calls(self, messages: Sequence[Message], number: int, text: str, tools: str) -> list[tuple[int, int]]:
        """The range of a turn that calls tools: from where its answer begins to the last end token it writes.

        The template writes calls in its own way, so there is no content to look for: the turn is what it adds to the
        conversation before, opened for an answer.
        """
        before = self.render(messages[:number], tools=tools, add_generation_prompt=True)
        whole = self.render(messages[: number + 1], tools=tools)
        if not (whole.startswith(before) and text.startswith(whole)):
            raise Refused("What surrounds a tool call depends on what follows it.")
        end = whole.rfind(self.end, len(before))
        written = whole[len(before) : end]
        if end < 0 or not all(each.name in written for each in messages[number].tool_calls):
            raise Refused("The chat template does not write tool calls.")
        return [(len(before), end + len(self.end))]

    def _place(self, messages: Sequence[Message], number: int, text: str, tools: str = "") -> tuple[int, int]:
        """Where the content of one turn stands in the text."""
        mark = _unused(text, messages)
        swapped = [*messages[:number], Message(messages[number].role, mark), *messages[number + 1 :]]
        parts = self.render(swapped, tools=tools).split(mark)
        if len(parts) != 2:
            raise Refused(f"The chat template writes an answer {len(parts) - 1} times.")
        before, after = parts
        whole = len(before) + len(after) <= len(text)
        if not (whole and text.startswith(before) and text.endswith(after)):
            raise Refused("What surrounds the answer depends on the answer.")
        return len(before), len(text) - len(after)


def as_turn(message: Message) -> dict[str, JsonValue]:
    """A message as templates expect it; the arguments of a call as an object, as transformers documents."""
    turn: dict[str, JsonValue] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [_as_call(each) for each in message.tool_calls]
    if message.name:
        turn["name"] = message.name
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _as_call(call: ToolCall) -> JsonValue:
    try:
        arguments: JsonValue = json.loads(call.arguments)
    except ValueError:
        arguments = call.arguments
    function: dict[str, JsonValue] = {"name": call.name, "arguments": arguments}
    whole: dict[str, JsonValue] = {"type": "function", "function": function}
    return {**whole, "id": call.id} if call.id else whole


def _function_names(tools: str) -> list[str]:
    functions = [each.get("function", each) for each in json.loads(tools) if isinstance(each, dict)]
    return [each["name"] for each in functions if isinstance(each, dict) and isinstance(each.get("name"), str)]


def _unused(text: str, messages: Sequence[Message]) -> str:
    """A private-use character that occurs neither in the text nor in a message."""
    taken = set(text).union(*(each.content for each in messages))
    return next(mark for code in PRIVATE if (mark := chr(code)) not in taken)


def _compile(source: str) -> jinja2.Template:
    """The template in a sandbox, with what transformers gives it: the same filters, functions and white space rules."""
    import jinja2
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from engine.data.generation import GenerationBlock

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = FROZEN_DATE.strftime
    try:
        return environment.from_string(source)
    except jinja2.TemplateError as error:
        raise _unusable(f"It has an error: {error}.") from error


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> str:
    import jinja2

    raise jinja2.TemplateError(message)


def _unusable(why: str) -> ModelError:
    return ModelError(
        "The model's chat template cannot be used for training.",
        f"{why} What is learned could not be told exactly from what is not.",
        "Choose the instruction-tuned version of this model, or another model.",
        "Or put a corrected chat_template.jinja into the model's folder.",
        help="templates",
    )


def _within(seconds: float, work: Callable[[], str]) -> str:
    """The result of `work`, or ModelError after the time limit (its thread ends with this spawned process)."""
    results: list[str | Refused] = []

    def run() -> None:
        try:
            results.append(work())
        except Refused as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not results:
        raise _unusable(f"It did not finish within {seconds:g} seconds.")
    if isinstance(results[0], Refused):
        raise results[0]
    return results[0]
