"""Playground: the conversations of an open Home, those going on and those kept, and what they become."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread

from engine.core.errors import DataError, from_os
from engine.core.home import Home
from engine.core.store import Store
from engine.core.topics import Topic
from engine.data.nouns import Dataset
from engine.holding import new_id
from engine.hosts import Hosts
from engine.library import Library
from engine.outcomes import Outcomes
from engine.plan.profiles import profiles
from engine.results.agreement import Rated
from engine.results.care import loadable
from engine.results.versions import Version
from engine.serving.conversations import JOURNAL, Conversations
from engine.serving.host import HostSession
from engine.serving.leaving import SUFFIXES, RowsOf, TextForm, as_text, rated
from engine.serving.nouns import Conversation, Speaker, rated_pairs
from engine.serving.talk import SPEAKERS, Talk
from engine.spec.answers import BASE, Answering
from engine.spec.files import write_atomically

LONGEST_AT_FIRST = 256
"""Tokens of the longest answer that is asked for where nobody said."""


class Playground:
    """Talks with models; `changed` counts every change to what is kept."""

    def __init__(
        self,
        home: Home,
        store: Store,
        library: Library,
        outcomes: Outcomes,
        hosts: Hosts,
        start: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
    ) -> None:
        self._home = home
        self._library = library
        self._outcomes = outcomes
        self._hosts = hosts
        self._start = start
        self._sessions: dict[Path, HostSession] = {}
        self._opening = anyio.Lock()
        self._talks: WeakValueDictionary[str, Talk] = WeakValueDictionary()
        self.kept = Conversations(store, home.path / JOURNAL)
        self.changed: Topic[int] = Topic(0)

    def _publish(self) -> None:
        self.changed.set(self.changed.value + 1)

    async def session(self, model_path: Path) -> HostSession:
        """A session with the host of a base model; the same one as long as it is open. Raises StudioError."""
        async with self._opening:
            found = self._sessions.get(model_path)
            if found is None or not found.open:
                found = self._sessions[model_path] = await self._hosts.open(model_path)
            return found

    def adapter(self, version_id: str) -> tuple[Path, bool]:
        """The folder of a version's weights, checked as its base is, and whether it is a whole model.

        Raises StudioError.
        """
        version = self._outcomes.folder.find(version_id)
        return loadable(self._outcomes.folder, version), version.whole

    def begin(self, *versions: Version) -> Talk:
        """A new conversation with versions of one base, and the base beside them; kept once something is asked."""
        first = versions[0]
        speakers = [speaker_of(each) for each in versions if each.model_path == first.model_path]
        return self._talk(
            Conversation(
                id=new_id("talk"),
                title="",
                model=first.model,
                model_path=first.model_path,
                speakers=(bare(first.model), *speakers[: SPEAKERS - 1]),
                answering=usual_answering(first.profile),
                made=time.time(),
            )
        )

    async def talk(self, conversation_id: str) -> Talk:
        """A conversation that is kept, to go on with; the same for every session. Raises DataError."""
        if found := self._talks.get(conversation_id):
            return found
        return self._talk(await self.kept.find(conversation_id))

    def _talk(self, conversation: Conversation) -> Talk:
        talk = Talk(conversation, self.kept, self, self._start, self._publish)
        return self._talks.setdefault(conversation.id, talk)

    async def keep(self, conversation: Conversation) -> None:
        """Keep a conversation that was held elsewhere, as it is. Raises StorageError."""
        await self.kept.change(conversation, lambda _: conversation)
        self._publish()

    async def rename(self, words: str, title: str) -> Conversation:
        """Give a conversation another title. Raises DataError."""
        talk = await self.talk((await self.kept.find(words)).id)
        await talk.rename(title)
        return talk.conversation.value

    async def delete(self, words: str) -> Conversation:
        """Delete a conversation; `restore` takes that back for a day. Raises DataError."""
        found = await self.kept.find(words)
        await self.kept.delete(found.id)
        self._publish()
        return found

    async def restore(self, conversation_id: str) -> Conversation:
        """Take back that a conversation was deleted. Raises DataError when it is gone for good."""
        await self.kept.delete(conversation_id, undo=True)
        self._publish()
        return await self.kept.find(conversation_id)

    async def _chosen(self, words: Sequence[str]) -> tuple[Conversation, ...]:
        return tuple([await self.kept.find(each) for each in words]) or await self.kept.all()

    async def text(self, words: Sequence[str], form: TextForm) -> str:
        """These conversations (none named: all) as one text. Raises DataError."""
        return as_text(await self._chosen(words), form)

    async def export(self, words: Sequence[str], form: TextForm) -> Path:
        """These conversations (none named: all) as a new file in the Home's folder for exports. Raises StudioError."""
        chosen = await self._chosen(words)
        folder = self._home.exports / "conversations"
        stem = chosen[0].id if len(chosen) == 1 else f"conversations-{time.strftime('%Y%m%d')}"
        names = (f"{stem}{f'-{again}' if again else ''}{SUFFIXES[form]}" for again in itertools.count())
        target = next(folder / name for name in names if not (folder / name).exists())

        def write() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(target, as_text(chosen, form).encode())

        try:
            await anyio.to_thread.run_sync(write)
        except OSError as error:
            raise from_os(error, "writing conversations") from error
        return target

    async def rows(self, words: Sequence[str], rows: RowsOf, name: str = "") -> Dataset:
        """A dataset made of these conversations (none named: all). Raises DataError, StorageError."""
        answers = rated(await self._chosen(words), rows)
        if not answers:
            raise DataError(
                "There is nothing to make rows of.",
                "No conversation has an answer that can be used.",
                "Talk to a model first, and rate its answers.",
            )
        return await self._library.from_ratings(answers, "chat" if rows == "whole" else rows, name or "conversations")

    async def examples(self, version_id: str, count: int) -> tuple[str, ...]:
        """Prompts to try: of its held-out rows, and its use case's own. Raises DataError."""
        version = self._outcomes.folder.find(version_id)
        held_out = await self._outcomes.examples(version_id, count)
        own = tuple(each.example_input for each in profiles() if each.id == version.profile)
        return tuple(dict.fromkeys((*held_out, *own)))[: count + 1]

    async def rated(self, version_id: str) -> tuple[Rated, ...]:
        """Every rating of a version's answers beside the base's, the newest first, to compare a judge with."""
        return tuple(each for kept in await self.kept.all() for each in rated_pairs(kept, version_id))


def speaker_of(version: Version) -> Speaker:
    """A version as one who answers."""
    return Speaker(id=version.id, title=version.title)


def bare(model: str) -> Speaker:
    """The base model as one who answers."""
    return Speaker(id=BASE, title=f"Base {model}")


def usual_answering(profile: str) -> Answering:
    """How a model tuned for this use case answers where nobody said."""
    asked = next((each.generation for each in profiles() if each.id == profile), None)
    if asked is None:
        return Answering()
    longest = min(LONGEST_AT_FIRST, asked.max_new_tokens)
    return Answering(temperature=asked.temperature, top_p=asked.top_p, max_new_tokens=longest)
