"""A session with a model host: messages in, words out as they come.

The host is a worker (`kind: host`) that outlives this session and leaves after its idle time; a later session finds it
again by its run folder, or starts another.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectSendStream

from engine.core.errors import RunError, StudioError
from engine.core.topics import Topic
from engine.data.nouns import Message
from engine.serving.text import TextStream
from engine.spec.answers import BASE, Ask, Attach, Call, Cancel, Endpoint, Hello, Said
from engine.spec.files import read_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Action, RunState

if TYPE_CHECKING:
    from engine.data.prompting import Prompter

START_SECONDS = 120.0
LONGEST_LINE = 1_000_000


class HostInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is in memory: resident bytes, the base model, the adapters on it, and how long the last took to attach."""

    model: str = ""
    memory: int = 0
    adapters: tuple[str, ...] = ()
    swap_seconds: float = 0.0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer. The last has `done` and the figures."""

    text: str = ""
    done: bool = False
    tokens: int = 0
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    memory: int = 0


class HostSession:
    """One connection to a host. `serve` reads it in the opener's task group; answers may run side by side."""

    def __init__(self, model: str, stream: anyio.abc.SocketStream, prompter: Prompter) -> None:
        self._stream = stream
        self._prompter = prompter
        self._answers: dict[str, MemoryObjectSendStream[Said]] = {}
        self._lock = anyio.Lock()
        self.open = True
        self.info: Topic[HostInfo] = Topic(HostInfo(model=model))

    async def serve(self) -> None:
        """Hand each line to the answer it belongs to, until the host leaves."""
        lines = BufferedByteReceiveStream(self._stream)
        decoder = msgspec.json.Decoder(Said)
        try:
            while True:
                said = decoder.decode(await lines.receive_until(b"\n", LONGEST_LINE))
                if said.id in self._answers:
                    await self._answers[said.id].send(said)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            self.open = False
            for answer in self._answers.values():
                answer.close()

    async def call(self, call: Call) -> None:
        """Send one line. Raises RunError when the host has left."""
        try:
            async with self._lock:
                await self._stream.send(msgspec.json.encode(call) + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            self.open = False
            raise gone() from error

    async def attach(self, name: str, path: Path, *, whole: bool = False) -> float:
        """Load an adapter onto the base that is in memory; returns the seconds it took. Raises StudioError."""
        call_id = secrets.token_hex(4)
        async for said in self._replies(Attach(id=call_id, name=name, path=str(path), whole=whole)):
            if said.error:
                raise RunError("The version could not be loaded.", said.error, "Choose another version.")
            self.info.set(
                msgspec.structs.replace(
                    self.info.value,
                    memory=said.memory,
                    adapters=tuple(said.adapters),
                    swap_seconds=said.swap_seconds,
                )
            )
            return said.swap_seconds
        raise gone()

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        adapter: str | None = None,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> AsyncIterator[Token]:
        """Stream the answer of the base (`adapter` None) or of an attached adapter. Raises StudioError."""
        prompt = self._prompter.prompt(messages)
        text, count = TextStream(self._prompter.tokenizer), 0
        ask = Ask(
            id=secrets.token_hex(4),
            adapter=adapter or BASE,
            tokens=prompt,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            end_tokens=list(self._prompter.end_tokens),
        )
        async for said in self._replies(ask):
            if said.error:
                raise RunError("The model could not answer.", said.error, "Shorten the prompt and try again.")
            count += len(said.tokens)
            if said.memory:
                self.info.set(msgspec.structs.replace(self.info.value, memory=said.memory))
            yield Token(
                text=text.push(said.tokens),
                done=said.done,
                tokens=count,
                tokens_per_second=said.tokens_per_second,
                first_token_seconds=said.first_token_seconds,
                memory=said.memory or self.info.value.memory,
            )

    async def _replies(self, call: Ask | Attach) -> AsyncIterator[Said]:
        """The lines of one call, the last one `done`. An answer nobody reads to its end is cancelled."""
        send, receive = anyio.create_memory_object_stream[Said](1_000)
        self._answers[call.id] = send
        finished = False
        try:
            await self.call(call)
            async for said in receive:
                finished = said.done
                yield said
                if finished:
                    return
            raise gone()
        finally:
            self._answers.pop(call.id, None)
            receive.close()
            if not finished and self.open:
                with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                    await self.call(Cancel(id=call.id))

    async def close(self) -> None:
        """Leave; the host stays until it has been idle."""
        self.open = False
        await self._stream.aclose()


def gone() -> RunError:
    return RunError(
        "The model has left memory.",
        "Its process ended: it was idle for long, or was stopped.",
        Action(label="Load it again.", do="reload"),
    )


async def connect(folder: RunFolder, model: str, prompter: Prompter) -> HostSession:
    """Wait until the host of this run listens, and open a session. Raises StudioError with the host's own card."""
    endpoint = await _endpoint(folder)
    stream = await anyio.connect_tcp("127.0.0.1", endpoint.port)
    session = HostSession(model, stream, prompter)
    await session.call(Hello(key=endpoint.key))
    return session


async def _endpoint(folder: RunFolder) -> Endpoint:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            return read_struct(folder.endpoint_file, Endpoint)
        except (FileNotFoundError, msgspec.MsgspecError):
            state = folder.state()
            launch = folder.launch()
            if state.state is RunState.FAILED and state.error and launch and state.attempt == launch.attempt:
                raise StudioError.from_card(state.error) from None
            await anyio.sleep(0.05)
    raise RunError(
        "The model did not load.",
        f"It was not ready after {START_SECONDS:.0f} seconds.",
        "Look at the run's log.",
        "Try again.",
    )
