"""The native window: Flet's own client over the same app; where it cannot be had, the served page in the browser."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread

from engine.core.home import Home
from engine.holding import hold
from studio.behind import opened
from studio.uploads import uploads_folder

log = logging.getLogger(__name__)
FETCH_SECONDS = 60.0
"""How long the first start may spend on fetching the window's client."""


def no_display() -> bool:
    """A Linux machine without a screen to open a window on."""
    return sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


async def client_ready(seconds: float = FETCH_SECONDS) -> bool:
    """Whether the window's client is here, fetching it once where that is possible."""
    from flet_desktop import ensure_client_cached

    if os.environ.get("FLET_VIEW_PATH"):
        return True
    try:
        with anyio.fail_after(seconds):
            await anyio.to_thread.run_sync(ensure_client_cached, abandon_on_cancel=True)
    except (OSError, TimeoutError) as error:
        log.info("the window's client could not be had: %s", error)
        return False
    return True


async def show(home: Home, *, announce: Callable[[str], object] = print) -> None:
    """Open the window and return when it is closed; without a client or a screen, serve the page instead and say so.

    The Home is held.
    """
    if no_display():
        announce("There is no screen here, so PEFT Studio is served as a page.")
    elif await client_ready():
        await _window(home)
        return
    else:
        announce("The window's client is not installed and could not be fetched; opening the browser instead.")
    from studio.web import serve

    await serve(home, opened(home), open_browser=not no_display(), announce=announce)


async def _window(home: Home) -> None:
    import flet as ft

    from studio.app import open_page
    from studio.web import assets_folder

    async with opened(home) as engine:
        await ft.run_async(
            functools.partial(open_page, engine=engine),
            assets_dir=str(assets_folder()),
            upload_dir=str(uploads_folder(home.path)),
            view=ft.AppView.FLET_APP,
        )


def open_window(home: Path | None = None) -> None:
    """Open a Home and show the app until its window is closed. Raises StudioError when the Home cannot be held."""

    async def run() -> None:
        async with hold(home) as held:
            await show(held)

    anyio.run(run)
