"""The door of the served page: who may come in, and what the page may load. An ASGI layer around Flet's app.

On this machine a one-time link (`/?token=…`) is exchanged for a random value in a cookie; for other machines a name
and a password are (studio/login.py). Everything else needs that cookie, and a WebSocket must also come from this very
page (Flet itself accepts any origin). Knows nothing of Flet's protocol or of the engine.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, quote

from engine.core.settings import Settings
from studio import downloads
from studio.asgi import TEXT, App, Receive, Scope, Send, answer, header, redirect
from studio.client_files import ClientFiles
from studio.connection import Connection
from studio.index_page import send_page
from studio.login import Login, own_path
from studio.places import PLACES
from studio.uploads import Intake
from studio.visits import Terms, Visit, Visits

STRANGER, FULL = 4403, 4429
"""Codes with which a WebSocket is closed."""

PAGES = {place.route.strip("/") for place in PLACES} - {""}
"""First parts of the addresses of the app's pages."""
CLOSED = (
    "This page needs the link that PEFT Studio printed when it started.\n\n"
    "Each link works once, in one browser. Start PEFT Studio again for a new one.\n"
)
CROWDED = (
    "Too many pages are open.\n\n"
    "PEFT Studio shows a limited number of windows and tabs at once. Close some and try again.\n"
)


class Gate:
    """Wraps an ASGI app. `hosts` are the names under which it may be asked, with the port ("127.0.0.1:8000").

    With a `login` the one-time links do not exist, and with `tls` cookies and sockets are for encrypted pages only.
    The app is asked for its WebSockets and uploads alone; what the page is loaded from is answered here.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: tuple[str, ...],
        port: int,
        assets: Path,
        home: Path,
        settings: Callable[[], Settings] = Settings,
        login: Login | None = None,
        tls: bool = False,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._cookie = f"peft_studio_{port}"  # cookies are shared by all ports of a host
        self._files = ClientFiles(assets)
        self._settings = settings
        self._login = login
        self._scheme = "https" if tls else "http"
        self._intake = Intake(app, home)
        self._links: set[str] = set()
        self._pages = 0
        self._visits = Visits() if login is None else Visits(self._terms, lambda each: _same_password(login, each))

    def new_link(self) -> str:
        """A path that opens the page once, in one browser."""
        token = secrets.token_urlsafe(24)
        self._links.add(token)
        return f"/?token={token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    def _terms(self) -> Terms:
        settings = self._settings()
        return Terms(settings.web_hours * 3600, settings.web_idle_minutes * 60, settings.web_visits)

    @property
    def _full(self) -> bool:
        return self._pages >= self._settings().web_pages

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        host, visit = header(scope, b"host"), self._visit(scope)
        if visit is None or host not in self._hosts or header(scope, b"origin") != self._origin(host):
            return await _refuse(receive, send, STRANGER)
        if self._full:
            return await _refuse(receive, send, FULL)
        self._pages += 1
        visit.pages += 1
        try:
            await Connection(self._visits, visit, receive, send).serve(self._app, scope)
        finally:
            self._pages -= 1
            visit.pages -= 1

    def _origin(self, host: str) -> str:
        return f"{self._scheme}://{host}"

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if header(scope, b"host") not in self._hosts:  # another name that points here (DNS rebinding)
            await answer(send, 421, TEXT, b"Unknown host.\n")
        elif self._login is not None:
            await self._signed_in(self._login, scope, receive, send)
        elif (token := _query(scope, "token")) and scope["method"] == "GET":
            await self._exchange(token, scope, send)
        elif (visit := self._visit(scope)) is None:
            await answer(send, 401, TEXT, CLOSED.encode())
        else:
            await self._serve(visit, scope, receive, send)

    async def _exchange(self, token: str, scope: Scope, send: Send) -> None:
        """One link for one visit, and away with the token from the address bar."""
        matched = next((link for link in self._links if secrets.compare_digest(link, token)), None)
        if matched is None and self._visit(scope) is None:
            await answer(send, 401, TEXT, CLOSED.encode())
            return
        self._links.discard(matched or "")
        await redirect(send, "/", [self._let_in(self._visits.open())] if matched else None)

    async def _signed_in(self, login: Login, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a browser that signed in; let others do that."""
        path, visit = str(scope["path"]), self._visit(scope)
        if path == "/login" and scope["method"] == "POST":
            found = await login.hear(scope, receive, send, self._origin(header(scope, b"host")))
            if found is not None:
                account, next = found
                await redirect(send, next, [self._let_in(self._visits.open(account.name, account.stamp))])
        elif path == "/login" and visit is None:
            await login.ask(send, next=own_path(_query(scope, "next")))
        elif path in ("/login", "/logout"):
            if path == "/logout" and visit is not None:
                self._visits.end(visit)
            await redirect(send, "/" if path == "/login" else "/login")
        elif visit is not None:
            self._visits.use(visit)
            await self._serve(visit, scope, receive, send)
        elif scope["method"] == "GET" and "text/html" in header(scope, b"accept"):
            await redirect(send, f"/login?next={quote(own_path(path), safe='')}")
        else:
            await answer(send, 401, TEXT, b"Sign in first.\n")

    def _let_in(self, value: str) -> tuple[bytes, bytes]:
        secure = "; Secure" if self._scheme == "https" else ""
        return b"set-cookie", f"{self._cookie}={value}; HttpOnly; SameSite=Strict; Path=/{secure}".encode()

    def _visit(self, scope: Scope) -> Visit | None:
        try:
            found = SimpleCookie(header(scope, b"cookie")).get(self._cookie)
        except CookieError:
            return None
        return None if found is None else self._visits.find(found.value)

    async def _serve(self, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope["path"])
        first = path.lstrip("/").split("/", 1)[0]
        if self._full and not visit.pages and (path == "/" or first in PAGES):
            await answer(send, 503, TEXT, CROWDED.encode(), [(b"retry-after", b"30")])
        elif path == "/upload":
            await self._intake.take(scope, receive, send, self._settings())
        elif path.startswith(downloads.ADDRESS) and scope["method"] == "GET":
            await downloads.OFFERED.send(send, path)
        elif scope["method"] not in ("GET", "HEAD"):
            await answer(send, 405, TEXT, b"Only GET.\n", [(b"allow", b"GET, HEAD")])
        elif first in PAGES or _like_a_page(path):
            socket = f"{'wss' if self._scheme == 'https' else 'ws'}://{header(scope, b'host')}"
            await send_page(send, socket, login=self._login is not None)
        else:
            await self._files.send(scope, receive, send)


def _like_a_page(path: str) -> bool:
    """Whether an address that is no page's is still answered by the app, which says that there is no such page."""
    return not path.startswith("/assets/") and PurePosixPath(path).suffix in ("", ".html")


async def _refuse(receive: Receive, send: Send, code: int) -> None:
    await receive()
    await send({"type": "websocket.close", "code": code})


def _same_password(login: Login, visit: Visit) -> bool:
    return login.stamp(visit.account) == visit.stamp


def _query(scope: Scope, name: str) -> str:
    return parse_qs(scope["query_string"].decode("latin-1")).get(name, [""])[0]
