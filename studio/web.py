"""The served page: the same app in a browser, behind the gate. One engine for every tab.

On this machine a one-time link opens it. Any other address asks for an account (studio/accounts.py), and its page names
no files of this machine. uvicorn is imported when serving starts, and what is behind the gate (studio/behind.py) once
the link is known: a browser loads the client meanwhile.
"""

from __future__ import annotations

import contextlib
import signal
import ssl
import threading
import webbrowser
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from engine.core.errors import StudioError
from engine.core.home import Home
from engine.holding import hold
from studio.accounts import Accounts
from studio.addresses import hosts, is_loopback, listen
from studio.behind import Behind, Opening, opened
from studio.gate import Gate
from studio.login import Login

HOST = "127.0.0.1"
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
    home: Home,
    opening: Opening,
    where: Where = Where(),
    *,
    open_browser: bool = False,
    announce: Callable[[str], object] = print,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a Home that is held until cancelled or interrupted (Ctrl+C); its engine is opened once the link is known.

    The link goes to `announce` and to whoever started this with `TaskGroup.start`. Raises StudioError when the port is
    taken, the certificate cannot be used, or nobody could sign in, and what opening raises.
    """
    login = _login(home.path) if where.guarded else None
    listener = listen(where.host, where.port)
    port = listener.getsockname()[1]
    behind, over = Behind(home, confined=login is not None), anyio.Event()
    with contextlib.closing(listener):
        gate = Gate(
            behind,
            hosts=hosts(where.host, port, where.scheme, where.names),
            port=port,
            assets=assets_folder(),
            home=home.path,
            settings=behind.settings,
            login=login,
            tls=where.certificate is not None,
        )
        server = _server(gate, where)

        async def run() -> None:
            try:
                await server.serve([listener])
            finally:
                over.set()

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            try:
                while not server.started and not server.should_exit:
                    await anyio.sleep(0.01)
                link = f"{where.scheme}://{_shown(where)}:{port}{'/' if login else gate.new_link()}"
                announce(_welcome(link, where))
                task_status.started(link)
                group.start_soon(behind.stay, opening, over)
                if open_browser:
                    await anyio.to_thread.run_sync(webbrowser.open, link)
                while not server.should_exit and behind.error is None:
                    await anyio.sleep(0.1)
            finally:
                server.should_exit = True
    if behind.error:
        raise behind.error


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
        async with hold(home) as held:
            await serve(held, opened(held), where, open_browser=browser, announce=announce)

    anyio.run(run)
