"""How often a page is drawn again: as often as its parts wish while somebody works with it, less when nobody looks.

One for each window or tab. Knows nothing of the engine. Time is monotonic.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

import anyio
import flet as ft

IDLE_AFTER = 30.0
"""Seconds without a key or a click after which things may take their time."""
IDLE_EVERY, HIDDEN_EVERY = 2.0, 5.0
"""Seconds between redraws of a page that nobody uses, and of one that nobody sees."""
SAVING = 2.0
"""How much longer everything takes while power is saved."""


class Pace:
    """The pace of one page."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used = clock()
        self._visible = True
        self._saving = False
        self._changed = anyio.Event()

    def every(self, wish: float) -> float:
        """Seconds between redraws for a part that wishes one in `wish` seconds; what wishes each one gets it."""
        if not wish:
            return 0.0
        if not self._visible:
            return max(wish, HIDDEN_EVERY)
        idle = self.unused > IDLE_AFTER
        return (max(wish, IDLE_EVERY) if idle else wish) * (SAVING if self._saving else 1.0)

    async def rest(self, wish: float) -> None:
        """Wait until the part may be drawn again; when somebody comes back that is at once."""
        begun = self._clock()
        while (left := begun + self.every(wish) - self._clock()) > 0:
            with anyio.move_on_after(left):
                await self._changed.wait()

    @property
    def unused(self) -> float:
        """Seconds since somebody used it."""
        return self._clock() - self._used

    def use(self) -> None:
        """Somebody pressed a key or clicked, and so sees the page."""
        away = not self._visible or self.unused > IDLE_AFTER
        self._used, self._visible = self._clock(), True
        if away:
            self._wake()

    def show(self, visible: bool) -> None:
        """The page is seen, or hidden."""
        if visible != self._visible:
            self._visible = visible
            self._wake()

    def save(self, saving: bool) -> None:
        """Begin or end to save power."""
        if saving != self._saving:
            self._saving = saving
            self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


_PACES: WeakKeyDictionary[ft.Page, Pace] = WeakKeyDictionary()


def pace_of(page: ft.Page) -> Pace:
    """The pace of this window or tab."""
    found = _PACES.get(page)
    if found is None:
        found = _PACES[page] = Pace()
    return found


def unused_seconds() -> float:
    """Seconds since somebody used any window or tab of this process."""
    return min((pace.unused for pace in _PACES.values()), default=math.inf)
