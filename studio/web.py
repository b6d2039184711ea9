"""The served page: the same app in a browser, on 127.0.0.1 only, behind the gate. One engine for every tab.

uvicorn and flet_web are imported when serving starts: they cost half a second that a window or a command never needs.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import signal
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from engine.core.errors import StudioError
from studio.gate import Gate

if TYPE_CHECKING:
    from engine.engine import Engine

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
SESSION_SECONDS = 900
"""How long a closed tab's session waits for a reload."""
UPLOAD_KEPT_SECONDS = 86_400.0


def assets_folder() -> Path:
    """The app's assets on disk."""
    return Path(str(files("assets")))


def uploads_folder(home: Path) -> Path:
    """Where files dropped into the page land; leftovers of more than a day are removed."""
    folder = home / "uploads"
    folder.mkdir(exist_ok=True)
    for each in folder.iterdir():
        if time.time() - each.stat().st_mtime > UPLOAD_KEPT_SECONDS:
            shutil.rmtree(each, ignore_errors=True)
    return folder


async def serve(
    engine: Engine,
    port: int = 0,
    *,
    open_browser: bool = False,
    announce: Callable[[str], object] = print,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the app until cancelled or interrupted (Ctrl+C).

    The one-time link goes to `announce` and to whoever started this with `TaskGroup.start`. Raises StudioError when
    the port is taken.
    """
    listener = _listen(port)
    address = f"{HOST}:{listener.getsockname()[1]}"
    gate = Gate(
        _flet_app(engine),
        hosts=(address, address.replace(HOST, "localhost")),
        port=listener.getsockname()[1],
        assets=assets_folder(),
    )
    server = _server(gate)
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listener])
        try:
            while not server.started and not server.should_exit:
                await anyio.sleep(0.01)
            link = f"http://{address}{gate.new_link()}"
            announce(f"PEFT Studio is open at {link}\nThe link works once. Press Ctrl+C to close.")
            task_status.started(link)
            if open_browser:
                await anyio.to_thread.run_sync(webbrowser.open, link)
            while not server.should_exit:
                await anyio.sleep(0.1)
        finally:
            server.should_exit = True


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise StudioError(
            f"Port {port} is in use.",
            f"The system answered “{error.strerror}”.",
            "Choose another port with --port, or leave it out to get a free one.",
        ) from error
    return listener


def _flet_app(engine: Engine) -> Any:
    import flet_web.fastapi

    from studio.app import open_page

    return flet_web.fastapi.app(
        lambda page: open_page(page, engine),
        assets_dir=str(assets_folder()),
        app_name="PEFT Studio",
        app_short_name="PEFT Studio",
        app_description="Fine-tune a language model on your own data, on your own machine.",
        no_cdn=True,
        upload_dir=str(uploads_folder(engine.home.path)),
        max_upload_size=engine.settings.value.refuse_file_bytes,
        secret_key=secrets.token_urlsafe(32),
        session_timeout_seconds=SESSION_SECONDS,
    )


def _server(app: Any) -> Any:
    """A uvicorn server for our own loop: it hears Ctrl+C, and does not raise it again once it has stopped."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for each, handler in before.items():
                    signal.signal(each, handler)

    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=64 * 1024 * 1024,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    return Server(config)


def serve_home(home: Path | None = None, *, port: int = 0, browser: bool = True, json: bool = False) -> None:
    """Open a Home and serve it until Ctrl+C; with `json` the link is one line of JSON. Raises StudioError."""

    def announce(words: str) -> None:
        if json:
            link = next(word for word in words.split() if word.startswith("http"))
            words = msgspec.json.encode({"link": link}).decode()
        print(words, flush=True)

    async def run() -> None:
        from engine.engine import Engine

        async with Engine.open(home) as engine:
            await serve(engine, port, open_browser=browser, announce=announce)

    anyio.run(run)
