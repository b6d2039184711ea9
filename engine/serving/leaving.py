"""What a conversation can become outside the playground: Markdown to read, JSON lines to keep, rows to learn from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from engine.data.nouns import RatedAnswer
from engine.serving.nouns import Conversation, Reply

TextForm = Literal["markdown", "jsonl"]
RowsOf = Literal["chat", "preference", "kto", "whole"]
"""Rows made of conversations: answers that were liked, pairs, single ratings, or whole conversations."""
SUFFIXES: dict[TextForm, str] = {"markdown": ".md", "jsonl": ".jsonl"}


def as_text(conversations: Iterable[Conversation], form: TextForm) -> str:
    """Conversations as one text."""
    if form == "jsonl":
        return "".join(msgspec.json.encode(each).decode() + "\n" for each in conversations)
    return "\n\n".join(_markdown(each) for each in conversations) + "\n"


def _markdown(conversation: Conversation) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(conversation.made))
    parts = [f"# {conversation.title}", f"{conversation.model}, {day}"]
    if conversation.system.strip():
        parts += ["**System**", _quoted(conversation.system)]
    for turn in conversation.turns:
        parts += ["## Question", _quoted(turn.asked)]
        for reply in turn.replies:
            parts += [f"**{reply.speaker.title}**{_opinion(reply)}", _quoted(reply.text or "(nothing)")]
            if reply.better:
                parts += ["**Better**", _quoted(reply.better)]
    return "\n\n".join(parts)


def _opinion(reply: Reply) -> str:
    return {True: " (good)", False: " (bad)", None: ""}[reply.good]


def _quoted(words: str) -> str:
    """A block quote that no markup inside can leave: fences and headings stay inside it."""
    return "\n".join(f"> {line}".rstrip() for line in words.splitlines() or [""])


def rated(conversations: Iterable[Conversation], rows: RowsOf) -> list[RatedAnswer]:
    """Conversations as rated answers, for a dataset."""
    if rows == "whole":
        return [each for conversation in conversations for each in _whole(conversation)]
    return [each for conversation in conversations for each in _ratings(conversation)]


def _ratings(conversation: Conversation) -> Iterator[RatedAnswer]:
    for turn in conversation.turns:
        for reply in turn.replies:
            messages = conversation.before(reply.speaker.id, turn.id)
            if reply.text.strip() and reply.ended != "failed":
                yield RatedAnswer(messages=messages, answer=reply.text, good=reply.good)
            if reply.better.strip():
                yield RatedAnswer(messages=messages, answer=reply.better, good=True)


def _whole(conversation: Conversation) -> Iterator[RatedAnswer]:
    """The side of the first speaker, up to the first answer that was bad and that nobody gave a better one for.

    The answers are all learned from, so that its last one stands for the whole.
    """
    side: list[tuple[str, Reply]] = []
    for turn in conversation.turns:
        reply = turn.reply(conversation.speakers[0].id) if conversation.speakers else None
        if reply is None or reply.ended == "failed" or not reply.liked.strip():
            continue
        if reply.good is False and not reply.better:
            break
        side.append((turn.id, reply))
    if side:
        messages = conversation.before(side[-1][1].speaker.id, side[-1][0])
        yield RatedAnswer(messages=messages, answer=side[-1][1].liked, good=True)
