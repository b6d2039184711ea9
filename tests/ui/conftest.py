"""A client and a fake engine for each test; nothing is served and no Flutter is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.core.settings import Settings
from studio.app import open_page
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine

Shown = Callable[..., "Client"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine gives to another process is done here, at once."""

    async def run_sync(work: Callable[..., object], *arguments: object, **_: object) -> object:
        return work(*arguments)

    monkeypatch.setattr("anyio.to_process.run_sync", run_sync)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page makes a moment later is there at once; test_later.py looks at the waiting."""
    for wait in ("kit.later.BELOW_SECONDS", "kit.later.SKELETON_SECONDS", "pages.settings_storage.STAYS_SECONDS"):
        monkeypatch.setattr(f"studio.{wait}", 0.0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "home")
    made.settings.set(Settings(side_bar=False))  # tests of pages look at the page; test_sidebar.py at the lists
    yield made
    made.store.close()


@pytest.fixture
async def show(engine: FakeEngine):
    """Draw the app at an address, in a width."""
    clients: list[Client] = []

    async def shown(route: str = "/", width: int = 1440, confined: bool = False) -> Client:
        client = Client(route, width)
        clients.append(client)
        open_page(client.page, engine, confined=confined)  # type: ignore[arg-type]
        await client.settle(30)
        return client

    yield shown
    for client in clients:
        assert client.crashed() == []
        client.session.close()
        client.dispose()
