"""Deleting with a way back: what is deleted is hidden at once, and goes for good only when nobody pressed Undo.

A window that is closed meanwhile deletes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio

from engine.core.errors import StudioError
from studio.kit import toast
from studio.session import Session

SECONDS = 8.0
"""How long one can think better of it."""


async def delete_later(
    session: Session, ids: Sequence[str], said: str, delete: Callable[[str], Awaitable[object]]
) -> bool:
    """Hide these things and delete them in a while, unless that is undone; answers whether they were deleted."""
    mine = frozenset(ids)
    undone = anyio.Event()
    session.leaving.set(session.leaving.value | mine)
    toast(said, verb="Undo", do=undone.set, seconds=SECONDS)
    kept = mine
    try:
        with anyio.move_on_after(SECONDS):
            await undone.wait()
        if undone.is_set():
            return False
        kept = frozenset([each for each in ids if not await _deleted(each, delete)])
        return True
    finally:
        session.leaving.set(session.leaving.value - kept)  # what is gone stays hidden until every list knows it


async def _deleted(thing: str, delete: Callable[[str], Awaitable[object]]) -> bool:
    try:
        await delete(thing)
    except StudioError as error:
        toast(f"{error.card.what} {error.card.why}", bad=True)
        return False
    return True
