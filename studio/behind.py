"""What is behind the gate: an engine and Flet's app over it, which come while a browser already loads the page.

Both are imported in a thread, for that takes most of a second; who asks for the app before it is there waits.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from engine.core import settings as settings_file
from engine.core.home import Home
from engine.core.settings import Settings
from studio.asgi import App, Receive, Scope, Send
from studio.gate import CROWDED
from studio.uploads import uploads_folder

if TYPE_CHECKING:
    from fastapi import FastAPI

    from engine.engine import Engine

SESSION_SECONDS = 900
"""How long a closed tab's session waits for a reload."""
REMEMBERED = 4
"""Sessions that may be kept for reloads, for each page that may be open."""

Opening = AbstractAsyncContextManager["Engine"]


@asynccontextmanager
async def opened(home: Home) -> AsyncIterator[Engine]:
    """The engine over a Home that is held."""
    engine = await anyio.to_thread.run_sync(_engine)
    async with engine.of(home) as found:
        yield found


def _engine() -> type[Engine]:
    from engine.engine import Engine

    return Engine


class Behind:
    """The app as ASGI, and the settings that count: those on the disk until the engine is there."""

    def __init__(self, home: Home, *, confined: bool) -> None:
        self.error: Exception | None = None
        """What kept the engine or the app from coming, or from ending well."""
        self._confined = confined
        self._kept = settings_file.load(home.settings)
        self._engine: Engine | None = None
        self._app: App | None = None
        self._there = anyio.Event()

    def settings(self) -> Settings:
        """The newest settings."""
        return self._engine.settings.value if self._engine else self._kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._there.wait()
        assert self._app is not None
        await self._app(scope, receive, send)

    async def stay(self, opening: Opening, over: anyio.Event) -> None:
        """Open the engine, make the app and let everybody in; both are closed when it is over."""
        try:
            async with AsyncExitStack() as stack:
                self._engine = await stack.enter_async_context(opening)
                app = await anyio.to_thread.run_sync(partial(flet_app, self._engine, confined=self._confined))
                await stack.enter_async_context(app.router.lifespan_context(app))
                self._app = app
                self._there.set()
                await over.wait()
        except Exception as error:  # noqa: BLE001 - raised by who serves, once nobody is served any more
            self.error = error


def flet_app(engine: Engine, *, confined: bool) -> FastAPI:
    """Flet's app; no more sessions are kept than the settings allow, whatever browsers do."""
    import flet as ft
    import flet_web.fastapi

    from studio.app import open_page, warm

    warm()

    kept = 0

    def leave() -> None:
        nonlocal kept
        kept -= 1

    def show(page: ft.Page) -> None:
        nonlocal kept
        if kept >= REMEMBERED * engine.settings.value.web_pages:
            page.add(ft.Text(CROWDED))
            return
        kept += 1
        open_page(page, engine, confined=confined, on_close=leave)

    return flet_web.fastapi.app(
        show,
        upload_dir=str(uploads_folder(engine.home.path)),
        secret_key=secrets.token_urlsafe(32),
        session_timeout_seconds=SESSION_SECONDS,
    )
