"""What comes while a browser already loads the page: the engine, Flet's app, and what is seen when they do not."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from engine.core import settings as settings_file
from engine.core.errors import HomeHeld, StudioError
from engine.core.home import Home, Lock
from engine.core.settings import Settings
from studio import behind
from studio.behind import Behind
from studio.web import serve, serve_home
from tests.studio.test_gate import address, socket
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Slow:
    """An engine that is opened when it may be; it notes what became of it."""

    def __init__(self, folder: Path) -> None:
        self.engine: Any = FakeEngine(folder / "home")
        self.may, self.seen = anyio.Event(), list[str]()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        await self.may.wait()
        self.seen.append("opened")
        yield self.engine
        self.seen.append("closed")

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        async with anyio.create_task_group() as group:
            quiet = partial(serve, self.engine.home, self.opened(), announce=lambda words: None)
            yield await group.start(quiet)
            group.cancel_scope.cancel()


async def enter(browser: httpx.AsyncClient, link: str) -> str:
    """Use the link; the cookie that comes of it."""
    return (await browser.get(link)).headers["set-cookie"].split(";")[0]


async def test_the_page_is_there_before_the_engine_and_who_comes_early_waits(tmp_path):
    slow = Slow(tmp_path)
    async with slow.served() as link, httpx.AsyncClient() as browser:
        cookie = await enter(browser, link)
        for path in ("/", "/main.dart.mjs", "/manifest.json", "/icons/loading-animation.png"):
            assert (await browser.get(address(link) + path)).status_code == 200
        said = list[str]()

        async def knock() -> None:
            said.append(await socket(link, address(link), cookie))

        async with anyio.create_task_group() as group:
            group.start_soon(knock)
            await anyio.sleep(0.3)
            assert said == [] and slow.seen == []
            slow.may.set()
        assert said == ["open"] and slow.seen == ["opened"]


async def test_the_page_is_there_before_flet_is(tmp_path, monkeypatch):
    made, go, own = threading.Event(), threading.Event(), behind.flet_app

    def slow(*words: Any, **named: Any) -> Any:
        made.set()
        go.wait(20)
        return own(*words, **named)

    monkeypatch.setattr(behind, "flet_app", slow)
    there = Slow(tmp_path)
    there.may.set()
    async with there.served() as link, httpx.AsyncClient() as browser:
        await enter(browser, link)
        await anyio.to_thread.run_sync(made.wait, 5)
        assert made.is_set() and (await browser.get(address(link) + "/")).status_code == 200
        go.set()


async def test_an_engine_that_cannot_be_opened_ends_the_serving_with_its_own_words(tmp_path):
    @asynccontextmanager
    async def broken() -> AsyncIterator[Any]:
        raise StudioError("The disk is full.", "It is.", "Make room.")
        yield

    links = list[str]()
    with pytest.raises(StudioError, match="The disk is full"):
        await serve(Home.open(tmp_path), broken(), announce=lambda words: links.append(words.split()[5]))
    async with httpx.AsyncClient() as browser:
        with pytest.raises(httpx.ConnectError):
            await browser.get(links[0])


async def test_the_engine_stays_open_until_it_is_over(tmp_path):
    slow = Slow(tmp_path)
    slow.may.set()
    door, over = Behind(slow.engine.home, confined=False), anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(door.stay, slow.opened(), over)
        while not slow.seen:
            await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        assert slow.seen == ["opened"]
        over.set()
    assert slow.seen == ["opened", "closed"]


async def test_until_the_engine_is_there_the_settings_are_those_on_the_disk(tmp_path):
    engine: Any = FakeEngine(tmp_path / "home")
    settings_file.save(engine.home.settings, Settings(web_pages=7))
    door, over = Behind(engine.home, confined=False), anyio.Event()
    assert door.settings().web_pages == 7
    async with anyio.create_task_group() as group:
        group.start_soon(door.stay, nullcontext(engine), over)
        await anyio.sleep(0.05)
        engine.settings.set(Settings(web_pages=9))
        assert door.settings().web_pages == 9
        over.set()


def test_a_home_that_another_app_has_is_refused_before_there_is_a_link(tmp_path, capsys):
    home = Home.open(tmp_path / "home")
    lock = Lock(home, "app")
    with pytest.raises(HomeHeld):
        serve_home(home.path, browser=False)
    lock.release()
    assert capsys.readouterr().out == ""
