"""The engine's wishes, read from control.json between micro-batches: pause, stop, save now, other values."""

from __future__ import annotations

import signal
import time
from enum import StrEnum
from types import FrameType

from engine.spec.folder import RunFolder
from engine.spec.records import Control, Live
from engine.worker.reporter import Reporter

LOOK_SECONDS = 0.1


class Wish(StrEnum):
    """What the loop must do at the next boundary."""

    PAUSE = "pause"
    STOP = "stop"


class ControlFile:
    """Looks at control.json at most ten times a second and acknowledges each new `seq` in an event, once.

    Wishes of an earlier attempt are past: a resumed run must not pause again at once. What was changed then holds on.
    """

    def __init__(self, folder: RunFolder, reporter: Reporter, attempt: int) -> None:
        self._folder = folder
        self._reporter = reporter
        self.attempt = attempt
        self._seen = 0
        self._next_look = 0.0
        self._terminated = False
        self.wish: Wish | None = None
        self.checkpoint_now = False
        before = folder.control()
        self.live = Live().with_changes(before) if before else Live()

    def listen_to_signals(self) -> None:
        """Take a polite request to end (SIGTERM, Ctrl-Break) as a pause: state is saved, nothing is lost."""
        for name in ("SIGTERM", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._terminate)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True

    def look(self) -> Wish | None:
        """The pending wish, if any."""
        if self._terminated and self.wish is None:
            self.wish = Wish.PAUSE
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            control = self._folder.control()
            if control and control.attempt == self.attempt and control.seq > self._seen:
                self._take(control)
        return self.wish

    def _take(self, control: Control) -> None:
        self._seen = control.seq
        if control.stop:
            self.wish = Wish.STOP
        elif control.pause:
            self.wish = Wish.PAUSE
        self.checkpoint_now = self.checkpoint_now or control.checkpoint
        self.live = self.live.with_changes(control)
        self._reporter.event("acknowledged", facts_text(control), seq=control.seq)


def facts_text(control: Control) -> str:
    """The wishes of one control record in words."""
    words = [name for name in ("pause", "stop", "checkpoint") if getattr(control, name)]
    words += [f"{name.replace('_', ' ')} {value:g}" for name, value in control.changes().items()]
    return ", ".join(words) or "no change"
