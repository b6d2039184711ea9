"""What follows the ends of runs, each in a task of its own: a long one holds up neither the list nor the queue.

What was cut off (the holder was ended) is not noted as done, and begins again when the Home is opened.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import anyio.abc

from engine.runs.views import RunView

log = logging.getLogger(__name__)
AT_ONCE = 16
Ended = Callable[[RunView], Awaitable[None]]


class Endings:
    """The work that runs' ends brought with them; `hearers` do it, one after the other for each run."""

    def __init__(self) -> None:
        self.hearers: list[Ended] = []
        self._at_work: dict[str, tuple[anyio.CancelScope, anyio.Event]] = {}

    def at_work(self, run_id: str) -> bool:
        """Whether what follows the end of this run is not all done yet."""
        return run_id in self._at_work

    @property
    def full(self) -> bool:
        """Enough goes on; others begin later, as after a lost index, when every run is told of again."""
        return len(self._at_work) >= AT_ONCE

    def begin(self, group: anyio.abc.TaskGroup, view: RunView, done: Callable[[], Awaitable[None]]) -> None:
        """Have everybody hear of the end of a run, then call `done`; it is not called for what was given up."""
        self._at_work[view.id] = scope, over = anyio.CancelScope(), anyio.Event()

        async def work() -> None:
            try:
                with scope:
                    await self._tell(view)
                    await done()
            finally:
                del self._at_work[view.id]
                over.set()

        group.start_soon(work)

    async def _tell(self, view: RunView) -> None:
        for hear in self.hearers:
            try:
                await hear(view)
            except Exception:
                log.exception("after the end of run %s", view.id)

    def give_up(self, run_id: str) -> None:
        """Leave undone what is not done yet: the run goes on, or is to be deleted."""
        if run_id in self._at_work:
            self._at_work[run_id][0].cancel()

    async def over(self, run_id: str) -> None:
        """Wait until nothing of it is at work."""
        if run_id in self._at_work:
            await self._at_work[run_id][1].wait()
