"""The inbox: how a command reaches the process that holds the Home. A few files, no port, works over SSH.

<id>.json        dropped by the command line
<id>.taken       renamed by the holder within a second; who asked deletes it to have the work stopped
<id>.far         how far the holder is, for work that takes long
<id>.reply.json  the holder's answer: a value or an error card
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec

from engine.core.errors import RunError, StudioError
from engine.spec.files import read_struct, write_struct
from engine.spec.records import Card


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One command. `arguments` is the JSON of the command's own struct, read by whoever serves it."""

    command: str
    arguments: msgspec.Raw
    made: float


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: `value` is JSON when `ok`, else `error` is a card."""

    ok: bool
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: Card | None = None


class Far(msgspec.Struct, frozen=True, kw_only=True):
    """So much of so much is done."""

    done: int
    total: int


Told = Callable[[Far], None]


def drop(inbox: Path, command: str, arguments: object) -> str:
    """Leave a request and return its id."""
    request_id = f"{int(time.time() * 1000):013d}-{secrets.token_hex(4)}"
    raw = msgspec.Raw(msgspec.json.encode(arguments))
    write_struct(inbox / f"{request_id}.json", Request(command=command, arguments=raw, made=time.time()))
    return request_id


def take(inbox: Path) -> list[tuple[str, Request]]:
    """Claim every waiting request, oldest first. A request that cannot be read is answered at once."""
    taken = []
    for path in sorted(inbox.glob("[0-9]*-*.json")):
        if path.name.endswith(".reply.json"):
            continue
        claimed = path.with_suffix(".taken")
        try:
            path.replace(claimed)
            taken.append((path.stem, read_struct(claimed, Request)))
        except FileNotFoundError:
            continue
        except msgspec.MsgspecError as error:
            card = RunError("A command could not be read.", str(error), "Run the command again.").card
            answer(inbox, path.stem, Reply(ok=False, error=card))
    return taken


def tell(inbox: Path, request_id: str, far: Far) -> None:
    """Say how far a request's work is. Raises OSError."""
    write_struct(inbox / f"{request_id}.far", far)


def withdrawn(inbox: Path, request_id: str) -> bool:
    """Whether nobody waits for a taken request any more."""
    return not (inbox / f"{request_id}.taken").exists()


def answer(inbox: Path, request_id: str, reply: Reply) -> None:
    """Leave the reply and remove the request."""
    write_struct(inbox / f"{request_id}.reply.json", reply)
    _withdraw(inbox, request_id)


async def reply_to(inbox: Path, request_id: str, *, seconds: float = 60.0, told: Told | None = None) -> msgspec.Raw:
    """Wait for the reply and return its value; `told` hears how far the work is, and news begin the `seconds` anew.

    Who is cancelled while waiting withdraws the request. Raises the holder's StudioError, RunError when none answers.
    """
    path = inbox / f"{request_id}.reply.json"
    try:
        await _wait(inbox, request_id, path, seconds, told or (lambda far: None))
    except BaseException:
        _withdraw(inbox, request_id)
        raise
    try:
        reply = read_struct(path, Reply)
        path.unlink()
    except FileNotFoundError:
        _withdraw(inbox, request_id)
        raise RunError(
            "The open PEFT Studio did not answer.",
            f"It had {seconds:.0f} seconds to take the command.",
            "Close it and run the command again.",
        ) from None
    if not reply.ok and reply.error is not None:
        raise StudioError.from_card(reply.error)
    return reply.value


async def _wait(inbox: Path, request_id: str, path: Path, seconds: float, told: Told) -> None:
    """Until the reply is there, or no news have come for so long."""
    last, heard = time.monotonic(), None
    while not path.exists() and time.monotonic() - last < seconds:
        await anyio.sleep(0.05)
        try:
            far = read_struct(inbox / f"{request_id}.far", Far)
        except (OSError, msgspec.MsgspecError):
            continue
        if far != heard:
            last, heard = time.monotonic(), far
            told(far)


def _withdraw(inbox: Path, request_id: str) -> None:
    for ending in (".json", ".taken", ".far"):
        with contextlib.suppress(FileNotFoundError):
            (inbox / f"{request_id}{ending}").unlink()
