"""Topic and Feed: how a face watches the engine without the engine knowing it.

Values are plain; every watcher runs in its own task and gets the newest value, never a backlog. Both live on one event
loop: from a thread use `anyio.from_thread.run_sync(topic.set, value)`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Topic(Generic[T]):
    """A value that changes. Every watcher gets the newest one; nobody gets a backlog."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._changed = anyio.Event()

    @property
    def value(self) -> T:
        """The newest value."""
        return self._value

    def set(self, value: T) -> None:
        """Publish a value; an equal one wakes nobody."""
        if value == self._value:
            return
        self._value = value
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def watch(self) -> AsyncIterator[T]:
        """The value now, then the newest after each change. Values set while the watcher was busy are passed over."""
        while True:
            changed = self._changed  # taken before the value is handed out, so that no change can fall in between
            yield self._value
            await changed.wait()


class Feed(Generic[T]):
    """An append-only list read from a cursor; only the newest `limit` entries are kept."""

    def __init__(self, limit: int = 10_000) -> None:
        self._entries: deque[T] = deque(maxlen=limit)
        self._end = 0
        self._changed = anyio.Event()

    @property
    def end(self) -> int:
        """The cursor after the last entry."""
        return self._end

    def extend(self, entries: list[T]) -> None:
        """Append entries and wake the watchers once."""
        if not entries:
            return
        self._entries.extend(entries)
        self._end += len(entries)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def since(self, cursor: int) -> list[T]:
        """Entries from the cursor on; those no longer kept are missing at the front."""
        wanted = min(self._end - max(cursor, 0), len(self._entries))
        if wanted <= 0:
            return []
        return list(self._entries)[-wanted:]

    async def watch(self, cursor: int = 0) -> AsyncIterator[list[T]]:
        """Whatever is new since the cursor, in bunches, as it comes."""
        while True:
            changed = self._changed
            if self._end > cursor:
                bunch, cursor = self.since(cursor), self._end
                yield bunch
            else:
                await changed.wait()
