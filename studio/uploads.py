"""What browsers may put on this machine, how much of it, and which files a browser may name at all.

The folder of uploads is limited as a whole, and the disk keeps some room whatever the settings say. A page of another
machine reads what was uploaded and the samples, and never a path that somebody typed there.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs

import anyio.to_thread

from engine.core.errors import DataError, StorageError
from engine.core.home import given_path
from engine.core.settings import Settings
from studio.asgi import TEXT, App, Message, Receive, Scope, Send, answer, header

KEPT_SECONDS = 86_400.0
FREE_BYTES = 2_000_000_000
"""What an upload leaves free on the disk."""
AT_ONCE = 4
MOST = 500
"""Uploads kept at once."""


def uploads_folder(home: Path) -> Path:
    """Where files dropped into the page land; leftovers of more than a day are removed."""
    folder = home / "uploads"
    folder.mkdir(exist_ok=True)
    for each in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - each.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(each, ignore_errors=True)
    return folder


def room(home: Path, settings: Settings) -> int:
    """How many bytes may still be uploaded. Raises StorageError when that is none."""
    folder = uploads_folder(home)
    there = [each for each in folder.rglob("*") if each.is_file()]
    left = settings.uploads_bytes - sum(each.stat().st_size for each in there)
    free = shutil.disk_usage(folder).free - FREE_BYTES
    if min(left, free) <= 0 or len(there) >= MOST:
        why = "There is little room left on its disk." if free <= 0 else "The room for uploads is used up."
        raise StorageError(
            "No more files can be uploaded now.",
            f"{why} Uploads go by themselves after a day.",
            "Use what was uploaded before.",
            "Or ask whoever runs this server to make room.",
        )
    return min(left, free, settings.refuse_file_bytes)


def allowed(words: str, home: Path, *, confined: bool) -> Path:
    """A path as a person gave it. Raises DataError when the page is `confined` and the file is not one of its own."""
    path = given_path(words)
    if not confined:
        return path
    own = (home / "uploads", Path(str(files("assets") / "samples")))
    if any(path.resolve().is_relative_to(folder.resolve()) for folder in own):
        return path
    raise DataError(
        "A path cannot be named here.",
        "This page belongs to another machine; only what is uploaded to it can be read.",
        "Choose a file to upload, or a sample.",
    )


class Intake:
    """Watches over uploads on their way to the app: how many at once, and how large each may still be."""

    def __init__(self, app: App, home: Path) -> None:
        self._app = app
        self._home = home
        self._busy = 0

    async def take(self, scope: Scope, receive: Receive, send: Send, settings: Settings) -> None:
        """Let an upload through, or answer why not; what came of one that is too large is removed."""
        if self._busy >= AT_ONCE:
            return await answer(send, 503, TEXT, b"Too many uploads at once.\n", [(b"retry-after", b"5")])
        self._busy += 1
        try:
            most = await anyio.to_thread.run_sync(room, self._home, settings)
            if int(header(scope, b"content-length") or 0) > most:
                return await answer(send, 413, TEXT, b"This file is too large.\n")
            counted = _Counted(receive, send, most)
            try:
                await self._app(scope, counted.receive, counted.send)
            except Exception:
                if not counted.over:
                    raise
            if counted.over:
                self._remove(scope)
                await answer(send, 413, TEXT, b"This file is too large.\n")
            return None
        except (StorageError, ValueError) as error:
            return await answer(send, 507, TEXT, f"{error}\n".encode())
        finally:
            self._busy -= 1

    def _remove(self, scope: Scope) -> None:
        """The half file of an upload that was cut off; its address was signed, or nothing of it would be here."""
        folder = (self._home / "uploads").resolve()
        name = parse_qs(scope["query_string"].decode("latin-1")).get("f", [""])[0]
        path = (folder / name).resolve()
        if path.is_relative_to(folder) and path != folder:
            path.unlink(missing_ok=True)


class _TooLarge(Exception):
    """More came than there is room for."""


class _Counted:
    """A request whose body is counted; once it is too much, nothing the app says of that goes out."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive = receive
        self._send = send
        self._left = most

    @property
    def over(self) -> bool:
        """Whether more came than that."""
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.over:
            raise _TooLarge
        return message

    async def send(self, message: Message) -> None:
        if not self.over:
            await self._send(message)
