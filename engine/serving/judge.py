"""A local model as judge: a base model, or a version of one, in its model host."""

from __future__ import annotations

from engine.core.errors import RunError
from engine.data.nouns import Message
from engine.results.judging import Judge, NotAnswered
from engine.serving.host import HostSession
from engine.spec.answers import Answering

SHORT = Answering(max_new_tokens=200)


def host_judge(session: HostSession, adapter: str | None = None) -> Judge:
    """Ask the base in this session, or an adapter that is attached to it."""

    async def ask(messages: tuple[Message, ...]) -> str:
        pieces = session.generate(messages, adapter=adapter, answering=SHORT)
        try:
            return "".join([token.text async for token in pieces])
        except RunError as error:
            if not session.open:
                raise
            raise NotAnswered(error.card.why.rstrip(".")) from error  # this pair is too long for it, another may not be

    return ask
