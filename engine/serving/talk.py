"""A conversation going on: questions put to one base model and its versions side by side, replies as they come.

Every session that shows the conversation has the same `Talk`, so that all see the same words at the same time. Knows
nothing of how it is drawn; screens follow its topics.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread
import msgspec

from engine.core.errors import StudioError, unexpected
from engine.core.topics import Topic
from engine.serving.conversations import Conversations
from engine.serving.host import HostSession, Token
from engine.serving.nouns import Conversation, Reply, Speaker, Turn, titled
from engine.spec.answers import Answering
from engine.spec.records import Card

log = logging.getLogger(__name__)
SPEAKERS = 4
"""Who can answer side by side: the base and three versions."""
Stream = Topic[Reply]
Change = Callable[[Conversation], Conversation]


class Models(Protocol):
    """Where a talk has its models from."""

    async def session(self, model_path: Path) -> HostSession:
        """A session with the host of a base model; the same one as long as it is open. Raises StudioError."""
        ...

    def adapter(self, version_id: str) -> tuple[Path, bool]:
        """The folder of a version's weights, checked, and whether it is a whole model. Raises StudioError."""
        ...


class Talk:
    """One conversation. `loading` says whether the model is being loaded, `problem` why it could not be.

    `streams` are the replies that are being made, by turn and speaker; `busy` while there are some.
    """

    def __init__(
        self,
        conversation: Conversation,
        kept: Conversations,
        models: Models,
        start: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
        told: Callable[[], None],
    ) -> None:
        self._kept = kept
        self._models = models
        self._start = start
        self._told = told
        self.conversation: Topic[Conversation] = Topic(conversation)
        self.streams: Topic[Mapping[tuple[str, str], Stream]] = Topic({})
        self.busy: Topic[bool] = Topic(False)
        self.loading: Topic[bool] = Topic(False)
        self.problem: Topic[Card | None] = Topic(None)
        self.host: Topic[HostSession | None] = Topic(None)
        self._scope: anyio.CancelScope | None = None

    @property
    def id(self) -> str:
        """The conversation's id."""
        return self.conversation.value.id

    async def load(self) -> HostSession | None:
        """Have the base model and the versions that answer in memory; None when that is not possible."""
        try:
            if self.host.value is None or not self.host.value.open:
                self.loading.set(True)
                self.host.set(await self._models.session(Path(self.conversation.value.model_path)))
            self.problem.set(None)
        except StudioError as error:
            self.host.set(None)
            self.problem.set(error.card)
        finally:
            self.loading.set(False)
        return self.host.value

    async def warm(self) -> None:
        """Load the model, and take the versions on that will answer, before the first question."""
        if host := await self.load():
            for speaker in self.conversation.value.speakers:
                try:
                    await self._take_on(host, speaker)
                except StudioError as error:
                    self.problem.set(error.card)

    async def ask(self, words: str) -> None:
        """Put a question to everyone; returns when it is kept, while the replies are made."""
        if not words.strip() or self.busy.value:
            return
        self.busy.set(True)
        turn = Turn(id=secrets.token_hex(4), asked=words.strip(), made=time.time())
        await self._begin(lambda each: each.with_turn(turn), turn.id)

    async def again(self, turn_id: str, *, failed_only: bool = False) -> None:
        """Have a turn answered anew by everyone, or by those who could not go on."""
        turn = self.conversation.value.turn(turn_id)
        if turn is None or self.busy.value:
            return
        self.busy.set(True)
        failed = [each.speaker.id for each in turn.replies if each.ended == "failed"]
        await self._begin(lambda each: each, turn_id, failed if failed_only else ())

    async def edit(self, turn_id: str, words: str) -> None:
        """Put a question in other words; what was said after it is removed, for it answered something else."""
        if not words.strip() or self.busy.value or self.conversation.value.turn(turn_id) is None:
            return
        self.busy.set(True)

        def changed(each: Conversation) -> Conversation:
            place = next((i for i, turn in enumerate(each.turns) if turn.id == turn_id), len(each.turns))
            turn = Turn(id=turn_id, asked=words.strip(), made=time.time())
            return msgspec.structs.replace(each, turns=(*each.turns[:place], turn))

        await self._begin(changed, turn_id)

    def stop(self) -> None:
        """End the replies that are being made; what was said of them stays."""
        if self._scope is not None:
            self._scope.cancel()

    async def rate(self, turn_id: str, speaker: str, *, good: bool | None, better: str | None = None) -> None:
        """Keep what a person thought of a reply. A better answer makes the one given a bad one."""

        def changed(each: Conversation) -> Conversation:
            turn = each.turn(turn_id)
            reply = turn.reply(speaker) if turn else None
            if turn is None or reply is None:
                return each
            words = reply.better if better is None else better.strip()
            rated = msgspec.structs.replace(reply, good=False if better and words else good, better=words)
            return each.with_turn(turn.with_reply(rated))

        await self.change(changed)

    async def rename(self, title: str) -> None:
        """Give the conversation another title; an empty one changes nothing."""
        if title.strip():
            await self.change(lambda each: msgspec.structs.replace(each, title=titled(title)))

    async def speak(self, speakers: Sequence[Speaker]) -> None:
        """Let these answer from now on, at least one and at most four."""
        if chosen := tuple(speakers)[:SPEAKERS]:
            await self.change(lambda each: msgspec.structs.replace(each, speakers=chosen))

    def set(self, *, system: str | None = None, answering: Answering | None = None) -> None:
        """Change the system text or how the models answer, from now on; it is kept a moment later."""

        def changed(each: Conversation) -> Conversation:
            return msgspec.structs.replace(
                each,
                system=each.system if system is None else system,
                answering=answering or each.answering,
            )

        async def keep() -> None:
            await self._try(changed)

        self.conversation.set(changed(self.conversation.value))
        if self.conversation.value.turns:
            self._start(keep)

    async def change(self, change: Change) -> None:
        """Change the conversation; it is kept once something was asked. Raises StorageError."""
        if not change(self.conversation.value).turns:
            self.conversation.set(change(self.conversation.value))
            return
        self.conversation.set(await self._kept.change(self.conversation.value, change))
        self._told()

    async def _begin(self, change: Change, turn_id: str, only: Sequence[str] = ()) -> None:
        try:
            await self.change(change)
        except BaseException:
            self.busy.set(False)
            raise
        speakers = self.conversation.value.speakers
        chosen = [each for each in speakers if not only or each.id in only]
        self.streams.set({(turn_id, each.id): Topic(Reply(speaker=each)) for each in chosen})

        async def run() -> None:
            await self._round(turn_id, chosen)

        self._start(run)

    async def _round(self, turn_id: str, speakers: Sequence[Speaker]) -> None:
        """Have a turn answered by these, side by side; the versions are asked first, for people wait for them."""
        try:
            with anyio.CancelScope() as self._scope:
                host = await self.load()
                async with anyio.create_task_group() as group:
                    for speaker in sorted(speakers, key=lambda each: not each.tuned):
                        group.start_soon(self._reply, host, turn_id, speaker)
        finally:
            self._scope = None
            self.streams.set({})
            self.busy.set(False)

    async def _reply(self, host: HostSession | None, turn_id: str, speaker: Speaker) -> None:
        stream, begun = self.streams.value[turn_id, speaker.id], time.monotonic()
        try:
            if host is None:
                raise StudioError.from_card(self.problem.value or unexpected(RuntimeError("no host")))
            await self._take_on(host, speaker)
            now = self.conversation.value
            tokens = host.generate(
                now.before(speaker.id, turn_id),
                adapter=speaker.id if speaker.tuned else None,
                answering=now.answering,
            )
            async with aclosing(tokens):
                async for token in tokens:
                    stream.set(heard(stream.value, token, time.monotonic() - begun))
        except Exception as error:
            log.info("a reply failed", exc_info=error)
            card = unexpected(error)
            problem = f"{card.what} {card.why}"
            stream.set(msgspec.structs.replace(stream.value, ended="failed", problem=problem))
        finally:
            if not stream.value.ended:
                stream.set(msgspec.structs.replace(stream.value, ended="stopped"))
            with anyio.CancelScope(shield=True):
                await self._keep(turn_id, stream.value)

    async def _take_on(self, host: HostSession, speaker: Speaker) -> None:
        if speaker.tuned and speaker.id not in host.info.value.adapters:
            path, whole = await anyio.to_thread.run_sync(self._models.adapter, speaker.id)
            await host.attach(speaker.id, path, whole=whole)

    async def _keep(self, turn_id: str, reply: Reply) -> None:
        def changed(each: Conversation) -> Conversation:
            turn = each.turn(turn_id)
            return each.with_turn(turn.with_reply(reply)) if turn else each

        await self._try(changed)

    async def _try(self, change: Change) -> None:
        try:
            await self.change(change)
        except StudioError as error:  # the disk is full: the words are on the screen, and the page says so
            self.problem.set(error.card)


def heard(reply: Reply, token: Token, seconds: float) -> Reply:
    """The reply with one more piece of it, so many seconds after the question."""
    return msgspec.structs.replace(
        reply,
        text=reply.text + token.text,
        ended=token.ended,
        tokens=token.tokens,
        tokens_per_second=token.tokens_per_second,
        first_token_seconds=reply.first_token_seconds or seconds,
        seconds=seconds,
        forgotten=token.forgotten,
    )
