"""Becoming the holder of a Home, and naming what it makes."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from engine.core import inbox
from engine.core.errors import HomeHeld
from engine.core.home import Home, Lock

TAKE_OVER_SECONDS = 10.0


@asynccontextmanager
async def hold(path: Path | None = None, role: str = "app") -> AsyncIterator[Home]:
    """Hold a Home; a keeper gives way to an app. Raises HomeError, or HomeHeld when an app has it."""
    home = Home.open(path)
    lock = await _take(home, role)
    try:
        yield home
    finally:
        lock.release()


async def _take(home: Home, role: str) -> Lock:
    """The Home's lock; an app asks a keeper to give way and waits for it."""
    try:
        return Lock(home, role)
    except HomeHeld:
        holder = home.holder()
        if role != "app" or holder is None or holder.role != "keeper":
            raise
    from engine import orders  # and with them half of the engine

    inbox.drop(home.inbox, "leave", orders.Leave())
    deadline = time.monotonic() + TAKE_OVER_SECONDS
    while True:
        try:
            return Lock(home, role)
        except HomeHeld:
            if time.monotonic() > deadline:
                raise
            await anyio.sleep(0.1)


def new_id(name: str) -> str:
    """An id that sorts by time and says something: date, time, the name's letters, and two random bytes."""
    word = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name.lower())
    word = "-".join(part for part in word.split("-") if part)[:32] or "run"
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{word}-{secrets.token_hex(2)}"
