"""A conversation of the playground: one version and its base, asked the same, answering side by side.

Knows nothing of how it is drawn; a screen follows its topics.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec

from engine.core.errors import StudioError
from engine.core.topics import Topic
from engine.data.nouns import Message
from engine.results.versions import Version

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.serving.host import HostSession

KEPT = 50
"""Exchanges kept on the page."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as far as it has come. Times in seconds."""

    text: str = ""
    done: bool = False
    tokens: int = 0
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    seconds: float = 0.0
    error: str = ""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How to answer. Temperature 0 always takes the likeliest word."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int = 0


class Exchange:
    """One prompt and the two answers, each a topic of its own."""

    def __init__(self, number: int, prompt: str) -> None:
        self.number = number
        self.prompt = prompt
        self.base: Topic[Answer] = Topic(Answer())
        self.tuned: Topic[Answer] = Topic(Answer())


class Talk:
    """A version loaded on its base. `state` is loading, ready, or the words of what went wrong."""

    def __init__(self, engine: Engine, version: Version) -> None:
        self._engine = engine
        self.version = version
        self.state: Topic[str] = Topic("loading")
        self.exchanges: Topic[tuple[Exchange, ...]] = Topic(())
        self.memory: Topic[int] = Topic(0)
        self.busy: Topic[bool] = Topic(False)
        profile = next((each for each in engine.planning.profiles() if each.id == version.profile), None)
        asked = profile.generation if profile else None
        self.wish: Topic[Wish] = Topic(
            Wish(temperature=asked.temperature, top_p=asked.top_p, max_new_tokens=min(256, asked.max_new_tokens))
            if asked
            else Wish()
        )
        self._host: HostSession | None = None
        self._opening = anyio.Lock()

    async def open(self) -> HostSession | None:
        """Load base and adapter, once; again when the model has left memory."""
        async with self._opening:
            if self._host is not None and self._host.open:
                return self._host
            self.state.set("loading")
            try:
                self._host = await self._engine.hosts.open(Path(self.version.model_path))
                adapter = self._engine.outcomes.folder.adapter(self.version)
                await self._host.attach(self.version.id, adapter, whole=self.version.whole)
            except StudioError as error:
                self._host = None
                self.state.set(f"{error.card.what} {error.card.why}")
                return None
            self.memory.set(self._host.info.value.memory)
            self.state.set("ready")
            return self._host

    async def ask(self, prompt: str) -> None:
        """Put the prompt to both; the tuned one answers first, for it is the one people wait for."""
        if not prompt.strip() or self.busy.value:
            return
        self.busy.set(True)
        try:
            exchange = Exchange(len(self.exchanges.value) + 1, prompt.strip())
            self.exchanges.set((*self.exchanges.value, exchange)[-KEPT:])
            host = await self.open()
            if host is None:
                failed = Answer(done=True, error="The model is not in memory.")
                exchange.base.set(failed)
                exchange.tuned.set(failed)
                return
            await self._answer(host, exchange.prompt, exchange.tuned, self.version.id)
            await self._answer(host, exchange.prompt, exchange.base, None)
        finally:
            self.busy.set(False)

    async def _answer(self, host: HostSession, prompt: str, topic: Topic[Answer], adapter: str | None) -> None:
        wish, text, start = self.wish.value, "", time.monotonic()
        try:
            async for token in host.generate(
                (Message(role="user", content=prompt),),
                adapter=adapter,
                max_new_tokens=wish.max_new_tokens,
                temperature=wish.temperature,
                top_p=wish.top_p,
                seed=wish.seed,
            ):
                text += token.text
                topic.set(
                    Answer(
                        text=text,
                        done=token.done,
                        tokens=token.tokens,
                        tokens_per_second=token.tokens_per_second,
                        first_token_seconds=token.first_token_seconds,
                        seconds=time.monotonic() - start,
                    )
                )
                self.memory.set(token.memory)
        except StudioError as error:
            topic.set(Answer(text=text, done=True, error=f"{error.card.what} {error.card.why}"))
