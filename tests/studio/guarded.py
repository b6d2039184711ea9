"""A served app that asks for an account, for one test: on this machine, and asked by another name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import websockets

from studio.accounts import Accounts
from studio.web import Where, serve
from tests.ui.fake_engine import FakeEngine

WORDS = "four plain words here"
NAME = "studio.example"


class Server:
    """A served app for one test, asked as `studio.example`."""

    def __init__(self, engine: Any, address: str, scheme: str) -> None:
        self.engine = engine
        self.accounts = Accounts(engine.home.path)
        self.address = address
        self.port = address.rsplit(":", 1)[1]
        self.host = f"{NAME}:{self.port}"
        self.origin = f"{scheme}://{self.host}"

    def client(self, **more: Any) -> httpx.AsyncClient:
        headers = {"Host": self.host, "Accept": "text/html"}
        return httpx.AsyncClient(base_url=self.address, headers=headers, **more)

    async def sign_in(self, client: httpx.AsyncClient, name: str = "ada", password: str = WORDS, next: str = "/"):
        form = {"name": name, "password": password, "next": next}
        answer = await client.post("/login", data=form, headers={"Origin": self.origin})
        if "set-cookie" in answer.headers:
            client.headers["Cookie"] = answer.headers["set-cookie"].split(";")[0]
        return answer

    async def socket(self, client: httpx.AsyncClient, origin: str = "") -> Any:
        """An open WebSocket. Raises websockets.InvalidStatus when it is refused."""
        headers = {"Cookie": client.headers["Cookie"]}
        return await websockets.connect(
            f"ws://{self.host}/ws",
            host="127.0.0.1",
            origin=origin or self.origin,  # type: ignore[arg-type]
            additional_headers=headers,
        )


@asynccontextmanager
async def served(folder: Path, announce: Any = lambda words: None, **where: Any) -> AsyncIterator[Server]:
    engine: Any = FakeEngine(folder / "home")
    Accounts(engine.home.path).set("ada", WORDS)
    wanted = Where(login=True, names=(NAME,), **where)
    async with anyio.create_task_group() as group:
        link = await group.start(partial(serve, engine.home, nullcontext(engine), wanted, announce=announce))
        port = link.rstrip("/").rsplit(":", 1)[1]
        yield Server(engine, f"{wanted.scheme}://127.0.0.1:{port}", wanted.scheme)
        group.cancel_scope.cancel()
    engine.store.close()
