"""Files that a page on another machine may fetch: each offered by the app itself, for a while, to whoever is let in.

A browser never names a path. It gets an address with a secret in it, of what the app has just written for it; a folder
comes as one zip file, put together while it is sent.
"""

from __future__ import annotations

import secrets
import time
import zipfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from urllib.parse import quote

import anyio.to_thread
import msgspec

from studio.asgi import TEXT, Headers, Send, answer, safe

ADDRESS = "/file/"
OFFERED_SECONDS = 600.0
MOST = 200
CHUNK = 1_000_000


class Offer(msgspec.Struct, frozen=True):
    """A file or folder, and until when it may be fetched (seconds of the monotonic clock)."""

    path: Path
    until: float


class Downloads:
    """What is offered now, by its secret."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}

    def offer(self, path: Path) -> str:
        """An address under which this file or folder can be fetched for ten minutes."""
        now = time.monotonic()
        current = [(key, each) for key, each in self._offers.items() if each.until > now]
        self._offers = dict(current[1 - MOST :])
        secret = secrets.token_urlsafe(24)
        self._offers[secret] = Offer(path, now + OFFERED_SECONDS)
        return f"{ADDRESS}{secret}/{quote(name_of(path), safe='')}"

    def find(self, address: str) -> Path | None:
        """What an address offers; None for one that was never given out or is too old."""
        secret = address.removeprefix(ADDRESS).split("/", 1)[0]
        found = self._offers.get(secret)
        return found.path if found is not None and found.until > time.monotonic() and found.path.exists() else None

    async def send(self, send: Send, address: str) -> None:
        """Answer a request for an address."""
        path = self.find(address)
        if path is None:
            await answer(send, 404, TEXT, b"This download is over. Ask for it again in PEFT Studio.\n")
            return
        headers: Headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-disposition", f"attachment; filename*=UTF-8''{quote(name_of(path), safe='')}".encode()),
            (b"cache-control", b"no-store"),
        ]
        if path.is_file():
            headers.append((b"content-length", str(path.stat().st_size).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": safe(headers)})
        pieces = zipped(path) if path.is_dir() else whole(path)
        while piece := await anyio.to_thread.run_sync(next, pieces, b""):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


OFFERED = Downloads()
"""The offers of this process; its pages make them, its door answers them."""


def name_of(path: Path) -> str:
    """What the browser calls it."""
    return f"{path.name}.zip" if path.is_dir() else path.name


def whole(path: Path) -> Iterator[bytes]:
    """A file, piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


class _Sink(RawIOBase):
    """Keeps what a zip file writes until it is sent; it cannot go back, so that nothing needs to be kept."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        self.pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken


def zipped(folder: Path) -> Iterator[bytes]:
    """A folder as a zip file, piece by piece, stored as it is: weights do not get smaller. Links are left out."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[arg-type]
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            entry = zipfile.ZipInfo.from_file(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
            with path.open("rb") as file, archive.open(entry, "w", force_zip64=True) as member:
                while piece := file.read(CHUNK):
                    member.write(piece)
                    yield sink.taken()
    yield sink.taken()
