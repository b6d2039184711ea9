"""A process that works for another ends when that one is gone: nobody would take what it makes, or know of it."""

from __future__ import annotations

import functools
import os
import threading
import time

import psutil

LOOK_SECONDS = 0.5


@functools.cache
def end_with_parent() -> None:
    """Call it once in a spawned process: a thread looks on, and ends the process when its parent has ended."""
    number = os.getppid()
    try:
        parent = psutil.Process(number)
    except psutil.NoSuchProcess:
        os._exit(1)

    def look() -> None:
        while os.getppid() == number and parent.is_running():
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=look, name="lifeline", daemon=True).start()
