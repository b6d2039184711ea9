"""Conversations with models, kept in the Home's database: the one thing there that no folder could make again.

Each is also written, whole, as a line of `conversations.jsonl` whenever it changes; when the database was lost or set
aside, they come back from there. Knows nothing of how answers are made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from engine.core.errors import DataError, from_os
from engine.core.store import Migration, Store
from engine.serving.nouns import Conversation
from engine.spec.files import LineReader, LineWriter, write_atomically

MIGRATIONS = (
    Migration(
        "conversations-1",
        "CREATE TABLE conversations "
        "(id VARCHAR PRIMARY KEY, changed DOUBLE, words VARCHAR, deleted BOOLEAN, value BLOB)",
    ),
)
JOURNAL = "conversations.jsonl"
REGRET_SECONDS = 86_400.0
"""How long a deletion can be taken back."""
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Conversation)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `conversations.jsonl`: a conversation as it was then, or that it was deleted, and when."""

    conversation: Conversation
    deleted: bool = False
    at: float = 0.0


class Conversations:
    """The conversations of an open Home. Every change is made to the newest value, one after another, so that none of
    two sessions in one conversation loses what the other did."""

    def __init__(self, store: Store, journal: Path) -> None:
        self._store = store
        self._journal = journal
        self._lock = anyio.Lock()

    async def open(self) -> None:
        """Bring back what a lost database held, and forget for good what was deleted more than a day ago."""
        async with self._lock:
            found = await self._store.rows("SELECT id, changed FROM conversations WHERE NOT deleted")
            known = {str(row[0]): float(row[1] or 0) for row in found}
            lines = await anyio.to_thread.run_sync(LineReader(self._journal, Kept).read)
            newest = {line.conversation.id: line for line in lines}.values()
            spared = [each for each in newest if each.deleted and time.time() - each.at < REGRET_SECONDS]
            for each in newest:
                if each.deleted or each.conversation.changed > known.get(each.conversation.id, 0.0):
                    await self._write(each)
            await self._store.execute("DELETE FROM conversations WHERE deleted")
            rows = await self._store.rows("SELECT value FROM conversations ORDER BY changed, id")
            there = [*(Kept(conversation=_decoded(row[0])) for row in rows), *spared]
            for each in spared:
                await self._write(each)
            whole = [_ENCODER.encode(each) + b"\n" for each in there]
            if whole or lines:
                await anyio.to_thread.run_sync(write_atomically, self._journal, b"".join(whole))

    async def all(self, words: str = "") -> tuple[Conversation, ...]:
        """The conversations in whose title or turns every one of these words stands, the newest first."""
        wanted = words.casefold().split()
        where = "".join(" AND contains(words, ?)" for _ in wanted)
        rows = await self._store.rows(
            f"SELECT value FROM conversations WHERE NOT deleted{where} ORDER BY changed DESC, id", wanted
        )
        return tuple(_decoded(row[0]) for row in rows)

    async def find(self, words: str) -> Conversation:
        """One by id, the beginning of an id, or title; `last` is the newest. Raises DataError with the choices."""
        return chosen(await self.all(), words)

    async def get(self, conversation_id: str) -> Conversation | None:
        """One by its id, also when it was just deleted; None when there is none."""
        rows = await self._store.rows("SELECT value FROM conversations WHERE id = ?", [conversation_id])
        return _decoded(rows[0][0]) if rows else None

    async def change(self, given: Conversation, change: Callable[[Conversation], Conversation]) -> Conversation:
        """Change the newest value of a conversation and keep it; `given` stands for one that is not kept yet.

        Raises StorageError.
        """
        async with self._lock:
            newest = await self.get(given.id) or given
            changed = msgspec.structs.replace(change(newest), changed=time.time())
            await self._keep(Kept(conversation=changed))
            return changed

    async def delete(self, conversation_id: str, *, undo: bool = False) -> None:
        """Delete a conversation, or take that back; it is gone for good when the Home is opened a day later."""
        async with self._lock:
            if found := await self.get(conversation_id):
                await self._keep(Kept(conversation=found, deleted=not undo, at=time.time()))

    async def _keep(self, kept: Kept) -> None:
        await anyio.to_thread.run_sync(self._append, kept)
        await self._write(kept)

    def _append(self, kept: Kept) -> None:
        try:
            lines = LineWriter(self._journal)
            try:
                lines.write(kept)
            finally:
                lines.close()
        except OSError as error:
            raise from_os(error, "keeping the conversation") from error

    async def _write(self, kept: Kept) -> None:
        each = kept.conversation
        await self._store.execute(
            "INSERT OR REPLACE INTO conversations VALUES (?, ?, ?, ?, ?)",
            [each.id, each.changed, each.words.casefold(), kept.deleted, _ENCODER.encode(each)],
        )


def read_kept(journal: Path, words: str = "") -> tuple[Conversation, ...]:
    """The conversations in which these words stand, the newest first, by those who do not hold the Home."""
    lines = LineReader(journal, Kept).read()
    kept = [line.conversation for line in {line.conversation.id: line for line in lines}.values() if not line.deleted]
    found = [each for each in kept if all(word in each.words.casefold() for word in words.casefold().split())]
    return tuple(sorted(found, key=lambda each: (-each.changed, each.id)))


def chosen(found: Sequence[Conversation], words: str) -> Conversation:
    """The conversation that these words mean, of conversations that stand newest first. Raises DataError."""
    if words == "last" and found:
        return found[0]
    exact = [each for each in found if words in (each.id, each.title)]
    starting = [each for each in found if words and each.id.startswith(words)]
    if meant := exact or (starting if len(starting) == 1 else []):
        return meant[0]
    names = ", ".join(each.id for each in found[:5]) or "none yet"
    raise DataError(
        f"There is no conversation “{words}”.",
        f"The newest are: {names}.",
        "Look at `peft-studio conversations`.",
        "Use `last` for the newest one.",
    )


def _decoded(value: object) -> Conversation:
    assert isinstance(value, bytes)
    return _DECODER.decode(value)
