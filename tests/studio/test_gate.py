"""The served page's door, by real requests and real WebSockets to a real server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import websockets

from engine.core.home import Home
from studio.behind import opened
from studio.gate import Gate
from studio.index_page import policy
from studio.web import Where, serve
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[str]:
    """The link of an app that runs for one test."""
    async with anyio.create_task_group() as group:
        engine: Any = FakeEngine(tmp_path / "home")
        link = await group.start(partial(serve, engine.home, nullcontext(engine), announce=lambda words: None))
        yield link
        group.cancel_scope.cancel()


def address(link: str) -> str:
    return link.split("/?")[0]


async def test_nothing_is_shown_without_the_link(tmp_path):
    async with served(tmp_path) as link, httpx.AsyncClient() as stranger:
        for path in ("/", "/main.dart.js", "/assets/FontManifest.json", "/fonts/Inter-400.ttf", "/upload"):
            assert (await stranger.get(address(link) + path)).status_code == 401
        assert (await stranger.get(address(link) + "/?token=guess")).status_code == 401


async def test_the_link_works_once_and_gives_a_cookie_that_scripts_cannot_read(tmp_path):
    async with served(tmp_path) as link, httpx.AsyncClient() as first, httpx.AsyncClient() as second:
        answer = await first.get(link)
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert link.split("token=")[1] not in cookie
        assert (await first.get(address(link) + "/")).status_code == 200
        assert (await second.get(link)).status_code == 401


async def socket(link: str, origin: str, cookie: str) -> str:
    """Whether a WebSocket from this origin with this cookie is let in."""
    headers = {"Cookie": cookie} if cookie else {}
    try:
        url = address(link).replace("http", "ws") + "/ws"
        async with websockets.connect(url, origin=origin, additional_headers=headers):  # type: ignore[arg-type]
            return "open"
    except websockets.InvalidStatus:
        return "refused"


@pytest.mark.parametrize(
    "origin,with_cookie,outcome",
    [
        ("own", True, "open"),
        ("own", False, "refused"),
        ("http://evil.example", True, "refused"),
        ("http://evil.example", False, "refused"),
        ("http://127.0.0.1:1", True, "refused"),
        ("null", True, "refused"),
    ],
)
async def test_a_websocket_needs_the_cookie_and_this_very_origin(tmp_path, origin, with_cookie, outcome):
    async with served(tmp_path) as link, httpx.AsyncClient() as client:
        cookie = (await client.get(link)).headers["set-cookie"].split(";")[0] if with_cookie else ""
        assert await socket(link, address(link) if origin == "own" else origin, cookie) == outcome


async def test_another_name_for_this_machine_is_refused(tmp_path):
    async with served(tmp_path) as link, httpx.AsyncClient() as client:
        answer = await client.get(link, headers={"Host": "evil.example"})
        assert answer.status_code == 421


async def test_the_page_has_a_strict_policy_and_shares_nothing_with_other_origins(tmp_path):
    async with served(tmp_path) as link, httpx.AsyncClient() as client:
        await client.get(link)
        page = await client.get(address(link) + "/")
        rules = page.headers["content-security-policy"]
        assert "default-src 'self'" in rules and "frame-ancestors 'none'" in rules
        assert "unsafe-eval'" not in rules.replace("wasm-unsafe-eval'", "")
        assert "'unsafe-inline'" not in re.search(r"script-src[^;]*", rules)[0]  # type: ignore[index]
        assert "access-control-allow-origin" not in page.headers
        for path in ("/", "/canvaskit/skwasm.js", "/fonts/Inter-400.ttf"):
            answer = await client.get(address(link) + path)
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
        assert "HTMLScriptElement" in page.text


@pytest.mark.parametrize(
    "path",
    ["/starter/model.safetensors", "/samples/support.csv", "/glossary.json", "/__init__.py", "/%2e%2e/pyproject.toml"],
)
async def test_only_fonts_and_icons_of_the_assets_are_served(tmp_path, path):
    async with served(tmp_path) as link, httpx.AsyncClient() as client:
        await client.get(link)
        assert (await client.get(address(link) + path)).status_code == 404
        assert (await client.get(address(link) + "/fonts/Inter-400.ttf")).status_code == 200
        assert (await client.get(address(link) + "/favicon.png")).headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "path", ["/help", "/help/curve", "/versions/shop-2-v1.1.0", "/compare?ids=a-v1.0.0,b.c", "/nowhere", "/index.html"]
)
async def test_an_address_of_the_app_is_its_page_also_where_it_is_named_like_a_file_or_a_folder(tmp_path, path):
    async with served(tmp_path) as link, httpx.AsyncClient() as client:
        await client.get(link)
        page = await client.get(address(link) + path)
        assert page.status_code == 200 and "HTMLScriptElement" in page.text
        assert (await client.post(address(link) + path)).status_code == 405


async def test_signs_our_fonts_lack_do_not_end_in_an_error(tmp_path):
    async with served(tmp_path) as link, httpx.AsyncClient() as client:
        await client.get(link)
        answer = await client.get(address(link) + "/assets/fonts/notocoloremoji/v32/x.ttf")
        assert answer.status_code == 200 and answer.headers["content-type"] == "font/ttf"


async def test_an_upload_needs_a_signed_address(tmp_path):
    async with served(tmp_path) as link, httpx.AsyncClient() as client:
        await client.get(link)
        query = "?f=../../evil.txt&e=2999-01-01T00:00:00&s=guess"
        assert (await client.put(address(link) + "/upload" + query, content=b"x")).status_code in (400, 403)
        assert not list((tmp_path / "home").rglob("evil.txt"))


async def test_a_taken_port_is_said_plainly(tmp_path):
    from engine.core.errors import StudioError

    async with served(tmp_path) as link:
        with pytest.raises(StudioError, match="is in use"):
            where = Where(port=int(address(link).rsplit(":", 1)[1]))
            await serve(Home.open(tmp_path / "other"), opened(Home.open(tmp_path / "other")), where)


def test_the_policy_allows_exactly_the_scripts_of_the_page():
    assert policy("<script>a</script>", "h").count("sha256-") == 1
    assert policy("<script>a</script><script>b</script>", "h").count("sha256-") == 2


def test_every_link_is_another_one(tmp_path):
    (tmp_path / "fonts").mkdir()
    gate = Gate(None, hosts=(), port=1, assets=tmp_path, home=tmp_path)  # type: ignore[arg-type]
    assert gate.new_link() != gate.new_link()
