"""The door of the served page: who may come in, and what the page may load. An ASGI layer around Flet's app.

A one-time link (`/?token=…`) is exchanged for a random session value in a cookie; everything else needs that cookie,
and a WebSocket must also come from this very page (Flet itself accepts any origin). Knows nothing of Flet's protocol or
of the engine; the text it puts into index.html keeps Flutter from loading scripts of other hosts.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec

from studio.places import PLACES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BLOCK_FOREIGN_SCRIPTS = """<script>
(() => {
  const own = Object.getOwnPropertyDescriptor(HTMLScriptElement.prototype, "src");
  Object.defineProperty(HTMLScriptElement.prototype, "src", {
    ...own,
    set(value) {
      const url = new URL(String(value), document.baseURI);
      if (url.origin === location.origin) own.set.call(this, value);
    },
  });
})();
</script>"""
"""With no_cdn Flet's page still asks a public host for the Rive runtime. A script element whose address is never set
neither loads nor fails, so that nothing leaves the machine and nothing is reported as an error."""

OWN_KEYS = ("Ctrl+P", "Ctrl+Shift+P", "Ctrl+K", "Ctrl+S", "F1")
"""Keys of the app that a browser would take for printing, saving or its own help. Firefox keeps Ctrl+Shift+P."""
KEEP_KEYS = f"""<script>
(() => {{
  const own = new Set({list(OWN_KEYS)});
  window.addEventListener("keydown", (event) => {{
    const letter = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const held = [(event.ctrlKey || event.metaKey) && "Ctrl", event.altKey && "Alt", event.shiftKey && "Shift"];
    if (own.has([...held.filter(Boolean), letter].join("+"))) event.preventDefault();
  }}, true);
}})();
</script>"""

PAGES = {place.route.strip("/") for place in PLACES} - {""}
"""First parts of the addresses of the app's pages."""
CLOSED = (
    "This page needs the link that PEFT Studio printed when it started.\n\n"
    "Each link works once, in one browser. Start PEFT Studio again for a new one.\n"
)
SHARED_FOLDERS = ("fonts", "icons")
"""What of the app's assets a browser may fetch; the rest (starter model, samples) stays inside."""


class Gate:
    """Wraps an ASGI app. `hosts` are the names under which it may be asked, with the port ("127.0.0.1:8000")."""

    def __init__(self, app: App, *, hosts: tuple[str, ...], port: int, assets: Path) -> None:
        self._app = app
        self._hosts = hosts
        self._cookie = f"peft_studio_{port}"  # cookies are shared by all ports of a host
        self._assets = assets
        self._links: set[str] = set()
        self._sessions: set[str] = set()
        self._hidden = {path.name for path in assets.iterdir() if path.is_dir()} - set(SHARED_FOLDERS)

    def new_link(self) -> str:
        """A path that opens the page once, in one browser."""
        token = secrets.token_urlsafe(24)
        self._links.add(token)
        return f"/?token={token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        if self._known(scope) and host in self._hosts and origin == f"http://{host}":
            with contextlib.suppress(asyncio.CancelledError):  # the server ends, and with it this connection
                await self._app(scope, receive, _until_gone(send))
            return
        await receive()
        await send({"type": "websocket.close", "code": 4403})

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _header(scope, b"host") not in self._hosts:  # another name that points here (DNS rebinding)
            await _answer(send, 421, b"text/plain", b"Unknown host.\n")
        elif (token := _token(scope)) and scope["method"] == "GET":
            await self._exchange(token, scope, send)
        elif not self._known(scope):
            await _answer(send, 401, b"text/plain; charset=utf-8", CLOSED.encode())
        else:
            await self._serve(scope, receive, send)

    async def _exchange(self, token: str, scope: Scope, send: Send) -> None:
        """One link for one session value, and away with the token from the address bar."""
        matched = next((link for link in self._links if secrets.compare_digest(link, token)), None)
        if matched is None and not self._known(scope):
            await _answer(send, 401, b"text/plain; charset=utf-8", CLOSED.encode())
            return
        headers: Headers = [(b"location", b"/")]
        if matched is not None:
            self._links.discard(matched)
            session = secrets.token_urlsafe(32)
            self._sessions.add(session)
            cookie = f"{self._cookie}={session}; HttpOnly; SameSite=Strict; Path=/"
            headers.append((b"set-cookie", cookie.encode()))
        await _answer(send, 303, b"text/plain", b"", headers)

    def _known(self, scope: Scope) -> bool:
        try:
            found = SimpleCookie(_header(scope, b"cookie")).get(self._cookie)
        except CookieError:
            return False
        return found is not None and any(secrets.compare_digest(found.value, each) for each in self._sessions)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope["path"])
        first = path.lstrip("/").split("/", 1)[0]
        if path.startswith("/assets/fonts/noto"):  # Flutter's fallback for signs our fonts lack: no error, a box
            await _answer(send, 200, b"font/ttf", (self._assets / "fonts" / "Inter-400.ttf").read_bytes())
        elif path == "/assets/FontManifest.json":
            await _answer(send, 200, b"application/json", font_manifest())
        elif path.startswith("/assets/fonts/") and (own := self._assets / "fonts" / Path(path).name).is_file():
            await _answer(send, 200, b"font/ttf", own.read_bytes())
        elif first in self._hidden and "." in path:
            await _answer(send, 404, b"text/plain", b"Not found.\n")
        else:
            if first in self._hidden or first in PAGES:  # called like a folder of assets, or with a dot as in v1.0.0
                scope["path"], scope["raw_path"] = "/", b"/"
            if "/fonts/roboto/" in path:  # Flutter's own default, asked for where a public host would have it
                scope["path"], scope["raw_path"] = "/assets/fonts/roboto.woff2", b"/assets/fonts/roboto.woff2"
            if path == "/favicon.png":
                scope["path"], scope["raw_path"] = "/icons/favicon.png", b"/icons/favicon.png"
            await self._app(scope, receive, _Rewriter(send, _header(scope, b"host")))


