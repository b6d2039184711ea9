"""Signing in and out of the served page: the form's answer, the waits of those who guess, and where to go afterwards.

An ASGI part of the gate. A wrong password and an unknown name are answered alike, and take as long.
"""

from __future__ import annotations

import logging
import math
from urllib.parse import parse_qs

import anyio
import anyio.to_thread

from engine.core.errors import StudioError
from studio.accounts import Account, Accounts
from studio.asgi import HTML, TEXT, Headers, Receive, Scope, Send, answer, header
from studio.attempts import Attempts, address_key
from studio.login_page import page, policy

log = logging.getLogger(__name__)
BODY_BYTES = 8192
FREE_BY_NAME, FREE_BY_ADDRESS = 4, 12
"""Failures that cost nothing."""
AT_ONCE, QUEUED = 2, 16
"""Passwords hashed at once (each takes 32 MB), and those that may wait for it."""
WRONG = "The name or the password is not right."


class Login:
    """The door with a password."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._names = Attempts(FREE_BY_NAME)
        self._addresses = Attempts(FREE_BY_ADDRESS)
        self._hashing = anyio.CapacityLimiter(AT_ONCE)

    def stamp(self, name: str) -> str:
        """What changes with an account's password; nothing where the account is gone or cannot be read."""
        try:
            account = self._accounts.find(name)
        except (StudioError, OSError) as error:
            log.error("the accounts cannot be read: %s", error)
            return ""
        return account.stamp if account else ""

    async def ask(self, send: Send, *, next: str = "/", problem: str = "", name: str = "", status: int = 200) -> None:
        """Send the form."""
        wait: Headers = [(b"content-security-policy", policy().encode()), (b"referrer-policy", b"same-origin")]
        await answer(send, status, HTML, page(problem=problem, name=name, next=next), wait)

    async def hear(self, scope: Scope, receive: Receive, send: Send, origin: str) -> tuple[Account, str] | None:
        """Who signed in and where they wanted to go; None when the answer was sent already.

        `origin` is this page's own: a form of another page is refused.
        """
        if header(scope, b"origin") != origin:
            await answer(send, 403, TEXT, b"This form was sent by another page.\n")
            return None
        body = await read_body(receive, BODY_BYTES)
        if body is None:
            await answer(send, 413, TEXT, b"That is too long.\n")
            return None
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        name, password, next = (form.get(key, [""])[0] for key in ("name", "password", "next"))
        account, problem = await self._check(name.strip(), password, _address(scope))
        if account is None:
            status = 401 if problem == WRONG else 429
            await self.ask(send, next=own_path(next), problem=problem, name=name.strip(), status=status)
            return None
        return account, own_path(next)

    async def _check(self, name: str, password: str, address: str) -> tuple[Account | None, str]:
        """The account, or why not. Each try counts as a failure until it has succeeded, so that none run beside it."""
        by_name = name.casefold()[:64]
        wait = max(self._names.wait(by_name), self._addresses.wait(address))
        if wait > 0:
            return None, f"Too many tries. Wait {_words(wait)} and try again."
        if self._hashing.statistics().tasks_waiting >= QUEUED:
            return None, "Many are signing in just now. Wait a moment and try again."
        self._names.failed(by_name)
        self._addresses.failed(address)
        try:
            account = await anyio.to_thread.run_sync(self._accounts.right, name, password, limiter=self._hashing)
        except (StudioError, OSError) as error:
            log.error("the accounts cannot be read: %s", error)
            return None, WRONG
        if account is None:
            log.warning("a sign-in failed from %s", address)
            return None, WRONG
        self._names.forget(by_name)
        self._addresses.forget(address)
        log.info("%s signed in from %s", account.name, address)
        return account, ""


async def read_body(receive: Receive, most: int) -> bytes | None:
    """The body of a request; None when it is longer than that."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


def own_path(words: str) -> str:
    """A path of this page; the first page where it could lead to another host."""
    plain = words.isascii() and words.isprintable() and "\\" not in words and len(words) < 2000
    return words if plain and words.startswith("/") and not words.startswith(("//", "/login", "/logout")) else "/"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return address_key(client[0]) if client else ""


def _words(seconds: float) -> str:
    whole = math.ceil(seconds)
    return f"{whole} {'second' if whole == 1 else 'seconds'}" if whole < 90 else f"{math.ceil(whole / 60)} minutes"
