"""A session with a model host: messages in, words out as they come.

The host is a worker (`kind: host`) that outlives this session and leaves after its idle time; a later session finds it
again by its run folder, or starts another.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectSendStream

from engine.core.errors import RunError, StudioError
from engine.core.topics import Topic
from engine.data.nouns import Message
from engine.plan.hosting import held_in
from engine.plan.models import read_base_model
from engine.serving.text import StopWords, TextStream
from engine.spec.answers import BASE, Answering, Ask, Attach, Call, Cancel, Endpoint, Hello, Said
from engine.spec.files import read_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Action, RunState
from engine.spec.runspec import HostJob

if TYPE_CHECKING:
    from engine.data.prompting import Prompter

START_SECONDS = 120.0
LONGEST_LINE = 1_000_000
USUAL = Answering()
Ended = Literal["", "end", "length", "stop"]
"""Why an answer ended: by itself, at its longest, or at a stop word; empty while it goes on."""


class HostInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is in memory: resident bytes, the base model, how it is held (such as 4 bits), the adapters on it, and how
    long the last took to attach."""

    model: str = ""
    held: str = ""
    memory: int = 0
    adapters: tuple[str, ...] = ()
    swap_seconds: float = 0.0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer. The last has `done`, why it ended, and the figures.

    `forgotten` counts the earlier turns that were left out because the model cannot read so much.
    """

    text: str = ""
    done: bool = False
    ended: Ended = ""
    forgotten: int = 0
    tokens: int = 0
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    memory: int = 0


class HostSession:
    """One connection to a host. `serve` reads it in the opener's task group; answers may run side by side."""

    def __init__(self, model: str, stream: anyio.abc.SocketStream, prompter: Prompter, context: int) -> None:
        self._stream = stream
        self._prompter = prompter
        self._context = context
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
                if answer := self._answers.get(said.id):
                    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                        await answer.send(said)  # or nobody reads this answer to its end any more
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            self.open = False
            for answer in self._answers.values():
                answer.close()

    async def call(self, call: Call) -> None:
        """Send one line. Raises RunError when the host has left."""
        if not self.open:
            raise gone()
        try:
            async with self._lock:
                await self._stream.send(msgspec.json.encode(call) + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            self.open = False
            raise gone() from error

    async def attach(self, name: str, path: Path, *, whole: bool = False) -> float:
        """Load an adapter onto the base that is in memory; returns the seconds it took. Raises StudioError."""
        call_id = secrets.token_hex(4)
        async with aclosing(self._replies(Attach(id=call_id, name=name, path=str(path), whole=whole))) as replies:
            said = await anext(replies)
        if said.error:
            raise RunError("The version could not be loaded.", said.error, "Choose another version.")
        found = {"memory": said.memory, "adapters": tuple(said.adapters), "swap_seconds": said.swap_seconds}
        self.info.set(msgspec.structs.replace(self.info.value, **found))
        return said.swap_seconds

    async def generate(
        self, messages: tuple[Message, ...], *, adapter: str | None = None, answering: Answering = USUAL
    ) -> AsyncGenerator[Token]:
        """Stream the answer of the base (`adapter` None) or of an attached adapter. Raises StudioError."""
        prompt, forgotten = self._fitted(messages, answering.max_new_tokens)
        text, stops, count = TextStream(self._prompter.tokenizer), StopWords(answering.stop), 0
        async with aclosing(self._replies(self._ask(prompt, adapter, answering))) as replies:
            async for said in replies:
                if said.error:
                    raise RunError("The model could not answer.", said.error, "Shorten the prompt and try again.")
                count += len(said.tokens)
                if said.memory:
                    self.info.set(msgspec.structs.replace(self.info.value, memory=said.memory))
                words = stops.push(text.push(said.tokens))
                done = said.done or stops.met
                yield Token(
                    text=words + stops.rest() if done else words,
                    done=done,
                    ended=("stop" if stops.met else "length" if said.tokens else "end") if done else "",
                    forgotten=forgotten,
                    tokens=count,
                    tokens_per_second=said.tokens_per_second,
                    first_token_seconds=said.first_token_seconds,
                    memory=said.memory or self.info.value.memory,
                )
                if done:
                    return

    def _fitted(self, messages: tuple[Message, ...], room: int) -> tuple[list[int], int]:
        """The prompt with as many of the last turns as the model can read, and how many were left out."""
        opening = messages[: sum(each.role == "system" for each in messages[:1])]
        turns, forgotten = messages[len(opening) :], 0
        while True:
            prompt = self._prompter.prompt((*opening, *turns))
            if len(prompt) + min(room, self._context // 4) <= self._context:
                return prompt, forgotten
            if len(turns) < 3:
                raise RunError(
                    "The question is longer than the model can read.",
                    f"It takes {len(prompt)} tokens, and the model reads {self._context} with its answer.",
                    "Shorten the question or the system text.",
                )
            turns, forgotten = turns[2:], forgotten + 1

    def _ask(self, prompt: list[int], adapter: str | None, answering: Answering) -> Ask:
        return Ask(
            id=secrets.token_hex(4),
            adapter=adapter or BASE,
            tokens=prompt,
            max_new_tokens=min(answering.max_new_tokens, self._context - len(prompt)),
            temperature=answering.temperature,
            top_p=answering.top_p,
            top_k=answering.top_k,
            repetition_penalty=answering.repetition_penalty,
            seed=answering.seed,
            end_tokens=list(self._prompter.end_tokens),
        )

    async def _replies(self, call: Ask | Attach) -> AsyncGenerator[Said]:
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
    job = folder.spec().job
    assert isinstance(job, HostJob)
    context = (await anyio.to_thread.run_sync(read_base_model, Path(job.model.path))).context
    try:
        stream = await anyio.connect_tcp("127.0.0.1", endpoint.port)
    except OSError as error:
        raise gone() from error
    session = HostSession(model, stream, prompter, context)
    session.info.set(HostInfo(model=model, held=held_in(job.precision, job.quantization)))
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
