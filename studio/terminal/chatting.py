"""A conversation in the terminal with a tuned model, and the base beside it if wanted. Streams as the words come."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from engine import orders
from engine.core.home import Home
from engine.data.nouns import Message
from engine.results.versions import Versions
from engine.serving.host import HostSession, Token, connect
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
    """One conversation. Each model remembers its own side of it."""

    def __init__(self, home: Home, words: str, *, with_base: bool, temperature: float, max_tokens: int) -> None:
        self._home = home
        self._versions = Versions(home.versions)
        self._version = self._versions.find(words)
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._speakers: dict[str, str | None] = {"base": None} if with_base else {}
        self._speakers[f"{self._version.name} {self._version.number}"] = self._version.id
        self._said: dict[str, list[Message]] = {name: [] for name in self._speakers}

    async def run(self, prompt: str, json: bool) -> None:
        """Answer one prompt, or talk until an empty line. Raises StudioError."""
        from engine.data.prompting import Prompter

        say("Loading the model ...")
        opened = orders.OpenHost(model_path=self._version.model_path)
        run = (await orders.ask(self._home, opened, orders.Started)).run
        prompter = await anyio.to_thread.run_sync(Prompter, Path(self._version.model_path))
        session = await connect(RunFolder(self._home.runs / run), self._version.model, prompter)
        async with anyio.create_task_group() as group:
            group.start_soon(session.serve)
            try:
                await session.attach(self._version.id, self._versions.adapter(self._version), whole=self._version.whole)
                await self._talk(session, prompt, json)
            finally:
                await session.close()
                group.cancel_scope.cancel()

    async def _talk(self, session: HostSession, prompt: str, json: bool) -> None:
        if prompt:
            answers = [await self._answer(session, name, prompt) for name in self._speakers]
            if json:
                print_json({"prompt": prompt, "answers": answers})
            return
        say("Write something; an empty line ends the conversation.")
        while words := await anyio.to_thread.run_sync(_read_line, abandon_on_cancel=True):
            for name in self._speakers:
                await self._answer(session, name, words)

    async def _answer(self, session: HostSession, name: str, words: str) -> Answered:
        history = self._said[name]
        history.append(Message("user", words))
        adapter = self._speakers[name]
        if not quiet.on:
            console.print(f"[{'magenta' if adapter else 'dim'}]{name}[/] ", end="")
        text, last = "", Token()
        async for token in session.generate(
            tuple(history), adapter=adapter, max_new_tokens=self._max_tokens, temperature=self._temperature
        ):
            text += token.text
            last = token
            if not quiet.on:
                console.print(token.text, end="", markup=False)
        history.append(Message("assistant", text))
        if not quiet.on:
            console.print(f"\n[dim]{last.tokens_per_second:.0f} tokens/s, {bytes_words(last.memory)} in memory[/]")
        return Answered(name, text, last.tokens, last.tokens_per_second, last.first_token_seconds, last.memory)


def _read_line() -> str:
    try:
        return input("you> ").strip()
    except EOFError:
        return ""
