"""How a trained model is prompted, and the prompts that both sides of an export get: its own held-out rows.

Renders with the model's template and tokenizer, as training did; run it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from engine.core.errors import DataError, StudioError
from engine.data.library import rows_in
from engine.data.nouns import DatasetRow, Message
from engine.data.prepare import end_tokens
from engine.data.template import ChatTemplate, Refused, template_source
from engine.data.tokenizer import ModelTokenizer
from engine.spec.exports import Pieces, Probe, Prompting, Turn

PROBES = 8
LONGEST_PROBE = 512
PLAIN_WORDS = 24
"""Words that a text without turns begins with, for the model to go on from."""
SYSTEM, USER, ASSISTANT = "\ue000", "\ue001", "\ue002"
"""Private-use characters that stand for each role's words, to see what a template puts around them."""


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """How to prompt, and with what."""

    prompting: Prompting
    probes: tuple[Probe, ...]


def prompts_for(model: Path, dataset: Path, example: str, context: int) -> Prompts:
    """The first held-out rows of a dataset's folder; where it is gone, the use case's example. Raises StudioError."""
    tokenizer = ModelTokenizer(model)
    rows = list(islice(_held_out(dataset), 4 * PROBES))
    if rows and not any(row.messages for row in rows):
        return _plain(rows, tokenizer, context)
    template = ChatTemplate(template_source(model), tokenizer)
    asked = [*(_question(row) for row in rows), (Message("user", example),)]
    probes = [probe for turns in asked if turns and (probe := _probe(turns, template, tokenizer))]
    fitting = [probe for probe in probes if len(probe.tokens) <= min(LONGEST_PROBE, context // 2)][:PROBES]
    if not fitting:
        raise DataError(
            "There is no prompt to compare the export with.",
            "Neither a held-out row nor the use case's example fits the model's template and half its context.",
            "Import the version's data again, with rows that can be held out.",
        )
    return Prompts(prompting=_prompting(template, tokenizer), probes=tuple(fitting))


def _held_out(dataset: Path) -> Iterator[DatasetRow]:
    try:
        yield from rows_in(dataset, "validation")
    except StudioError:
        return


def _question(row: DatasetRow) -> tuple[Message, ...]:
    """The row's turns up to its last answer; none where it calls tools, which runtimes write each in their own way."""
    turns = row.messages
    while turns and turns[-1].role == "assistant":
        turns = turns[:-1]
    odd = row.tools or any(turn.tool_calls or turn.role == "tool" for turn in turns)
    return () if odd else turns


def _probe(turns: Sequence[Message], template: ChatTemplate, tokenizer: ModelTokenizer) -> Probe | None:
    """The turns as a prompt; None where the template does not take them."""
    try:
        text = template.render(turns, add_generation_prompt=True)
    except Refused:
        return None
    said = tuple(Turn(role=turn.role, content=turn.content) for turn in turns)
    return Probe(turns=said, text=text, tokens=tuple(tokenizer.encode([text])[0].ids))


def _plain(rows: Sequence[DatasetRow], tokenizer: ModelTokenizer, context: int) -> Prompts:
    """Prompts for a model that was trained on plain text: beginnings of the held-out texts."""
    begin = tokenizer.token_id("bos_token") if tokenizer.adds_bos else None
    ends = end_tokens(tokenizer, None)
    probes = []
    for row in rows[:PROBES]:
        text = " ".join(row.text.split(" ")[:PLAIN_WORDS])
        ids = tokenizer.encode([text])[0].ids[: context // 2]
        probes.append(Probe(turns=(), text=text, tokens=tuple(ids if begin is None else [begin, *ids])))
    prompting = Prompting(
        template="",
        end_tokens=ends,
        end_texts=tuple(tokenizer.text_of(end) for end in ends),
        pieces=None,
        adds_bos=begin is not None,
        frozen_date=False,
    )
    return Prompts(prompting=prompting, probes=tuple(probes))


def _prompting(template: ChatTemplate, tokenizer: ModelTokenizer) -> Prompting:
    ends = end_tokens(tokenizer, template)
    return Prompting(
        template=template.source,
        end_tokens=ends,
        end_texts=tuple(tokenizer.text_of(end) for end in ends),
        pieces=pieces_of(template),
        adds_bos=False,
        frozen_date="strftime_now" in template.source,
    )


def pieces_of(template: ChatTemplate) -> Pieces | None:
    """The texts that a template puts around each turn; None where it does more than that."""
    try:
        pieces = _taken_apart(template)
    except (Refused, ValueError):
        return None
    talks = [("user",), ("user", "assistant", "user"), ("user", "assistant", "user", "assistant", "user")]
    talks += [("system", *talk) for talk in talks] if pieces.system else []
    return pieces if all(_same(template, pieces, talk) for talk in talks) else None


def _taken_apart(template: ChatTemplate) -> Pieces:
    """Raises Refused, or ValueError where a part cannot be told from its neighbour."""
    user, assistant = Message("user", USER), Message("assistant", ASSISTANT)
    alone, opened = template.render([user]), template.render([user], add_generation_prompt=True)
    answer = _after(opened, alone)
    first, user_after = _around(alone, USER)
    talk = template.render([user, assistant])
    between, assistant_after = _around(talk.partition(USER)[2], ASSISTANT)
    more = template.render([user, assistant, user])
    user_before = _after(more.partition(ASSISTANT)[2].partition(USER)[0], assistant_after)
    return Pieces(
        begin=_before(first, user_before),
        system=_system(template, user, user_before),
        user=(user_before, user_after),
        assistant=(_after(between, user_after), assistant_after),
        answer=answer,
    )


def _system(template: ChatTemplate, user: Message, user_before: str) -> tuple[str, str] | None:
    """What stands around a system turn; None for templates without one, or that put it into the user's turn."""
    try:
        text = template.render([Message("system", SYSTEM), user])
        before, rest = _around(text, SYSTEM)
        return before, _before(rest.partition(USER)[0], user_before)
    except (Refused, ValueError):
        return None


def _around(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found or mark in after:
        raise ValueError("the words stand there another number of times than once")
    return before, after


def _after(text: str, beginning: str) -> str:
    if not text.startswith(beginning):
        raise ValueError("what stands before a turn depends on what follows it")
    return text.removeprefix(beginning)


def _before(text: str, ending: str) -> str:
    if not text.endswith(ending):
        raise ValueError("a turn is written otherwise at the beginning")
    return text.removesuffix(ending)


def _same(template: ChatTemplate, pieces: Pieces, roles: Sequence[str]) -> bool:
    """Whether the pieces write this conversation as the template does."""
    talk = [Message(role, f"{role} {number}") for number, role in enumerate(roles)]  # type: ignore[arg-type]
    try:
        return template.render(talk, add_generation_prompt=True) == said_by(pieces, talk)
    except Refused:
        return False


def said_by(pieces: Pieces, turns: Sequence[Message]) -> str:
    """A conversation as the pieces write it, up to where the next answer begins."""
    around = {"user": pieces.user, "assistant": pieces.assistant, "system": pieces.system or ("", "")}
    begin = "" if turns and turns[0].role == "system" else pieces.begin
    body = "".join(around[turn.role][0] + turn.content + around[turn.role][1] for turn in turns)
    return begin + body + pieces.answer
