"""Who may sign in to the served page from other machines: names and hashed passwords in one file of the Home.

Only the Home's owner can read the file. Knows nothing of HTTP. Every account may do everything the page offers.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata
from pathlib import Path

import msgspec

from engine.core.errors import StudioError
from engine.spec.files import encode, read_struct, write_atomically

FILE = "accounts.json"
SHORTEST, LONGEST = 12, 512
"""Signs of a password."""
NAME = re.compile(r"\w[\w.@+-]{0,63}")
N, R, P = 2**15, 8, 3
"""Cost of scrypt: 32 MB and about a quarter of a second for each try (OWASP, Password Storage Cheat Sheet)."""
SALT_BYTES, KEY_BYTES = 16, 32


class Hashed(msgspec.Struct, frozen=True, kw_only=True):
    """A password as it is kept: the cost it was hashed with, its own salt, and what came out."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A name, its password, and when that was set, in seconds since the epoch."""

    name: str
    password: Hashed
    changed: float

    @property
    def stamp(self) -> str:
        """Another one after each change of the password."""
        return self.password.salt.hex()


class _File(msgspec.Struct, frozen=True):
    accounts: tuple[Account, ...] = ()


class Accounts:
    """The accounts of a Home. The file is read again when another process has changed it."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Account] = {}
        self._nobody = Hashed(n=N, r=R, p=P, salt=secrets.token_bytes(SALT_BYTES), key=secrets.token_bytes(KEY_BYTES))

    def all(self) -> tuple[Account, ...]:
        """Every account by name. Raises StudioError when the file is damaged."""
        return tuple(sorted(self._read().values(), key=lambda each: each.name.casefold()))

    def find(self, name: str) -> Account | None:
        """The account of this name, in capitals or not."""
        return self._read().get(_key(name))

    def set(self, name: str, password: str) -> Account:
        """Make an account or change its password. Raises StudioError when the name or the password will not do."""
        if not NAME.fullmatch(name):
            raise StudioError(
                f"“{name}” cannot be a name.",
                "A name has 1 to 64 letters, digits, or any of . @ + - _",
                "Choose another name.",
            )
        if not SHORTEST <= len(password) <= LONGEST:
            raise StudioError(
                "This password will not do.",
                f"A password has {SHORTEST} to {LONGEST} signs; this one has {len(password)}.",
                "Choose a longer one: a few words that do not belong together are easy to remember.",
            )
        account = Account(name=name, password=_hash(password, N, R, P), changed=time.time())
        self._write({**self._read(), _key(name): account})
        return account

    def remove(self, name: str) -> Account:
        """Remove an account. Raises StudioError when there is none of this name."""
        known = dict(self._read())
        removed = known.pop(_key(name), None)
        if removed is None:
            names = ", ".join(each.name for each in self.all()) or "none"
            raise StudioError(f"There is no account “{name}”.", f"The accounts are: {names}.", "Check the name.")
        self._write(known)
        return removed

    def right(self, name: str, password: str) -> Account | None:
        """The account, if this is its password. Takes as long for a name that nobody has; call it in a thread."""
        account = self.find(name)
        kept = account.password if account else self._nobody
        tried = _hash(password[:LONGEST], kept.n, kept.r, kept.p, kept.salt)
        return account if secrets.compare_digest(tried.key, kept.key) and account else None

    def _read(self) -> dict[str, Account]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._known = None, {}
            return self._known
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._known = {_key(each.name): each for each in self._load()}
            self._seen = seen
        return self._known

    def _load(self) -> tuple[Account, ...]:
        try:
            return read_struct(self._path, _File).accounts
        except msgspec.MsgspecError as error:
            raise StudioError(
                "The file of accounts is damaged.",
                f"{self._path.name} in the Home cannot be read: {error}.",
                "Move it away and set the accounts again with `peft-studio account set NAME`.",
            ) from error

    def _write(self, known: dict[str, Account]) -> None:
        write_atomically(self._path, encode(_File(tuple(known.values()))), private=True)


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _hash(password: str, n: int, r: int, p: int, salt: bytes = b"") -> Hashed:
    salt = salt or secrets.token_bytes(SALT_BYTES)
    words = unicodedata.normalize("NFC", password).encode()
    key = hashlib.scrypt(words, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 3), dklen=KEY_BYTES)
    return Hashed(n=n, r=r, p=p, salt=salt, key=key)
