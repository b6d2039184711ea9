"""What browsers cannot exceed on the served page, and what it is encrypted with."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import websockets

from engine.core.errors import StudioError
from engine.core.settings import Settings
from studio import behind, connection, uploads
from studio.accounts import Accounts
from studio.web import Where, serve
from tests.studio.guarded import NAME, WORDS, served
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost a millisecond."""
    monkeypatch.setattr("studio.accounts.N", 2**4)
    monkeypatch.setattr("studio.accounts.P", 1)


async def test_no_more_pages_than_allowed_are_shown_and_one_that_was_there_may_reload(tmp_path, monkeypatch):
    async with served(tmp_path) as server, server.client() as client, server.client() as other:
        server.engine.settings.set(Settings(web_pages=1))
        await server.sign_in(client)
        await server.sign_in(other)
        monkeypatch.setattr(connection, "GRACE_SECONDS", 0.1)
        socket = await server.socket(client)
        with pytest.raises(websockets.InvalidStatus):
            await server.socket(other)
        crowded = await other.get("/runs")
        assert crowded.status_code == 503 and "Too many pages" in crowded.text
        assert (await client.get("/runs")).status_code == 200
        await socket.close()
        with anyio.fail_after(10):
            while (await other.get("/runs")).status_code != 200:
                await anyio.sleep(0.05)


async def test_the_longest_unused_browser_is_signed_out_where_there_are_too_many(tmp_path):
    async with served(tmp_path) as server, server.client() as one, server.client() as two, server.client() as three:
        server.engine.settings.set(Settings(web_visits=2))
        for client in (one, two):
            await server.sign_in(client)
        await one.get("/")
        await server.sign_in(three)
        assert [(await each.get("/")).status_code for each in (one, two, three)] == [200, 303, 200]


async def test_nobody_can_be_served_to_without_an_account(tmp_path):
    engine: Any = FakeEngine(tmp_path / "home")
    with pytest.raises(StudioError, match="no account yet"):
        await serve(engine.home, nullcontext(engine), Where(host="0.0.0.0"), announce=lambda words: None)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(behind.secrets, "token_urlsafe", lambda count=32: f"{count}-" + "s" * 43)
    return "32-" + "s" * 43


async def put(client: httpx.AsyncClient, secret: str, name: str, content: Any) -> httpx.Response:
    from flet_web.uploads import build_upload_url

    return await client.put(build_upload_url("/upload", name, 60, secret), content=content)


async def test_an_upload_is_taken_up_to_the_limit_and_half_of_one_is_not_kept(tmp_path, secret):
    async with served(tmp_path) as server, server.client() as client:
        folder = server.engine.home.path / "uploads"
        await server.sign_in(client)
        assert (await put(client, secret, "a/data.csv", b"x" * 900)).status_code == 200
        assert (folder / "a" / "data.csv").stat().st_size == 900
        server.engine.settings.set(Settings(refuse_file_bytes=1000))
        assert (await put(client, secret, "b/data.csv", b"x" * 1001)).status_code == 413

        async def stream() -> AsyncIterator[bytes]:  # says no length
            for _ in range(20):
                yield b"x" * 100

        assert (await put(client, secret, "c/data.csv", stream())).status_code == 413
        assert [each.name for each in folder.rglob("*") if each.is_file()] == ["data.csv"]


async def test_uploads_together_have_a_limit_and_the_disk_keeps_room(tmp_path, secret, monkeypatch):
    async with served(tmp_path) as server, server.client() as client:
        await server.sign_in(client)
        server.engine.settings.set(Settings(uploads_bytes=1000))
        assert (await put(client, secret, "a/data.csv", b"x" * 600)).status_code == 200
        assert (await put(client, secret, "b/data.csv", b"x" * 600)).status_code == 413
        assert (await put(client, secret, "c/data.csv", b"x" * 400)).status_code == 200
        assert (await put(client, secret, "d/data.csv", b"x")).status_code == 507
        monkeypatch.setattr(uploads, "FREE_BYTES", 10**18)
        server.engine.settings.set(Settings())
        assert (await put(client, secret, "e/data.csv", b"x")).status_code == 507


@pytest.mark.parametrize("name", ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv"])
async def test_an_upload_lands_in_the_folder_of_uploads_only(tmp_path, secret, name):
    async with served(tmp_path) as server, server.client() as client:
        await server.sign_in(client)
        server.engine.settings.set(Settings(refuse_file_bytes=10))
        (server.engine.home.path / "evil.csv").write_text("kept")
        assert (await put(client, secret, name, b"x" * 9)).status_code == 400
        assert (await put(client, secret, name, b"x" * 99)).status_code in (400, 413)
        assert (server.engine.home.path / "evil.csv").read_text() == "kept"


def certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={NAME}"
    done = subprocess.run([*words.split(), "-keyout", key, "-out", cert], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no openssl here to make a certificate with")
    return cert, key


async def test_with_a_certificate_everything_is_encrypted_and_cookies_say_so(tmp_path):
    cert, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(cert))
    trust.check_hostname = False
    said: list[str] = []
    async with (
        served(tmp_path, said.append, certificate=cert, key=key) as server,
        server.client(verify=trust) as client,
    ):
        assert said[0].startswith("PEFT Studio is open at https://") and "not encrypted" not in said[0]
        answer = await server.sign_in(client)
        assert answer.headers["set-cookie"].endswith("; Secure")
        rules = (await client.get("/")).headers["content-security-policy"]
        assert f"wss://{server.host}" in rules and "ws://" not in rules.replace("wss://", "")


async def test_a_certificate_that_cannot_be_used_is_said_plainly(tmp_path):
    (tmp_path / "cert.pem").write_text("nonsense")
    engine: Any = FakeEngine(tmp_path / "home")
    Accounts(engine.home.path).set("ada", WORDS)
    for file in ("cert.pem", "missing.pem"):
        with pytest.raises(StudioError, match="certificate cannot be used"):
            where = Where(login=True, certificate=tmp_path / file)
            await serve(engine.home, nullcontext(engine), where, announce=lambda words: None)
