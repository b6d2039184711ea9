"""Conversations for tests."""

from __future__ import annotations

from engine.serving.nouns import Conversation, Reply, Speaker, Turn
from engine.spec.answers import BASE

BARE = Speaker(id=BASE, title="Base starter")
TUNED = Speaker(id="run-1-v1.0.0", title="Support v1.0.0")


def conversation(name: str = "c1", *asked: str) -> Conversation:
    """A conversation with these questions, each answered by the base and by a version."""
    return Conversation(
        id=name,
        title=name.title(),
        model="starter",
        model_path="/models/starter",
        speakers=(BARE, TUNED),
        turns=tuple(turn(f"t{number}", words) for number, words in enumerate(asked, start=1)),
        made=1.0,
        changed=1.0,
    )


def turn(name: str, asked: str) -> Turn:
    replies = tuple(Reply(speaker=each, text=f"{each.title}: {asked}", ended="end") for each in (BARE, TUNED))
    return Turn(id=name, asked=asked, made=1.0, replies=replies)
