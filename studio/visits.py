"""Browsers that were let in: each has a random value in its cookie, an end, and an end when it rests.

Knows nothing of HTTP. Time is monotonic: a clock that is set lets nobody in longer and throws nobody out.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections.abc import Callable

import anyio
import msgspec


class Terms(msgspec.Struct, frozen=True):
    """How long a visit lasts, in seconds, in all and without use; and how many there may be."""

    longest: float = math.inf
    idle: float = math.inf
    most: int = 1000


class Visit:
    """One browser and how many pages it shows. `account` is empty where a one-time link let it in; `stamp` is its
    password's."""

    def __init__(self, account: str, stamp: str, now: float) -> None:
        self.account = account
        self.stamp = stamp
        self.begun = self.used = now
        self.pages = 0
        self.ended = anyio.Event()


class Visits:
    """Who is in. `valid` says whether a visit's account still has the password it came with."""

    def __init__(
        self,
        terms: Callable[[], Terms] = Terms,
        valid: Callable[[Visit], bool] = lambda visit: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terms = terms
        self._valid = valid
        self._clock = clock
        self._by_key: dict[bytes, Visit] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def open(self, account: str = "", stamp: str = "") -> str:
        """Let a browser in and return its value. Where there are too many, the longest unused one goes."""
        self.sweep()
        while len(self._by_key) >= self._terms().most:
            self.end(min(self._by_key.values(), key=lambda each: each.used))
        value = secrets.token_urlsafe(32)
        self._by_key[_digest(value)] = Visit(account, stamp, self._clock())
        return value

    def find(self, value: str) -> Visit | None:
        """The visit of this value, as long as it lasts. Looked up by digest: how long that takes tells nothing."""
        visit = self._by_key.get(_digest(value))
        return visit if visit is not None and self.lasts(visit) else None

    def lasts(self, visit: Visit) -> bool:
        """Whether it goes on; one that is over ends here."""
        now, terms = self._clock(), self._terms()
        over = now - visit.begun > terms.longest or now - visit.used > terms.idle
        if not visit.ended.is_set() and (over or not self._valid(visit)):
            self.end(visit)
        return not visit.ended.is_set()

    def use(self, visit: Visit) -> None:
        """It is at work now."""
        visit.used = self._clock()

    def end(self, visit: Visit) -> None:
        """End it; its open connections hear that."""
        self._by_key = {key: each for key, each in self._by_key.items() if each is not visit}
        visit.ended.set()

    def sweep(self) -> None:
        """End those that are over."""
        for visit in list(self._by_key.values()):
            self.lasts(visit)


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
