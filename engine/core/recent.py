"""What was used last, kept for the next time: up to a limit, and less of it when the process has grown large."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
LARGE_BYTES = 500_000_000
"""A process of this size gives back what it only keeps to be quick."""


class Recent(Generic[K, V]):
    """The newest `limit` things by use; the longest unused goes first. What is `pinned` stays as long as it is."""

    def __init__(self, limit: int, pinned: Callable[[V], bool] = lambda value: False) -> None:
        self._limit = limit
        self._pinned = pinned
        self._things: OrderedDict[K, V] = OrderedDict()
        _ALL.add(self)

    def __len__(self) -> int:
        return len(self._things)

    def use(self, key: K, value: V) -> None:
        """Keep it as the newest."""
        self._things[key] = value
        self._things.move_to_end(key)
        self.shrink(self._limit)

    def drop(self, key: K) -> None:
        """Keep it no longer."""
        self._things.pop(key, None)

    def shrink(self, most: int) -> None:
        """Keep no more than that many, besides what is pinned."""
        for key in list(self._things)[: max(0, len(self._things) - most)]:
            if not self._pinned(self._things[key]):
                del self._things[key]


_ALL: WeakSet[Recent[Any, Any]] = WeakSet()


def relieve(size: int) -> bool:
    """Let go of everything kept when the process is `size` bytes and that is large; answers whether it was."""
    large = size > LARGE_BYTES
    for each in list(_ALL) if large else ():
        each.shrink(0)
    return large