@functools.cache
def font_manifest() -> bytes:
    """Flutter's list of fonts with ours in it: they are there before the first word is laid out.

    Fonts that arrive later leave words that were laid out before with the places of other letters.
    """
    import flet_web

    from studio.theme import FONTS

    original = Path(flet_web.__file__).parent / "web" / "assets" / "FontManifest.json"
    families = msgspec.json.decode(original.read_bytes())
    families += [{"family": name, "fonts": [{"asset": path.lstrip("/")}]} for name, path in FONTS.items()]
    return msgspec.json.encode(families)


def _until_gone(send: Send) -> Send:
    """A send that says nothing when the browser has left; the disconnect is then received, and Flet ends the session.

    An error here would end Flet's send loop before it lets go of the session, which then would never expire (1.0.5).
    """

    async def quiet(message: Message) -> None:
        with contextlib.suppress(OSError):
            await send(message)

    return quiet


class _Rewriter:
    """Sends on a response with safe headers, and index.html with our script in it."""

    def __init__(self, send: Send, host: str) -> None:
        self._send = send
        self._host = host
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = _safe(message["headers"])
            if _value(message["headers"], b"content-type").startswith(b"text/html"):
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_page(self._start)
            return
        await self._send(message)

    async def _send_page(self, start: Message) -> None:
        page = self._body.replace(b"<head>", b"<head>\n" + f"{BLOCK_FOREIGN_SCRIPTS}\n{KEEP_KEYS}".encode(), 1)
        drop = (b"content-length", b"etag", b"last-modified")
        headers: Headers = [pair for pair in start["headers"] if pair[0].lower() not in drop]
        headers += [
            (b"content-length", str(len(page)).encode()),
            (b"content-security-policy", policy(page.decode(), self._host).encode()),
            (b"cache-control", b"no-store"),
        ]
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": page})


def policy(page: str, host: str) -> str:
    """The content security policy of a page: this origin only, and exactly the inline scripts it carries."""
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in inline
    )
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'wasm-unsafe-eval' {hashes}",
            "style-src 'self' 'unsafe-inline'",  # Flutter writes style attributes
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self' ws://{host} data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _safe(headers: Headers) -> Headers:
    """The app's headers without its permission for every origin, and with ours."""
    kept = [pair for pair in headers if not pair[0].lower().startswith(b"access-control-")]
    return [*kept, (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


def _value(headers: Headers, name: bytes) -> bytes:
    return next((value for key, value in headers if key.lower() == name), b"")


def _header(scope: Scope, name: bytes) -> str:
    return _value(scope["headers"], name).decode("latin-1")


def _token(scope: Scope) -> str:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]


async def _answer(send: Send, status: int, kind: bytes, body: bytes, headers: Headers | None = None) -> None:
    own: Headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": _safe([*own, *(headers or [])])})
    await send({"type": "http.response.body", "body": body})
