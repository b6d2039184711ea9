"""The inbox: how a command reaches the process that holds the Home. Three files, no port, works over SSH.

<id>.json        dropped by the command line
<id>.taken       renamed by the holder within a second
<id>.reply.json  the holder's answer: a value or an error card
"""

from __future__ import annotations

import contextlib
import secrets
import time
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


def answer(inbox: Path, request_id: str, reply: Reply) -> None:
    """Leave the reply and remove the request."""
    write_struct(inbox / f"{request_id}.reply.json", reply)
    with contextlib.suppress(FileNotFoundError):
        (inbox / f"{request_id}.taken").unlink()


async def reply_to(inbox: Path, request_id: str, *, seconds: float = 60.0) -> msgspec.Raw:
    """Wait for the reply and return its value. Raises the holder's StudioError, or RunError when none answers."""
    path = inbox / f"{request_id}.reply.json"
    with anyio.move_on_after(seconds):
        while not path.exists():
            await anyio.sleep(0.05)
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


def _withdraw(inbox: Path, request_id: str) -> None:
    for ending in (".json", ".taken"):
        with contextlib.suppress(FileNotFoundError):
            (inbox / f"{request_id}{ending}").unlink()
