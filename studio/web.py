"""The served page: the same app in a browser, behind the gate. One engine for every tab.

On this machine a one-time link opens it. Any other address asks for an account (studio/accounts.py), and its page names
no files of this machine. uvicorn is imported when serving starts, and flet_web, which costs half a second, once the
link is known: a browser loads the client meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import signal
import ssl
import threading
import webbrowser
from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from engine.core.errors import StudioError
from studio.accounts import Accounts
from studio.addresses import hosts, is_loopback, listen
from studio.asgi import Awaited
from studio.gate import CROWDED, Gate
from studio.login import Login
from studio.uploads import uploads_folder

if TYPE_CHECKING:
    from fastapi import FastAPI

    from engine.engine import Engine

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
SESSION_SECONDS = 900
"""How long a closed tab's session waits for a reload."""
REMEMBERED = 4
"""Sessions that may be kept for reloads, for each page that may be open."""
UNENCRYPTED = (
    "Warning: this address is not encrypted. Who can listen on the network reads passwords and data.\n"
    "Pass --certificate and --key, or use it in a network that you trust."
)


def assets_folder() -> Path:
    """The app's assets on disk."""
    return Path(str(files("assets")))


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where to serve: address, port (0: a free one), further names it is reached by, and the files of TLS.

    `login` asks for an account on this machine, too.
    """

    host: str = HOST
    port: int = 0
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    login: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.certificate else "http"

    @property
    def guarded(self) -> bool:
        """Whether it asks for a name and a password."""
        return self.login or not is_loopback(self.host)


async def serve(
    engine: Engine,
    where: Where = Where(),
    *,
    open_browser: bool = False,
    announce: Callable[[str], object] = print,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the app until cancelled or interrupted (Ctrl+C).

    The link goes to `announce` and to whoever started this with `TaskGroup.start`. Raises StudioError when the port is
    taken, the certificate cannot be used, or nobody could sign in.
    """
    login = _login(engine.home.path) if where.guarded else None
    listener = listen(where.host, where.port)
    port = listener.getsockname()[1]
    app, over = Awaited(), anyio.Event()
    with contextlib.closing(listener):
        gate = Gate(
            app,
            hosts=hosts(where.host, port, where.scheme, where.names),
            port=port,
            assets=assets_folder(),
            home=engine.home.path,
            settings=lambda: engine.settings.value,
            login=login,
            tls=where.certificate is not None,
        )
        server = _server(gate, where)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            try:
                while not server.started and not server.should_exit:
                    await anyio.sleep(0.01)
                link = f"{where.scheme}://{_shown(where)}:{port}{'/' if login else gate.new_link()}"
                announce(_welcome(link, where))
                task_status.started(link)
                group.start_soon(_bring, app, partial(_flet_app, engine, confined=login is not None), over)
                if open_browser:
                    await anyio.to_thread.run_sync(webbrowser.open, link)
                while not server.should_exit:
                    await anyio.sleep(0.1)
            finally:
                server.should_exit = True
                over.set()


async def _bring(awaited: Awaited, make: Callable[[], FastAPI], over: anyio.Event) -> None:
    """Make Flet's app in a thread, while a browser already loads the client, and run it until it is over."""
    app = await anyio.to_thread.run_sync(make)
    async with app.router.lifespan_context(app):
        awaited.arrive(app)
        await over.wait()


def _login(home: Path) -> Login:
    """The door with a password. Raises StudioError when there is no account that could open it."""
    accounts = Accounts(home)
    if not accounts.all():
        raise StudioError(
            "There is no account yet, so nobody could sign in.",
            "Other machines may open the page only with a name and a password.",
            "Make an account first: peft-studio account set NAME",
            "Or leave --host out to serve this machine only.",
            help="serving",
        )
    return Login(accounts)


def _shown(where: Where) -> str:
    """The name to open it by on this machine."""
    name = where.names[0] if where.names else {"0.0.0.0": HOST, "::": "::1"}.get(where.host, where.host)
    return f"[{name}]" if ":" in name else name


def _welcome(link: str, where: Where) -> str:
    if not where.guarded:
        return f"PEFT Studio is open at {link}\nThe link works once. Press Ctrl+C to close."
    words = f"PEFT Studio is open at {link}\nIt asks for a name and a password. Press Ctrl+C to close."
    return words if where.certificate or is_loopback(where.host) else f"{words}\n{UNENCRYPTED}"


def _flet_app(engine: Engine, *, confined: bool) -> FastAPI:
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


def _server(app: Any, where: Where) -> Any:
    """A uvicorn server for our own loop: it hears Ctrl+C, and does not raise it again once it has stopped.

    Raises StudioError when the certificate cannot be used.
    """
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
        proxy_headers=False,  # nobody may say where they come from
        lifespan="off",
        ssl_certfile=where.certificate,
        ssl_keyfile=where.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise StudioError(
            "The certificate cannot be used.",
            f"Reading {where.certificate} and its key ended in “{error.strerror or error}”.",
            "Pass a certificate (PEM, with its chain) with --certificate and its key without a password with --key.",
            help="serving",
        ) from error
    return Server(config)


def serve_home(
    home: Path | None = None,
    where: Where = Where(),
    *,
    browser: bool = True,
    json: bool = False,
) -> None:
    """Open a Home and serve it until Ctrl+C; with `json` the link is one line of JSON. Raises StudioError."""

    def announce(words: str) -> None:
        if json:
            link = next(word for word in words.split() if word.startswith("http"))
            words = msgspec.json.encode({"link": link, "encrypted": link.startswith("https")}).decode()
        print(words, flush=True)

    async def run() -> None:
        from engine.engine import Engine

        async with Engine.open(home) as engine:
            await serve(engine, where, open_browser=browser, announce=announce)

    anyio.run(run)
