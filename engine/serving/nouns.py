"""The nouns of the playground: a conversation, its turns, and what each model replied. Plain values, no I/O."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.data.nouns import Message
from engine.results.agreement import Rated
from engine.spec.answers import BASE, Answering

Ending = Literal["", "end", "length", "stop", "stopped", "failed"]
"""Why a reply ended: not yet (empty), by itself, at its longest, at a stop word, by the person, or because the model
could not go on."""
TITLE_LETTERS = 60


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers: the base model (`id` is BASE) or a version of it."""

    id: str
    title: str

    @property
    def tuned(self) -> bool:
        """A version, not the base."""
        return self.id != BASE


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one model replied, and what a person thought of it: `good`, bad, or None where they did not say.

    `better` is the answer that they would rather have had. Times in seconds; `forgotten` counts the earlier turns that
    the model could not read any more.
    """

    speaker: Speaker
    text: str = ""
    ended: Ending = ""
    tokens: int = 0
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    seconds: float = 0.0
    forgotten: int = 0
    problem: str = ""
    good: bool | None = None
    better: str = ""

    @property
    def liked(self) -> str:
        """The words that should have been said, as far as is known: the better answer, or the reply's own."""
        return self.better or self.text


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A question and the replies to it, in the order of the speakers. `id` is unique in its conversation."""

    id: str
    asked: str
    made: float
    replies: tuple[Reply, ...] = ()

    def reply(self, speaker: str) -> Reply | None:
        """What this speaker replied."""
        return next((each for each in self.replies if each.speaker.id == speaker), None)

    def with_reply(self, reply: Reply) -> Turn:
        """The turn with this reply in the place of the speaker's former one."""
        if self.reply(reply.speaker.id) is None:
            return msgspec.structs.replace(self, replies=(*self.replies, reply))
        replies = tuple(reply if each.speaker.id == reply.speaker.id else each for each in self.replies)
        return msgspec.structs.replace(self, replies=replies)


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one conversation: on which base model, who answers, how, and what was said."""

    id: str
    title: str
    model: str
    model_path: str
    speakers: tuple[Speaker, ...]
    system: str = ""
    answering: Answering = Answering()
    turns: tuple[Turn, ...] = ()
    made: float = 0.0
    changed: float = 0.0

    @property
    def words(self) -> str:
        """What a search looks through."""
        said = [words for turn in self.turns for words in (turn.asked, *(each.liked for each in turn.replies))]
        return "\n".join([self.title, *said])

    @property
    def thumbs(self) -> int:
        """How many of its answers have a thumb, up or down."""
        return sum(reply.good is not None for turn in self.turns for reply in turn.replies)

    def before(self, speaker: str, turn: str) -> tuple[Message, ...]:
        """What a speaker reads before it answers a turn: the system text, its own side of earlier turns, the question.

        With a better answer given, that one stands for what it said; a turn that it did not answer is left out.
        """
        system = (Message("system", self.system),) if self.system.strip() else ()
        said: list[Message] = []
        for each in self.turns:
            if each.id == turn:
                return (*system, *said, Message("user", each.asked))
            reply = each.reply(speaker)
            if self.answering.remember and reply and reply.liked.strip():
                said += [Message("user", each.asked), Message("assistant", reply.liked)]
        return (*system, *said)

    def with_turn(self, turn: Turn) -> Conversation:
        """The conversation with a turn in the place of the one with its id, or at its end; the first one names it."""
        title = self.title or titled(turn.asked)
        if any(each.id == turn.id for each in self.turns):
            turns = tuple(turn if each.id == turn.id else each for each in self.turns)
        else:
            turns = (*self.turns, turn)
        return msgspec.structs.replace(self, title=title, turns=turns)

    def turn(self, turn_id: str) -> Turn | None:
        """The turn with this id."""
        return next((each for each in self.turns if each.id == turn_id), None)


def titled(words: str) -> str:
    """A title made of a question."""
    line = " ".join(words.split())
    return line if len(line) <= TITLE_LETTERS else f"{line[: TITLE_LETTERS - 1].rstrip()}…"


def rated_pairs(conversation: Conversation, version: str) -> list[Rated]:
    """What base and a version replied to the same words, where the person rated one of them; the newest first.

    Of a conversation that goes on only its first turn: after it each of them reads something else.
    """
    said = conversation.turns[:1] if conversation.answering.remember else conversation.turns
    pairs = [(turn, turn.reply(BASE), turn.reply(version)) for turn in reversed(said)]
    return [
        Rated(
            prompt="\n\n".join(filter(None, (conversation.system.strip(), turn.asked))),
            base=base.text,
            tuned=tuned.text,
            base_up=base.good,
            tuned_up=tuned.good,
        )
        for turn, base, tuned in pairs
        if base and tuned and base.text.strip() and tuned.text.strip() and (base.good, tuned.good) != (None, None)
    ]
