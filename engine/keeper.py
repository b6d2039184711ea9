"""`python -P -m engine.keeper <home>`: holds a Home while something must go on and no app is open, then leaves.

Started by the command line; gives way to an app at once. Runs go on without it, but nobody would start the next one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from engine.core import logs
from engine.core.errors import HomeHeld
from engine.core.home import Home
from engine.engine import Engine

IDLE_SECONDS = 5.0


async def keep(path: Path) -> None:
    """Hold the Home until nothing has been going on for a while, or an app asks for it."""
    async with Engine.open(path, role="keeper") as engine:
        quiet = 0.0
        while quiet < IDLE_SECONDS and not engine.leaving.is_set():
            await anyio.sleep(0.25)
            quiet = 0.0 if engine.busy else quiet + 0.25


def main(path: str) -> int:
    """The program. Losing the race for the lock is no error: then somebody else holds the Home."""
    home = Home.open(Path(path))
    logs.to_folder(home.logs, "keeper")
    try:
        anyio.run(keep, home.path)
    except HomeHeld:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
