"""One open page: its WebSocket, as long as the browser is there and its visit lasts; then the app hears that it left.

Flet 1.0.5 lets go of a session only when it hears of the end and can still send; so what it says afterwards is dropped
here. A connection that never introduced itself is never let go of by Flet, and is ended after a moment.
"""

from __future__ import annotations

import asyncio
import contextlib

import anyio

from studio.asgi import App, Message, Receive, Scope, Send
from studio.visits import Visit, Visits

ENDED = 4401
"""The code with which a WebSocket is closed whose visit has ended."""
LOOK_SECONDS = 5.0
"""How often it is looked at whether the visit's time is over or its password was changed."""
GRACE_SECONDS = 2.0
"""How long the app may take to let go of a page that has left."""


class Connection:
    """Between the server and the app."""

    def __init__(self, visits: Visits, visit: Visit, receive: Receive, send: Send) -> None:
        self._visits = visits
        self._visit = visit
        self._receive = receive
        self._send = send
        self._over = anyio.Event()

    async def serve(self, app: App, scope: Scope) -> None:
        """Let the app talk with the browser until it is over."""
        with contextlib.suppress(asyncio.CancelledError):  # the server ends, and with it this connection
            async with anyio.create_task_group() as group:
                group.start_soon(self._give_up, group.cancel_scope)
                await app(scope, self.hear, self.say)
                group.cancel_scope.cancel()

    async def hear(self) -> Message:
        """The browser's next message; that it left, once it did or its visit has ended."""
        heard: list[Message] = []

        async def listen() -> None:
            heard.append(await self._receive())
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            while self._visits.lasts(self._visit):
                with anyio.move_on_after(LOOK_SECONDS):
                    await self._visit.ended.wait()
            group.cancel_scope.cancel()
        if self._visit.ended.is_set():
            await self.say({"type": "websocket.close", "code": ENDED})
            heard = [{"type": "websocket.disconnect", "code": ENDED}]
        if heard[0]["type"] == "websocket.disconnect":
            self._over.set()
        self._visits.use(self._visit)
        return heard[0]

    async def say(self, message: Message) -> None:
        """Send, unless the browser has left."""
        if not self._over.is_set():
            with contextlib.suppress(OSError):
                await self._send(message)

    async def _give_up(self, scope: anyio.CancelScope) -> None:
        await self._over.wait()
        await anyio.sleep(GRACE_SECONDS)
        scope.cancel()
