"""A conversation in the terminal with a tuned model, and the base beside it if wanted. Streams as the words come."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
from rich.markup import escape

from engine import orders
from engine.core.home import Home
from engine.holding import new_id
from engine.playground import bare, speaker_of
from engine.results.care import loadable
from engine.results.versions import Versions
from engine.serving.host import HostSession, Token, connect
from engine.serving.nouns import Conversation, Reply, Speaker, Turn
from engine.serving.talk import heard
from engine.spec.answers import Answering
from engine.spec.folder import RunFolder
from studio.terminal.show import bytes_words, console, print_json, quiet, say


class Answered(msgspec.Struct, frozen=True):
    """One model's answer, for --json."""

    model: str
    text: str
    tokens: int
    tokens_per_second: float
    first_token_seconds: float
    memory: int


class Chat:
    """One conversation, kept as it goes on. Each model remembers its own side of it."""

    def __init__(self, home: Home, words: str, *, with_base: bool, answering: Answering, system: str = "") -> None:
        self._home = home
        self._versions = Versions(home.versions)
        self._version = self._versions.find(words)
        tuned = speaker_of(self._version)
        self._talk = Conversation(
            id=new_id("talk"),
            title="",
            model=self._version.model,
            model_path=self._version.model_path,
            speakers=(bare(self._version.model), tuned) if with_base else (tuned,),
            system=system,
            answering=answering,
            made=time.time(),
        )

    async def run(self, prompt: str, json: bool) -> None:
        """Answer one prompt, or talk until an empty line. Raises StudioError."""
        from engine.data.prompting import Prompter

        adapter = loadable(self._versions, self._version)
        say("Loading the model ...")
        opened = orders.OpenHost(model_path=self._version.model_path)
        run = (await orders.ask(self._home, opened, orders.Started)).run
        prompter = await anyio.to_thread.run_sync(Prompter, Path(self._version.model_path))
        session = await connect(RunFolder(self._home.runs / run), self._version.model, prompter)
        async with anyio.create_task_group() as group:
            group.start_soon(session.serve)
            try:
                await session.attach(self._version.id, adapter, whole=self._version.whole)
                await self._converse(session, prompt, json)
            finally:
                await session.close()
                group.cancel_scope.cancel()

    async def _converse(self, session: HostSession, prompt: str, json: bool) -> None:
        if prompt:
            answers = await self._ask(session, prompt)
            if json:
                print_json({"prompt": prompt, "answers": answers, "conversation": self._talk.id})
            return
        say("Write something; an empty line ends the conversation.")
        while words := await anyio.to_thread.run_sync(_read_line, abandon_on_cancel=True):
            await self._ask(session, words)

    async def _ask(self, session: HostSession, words: str) -> list[Answered]:
        """Put a question to everyone in turn, and keep what was said."""
        turn = Turn(id=secrets.token_hex(4), asked=words, made=time.time())
        answers: list[Answered] = []
        for speaker in self._talk.speakers:
            self._talk = self._talk.with_turn(turn)
            reply, memory = await self._answer(session, speaker, turn.id)
            turn = turn.with_reply(reply)
            figures = (reply.tokens, reply.tokens_per_second, reply.first_token_seconds, memory)
            answers.append(Answered(speaker.title, reply.text, *figures))
        self._talk = msgspec.structs.replace(self._talk.with_turn(turn), changed=time.time())
        await orders.ask(self._home, orders.Keep(conversation=self._talk), orders.Conversed)
        return answers

    async def _answer(self, session: HostSession, speaker: Speaker, turn: str) -> tuple[Reply, int]:
        if not quiet.on:
            console.print(f"[{'magenta' if speaker.tuned else 'dim'}]{escape(speaker.title)}[/] ", end="")
        reply, last, begun = Reply(speaker=speaker), Token(), time.monotonic()
        adapter = speaker.id if speaker.tuned else None
        said = session.generate(self._talk.before(speaker.id, turn), adapter=adapter, answering=self._talk.answering)
        async for last in said:
            reply = heard(reply, last, time.monotonic() - begun)
            if not quiet.on:
                console.print(last.text, end="", markup=False)
        if not quiet.on:
            console.print(f"\n[dim]{last.tokens_per_second:.0f} tokens/s, {bytes_words(last.memory)} in memory[/]")
        return reply, last.memory


def _read_line() -> str:
    try:
        return input("you> ").strip()
    except EOFError:
        return ""
