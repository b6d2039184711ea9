"""The served page with a login, by real requests to a real server on this machine that answers to other names."""

from __future__ import annotations

import contextlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import StudioError
from engine.core.settings import Settings
from studio import connection, login, web
from studio.accounts import Accounts
from studio.addresses import hosts, is_loopback, listen
from studio.login import own_path
from studio.login_page import page, policy
from studio.visits import Terms
from studio.web import Where
from tests.studio.guarded import WORDS, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost a millisecond."""
    monkeypatch.setattr("studio.accounts.N", 2**4)
    monkeypatch.setattr("studio.accounts.P", 1)


async def test_nothing_but_the_form_is_shown_before_signing_in_and_no_link_exists(tmp_path):
    said: list[str] = []
    async with served(tmp_path, said.append) as server, server.client() as stranger:
        for path in ("/", "/runs/run-1?x=1", "/settings"):
            answer = await stranger.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"] == f"/login?next={path.split('?')[0].replace('/', '%2F')}"
        for path in ("/main.dart.js", "/fonts/Inter-400.ttf", "/upload", "/accounts.json"):
            assert (await stranger.get(path, headers={"Accept": "*/*"})).status_code == 401
        assert (await stranger.get("/?token=guess")).status_code == 303
        assert "token=" not in said[0]


async def test_a_name_and_a_password_open_the_page_where_one_wanted_to_go(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        assert 'value="/runs/run-1"' in (await client.get("/login?next=/runs/run-1")).text
        answer = await server.sign_in(client, "ADA", next="/runs/run-1")
        assert answer.status_code == 303 and answer.headers["location"] == "/runs/run-1"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Secure" not in cookie
        assert WORDS not in cookie
        shown = await client.get("/runs/run-1")
        assert shown.status_code == 200 and "4401" in shown.text
        assert f"ws://{server.host}" in shown.headers["content-security-policy"]
        socket = await server.socket(client)
        await socket.close()


async def test_wrong_names_and_wrong_passwords_are_answered_alike(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        unknown = await server.sign_in(client, "eve", "some other words")
        wrong = await server.sign_in(client, "ada", "some other words")
        assert unknown.status_code == wrong.status_code == 401
        assert unknown.text.replace('"eve"', '"ada"') == wrong.text
        assert "set-cookie" not in wrong.headers


async def test_an_unknown_name_costs_as_much_hashing_as_a_known_one(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.accounts.N", 2**6)
    accounts = Accounts(tmp_path)
    accounts.set("ada", WORDS)
    costs: list[tuple[int, int, int]] = []
    real = login.Accounts.right.__globals__["_hash"]

    def noted(password: str, n: int, r: int, p: int, salt: bytes = b"") -> Any:
        costs.append((n, r, p))
        return real(password, n, r, p, salt)

    monkeypatch.setattr("studio.accounts._hash", noted)
    accounts.right("ada", "some other words")
    accounts.right("eve", "some other words")
    assert len(costs) == 2 and costs[0] == costs[1]


async def test_guessing_is_slowed_down_by_name_and_the_right_password_has_to_wait_too(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        seen = [(await server.sign_in(client, "ada", f"guess number {n} of many")).status_code for n in range(8)]
        assert seen == [401] * (login.FREE_BY_NAME) + [429] * (8 - login.FREE_BY_NAME)
        refused = await server.sign_in(client)
        assert refused.status_code == 429 and "Wait 1 second" in refused.text
        await anyio.sleep(1.05)
        assert (await server.sign_in(client)).status_code == 303


async def test_guessing_many_names_from_one_address_is_slowed_down(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        seen = [(await server.sign_in(client, f"n{n}", "some other words")).status_code for n in range(16)]
        assert seen.count(401) == login.FREE_BY_ADDRESS and seen[-1] == 429


async def test_tries_at_the_same_time_are_all_counted(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        seen: list[int] = []

        async def one(n: int) -> None:
            seen.append((await server.sign_in(client, "ada", f"guess number {n} of many")).status_code)

        async with anyio.create_task_group() as group:
            for n in range(20):
                group.start_soon(one, n)
        assert seen.count(401) <= login.FREE_BY_NAME and set(seen) == {401, 429}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
async def test_a_form_of_another_page_signs_nobody_in(tmp_path, origin):
    async with served(tmp_path) as server, server.client() as client:
        form = {"name": "ada", "password": WORDS}
        answer = await client.post("/login", data=form, headers={"Origin": origin} if origin else {})
        assert answer.status_code == 403 and "set-cookie" not in answer.headers


async def test_a_form_of_a_megabyte_is_not_read(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        assert (await server.sign_in(client, password="x" * 1_000_000)).status_code == 413


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "studio.example"])
async def test_other_names_are_refused_before_and_after_signing_in(tmp_path, host):
    async with served(tmp_path) as server, server.client() as client:
        assert (await client.get("/login", headers={"Host": host})).status_code == 421
        await server.sign_in(client)
        assert (await client.get("/", headers={"Host": host})).status_code == 421


async def test_a_websocket_of_another_origin_is_refused(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        await server.sign_in(client)
        with pytest.raises(websockets.InvalidStatus):
            await server.socket(client, "http://evil.example")


async def closed_with(socket: Any) -> int:
    with anyio.fail_after(10):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


async def test_signing_out_ends_the_visit_and_closes_its_pages(tmp_path):
    async with served(tmp_path) as server, server.client() as client, server.client() as other:
        await server.sign_in(client)
        await server.sign_in(other)
        socket = await server.socket(client)
        assert (await client.get("/logout")).headers["location"] == "/login"
        assert await closed_with(socket) == connection.ENDED
        assert (await client.get("/")).status_code == 303
        assert (await other.get("/")).status_code == 200


async def test_another_password_and_a_removed_account_end_what_is_signed_in(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "LOOK_SECONDS", 0.05)
    async with served(tmp_path) as server, server.client() as client:
        await server.sign_in(client)
        socket = await server.socket(client)
        server.accounts.set("ada", "five plain words are here")
        assert await closed_with(socket) == connection.ENDED
        assert (await client.get("/")).status_code == 303
        assert (await server.sign_in(client, password="five plain words are here")).status_code == 303
        assert (await client.get("/")).status_code == 200
        server.accounts.remove("ada")
        assert (await client.get("/")).status_code == 303


async def test_a_damaged_file_of_accounts_lets_nobody_in(tmp_path):
    async with served(tmp_path) as server, server.client() as client:
        await server.sign_in(client)
        (server.engine.home.path / "accounts.json").write_text("{")
        assert (await client.get("/")).status_code == 303
        assert (await server.sign_in(client)).status_code == 401


async def test_a_visit_ends_by_its_rest_and_by_its_hours_and_the_page_hears_it(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "LOOK_SECONDS", 0.05)
    passed = 0.0
    monkeypatch.setattr("studio.visits.Visits.__init__.__defaults__", (Terms, lambda visit: True, lambda: passed))
    async with served(tmp_path) as server, server.client() as client:
        await server.sign_in(client)
        socket = await server.socket(client)
        for _ in range(13):  # in use all the time
            passed += 3500
            if passed < 12 * 3600:
                assert (await client.get("/")).status_code == 200
        assert await closed_with(socket) == connection.ENDED
        assert (await client.get("/")).status_code == 303
        await server.sign_in(client)
        passed += 3601
        assert (await client.get("/")).status_code == 303


@pytest.mark.parametrize(
    "where,warned",
    [
        (Where(host="192.0.2.1"), True),
        (Where(host="0.0.0.0"), True),
        (Where(host="0.0.0.0", certificate=Path("c")), False),
        (Where(login=True), False),
        (Where(), False),
    ],
    ids=str,
)
def test_an_address_that_is_not_encrypted_is_warned_of(where: Where, warned: bool):
    assert ("not encrypted" in web._welcome("http://x", where)) is warned


HERE = ("127.0.0.1", "127.9.9.9", "::1", "localhost")
ELSEWHERE = ("0.0.0.0", "::", "192.0.2.7", "studio.example", "127.0.0.1.evil.example")


@pytest.mark.parametrize(
    "host,loopback", [*((each, True) for each in HERE), *((each, False) for each in ELSEWHERE)], ids=str
)
def test_only_this_machine_needs_no_login(host: str, loopback: bool):
    assert is_loopback(host) is loopback
    assert Where(host=host).guarded is not loopback


def test_the_names_that_are_answered():
    assert hosts("127.0.0.1", 8000, "http") == ("127.0.0.1:8000", "localhost:8000")
    assert hosts("192.0.2.7", 80, "http", ["Lab.Example"]) == (
        "192.0.2.7:80", "lab.example:80", "192.0.2.7", "lab.example"
    )  # fmt: skip
    assert {"localhost:8000", "[::1]:8000"} <= set(hosts("0.0.0.0", 8000, "https"))
    assert not any("0.0.0.0" in each for each in hosts("0.0.0.0", 8000, "http"))


def test_an_address_of_another_machine_is_said_plainly():
    with pytest.raises(StudioError, match="is not an address of this machine"):
        listen("192.0.2.7", 0)


@given(st.text())
def test_afterwards_one_is_sent_to_a_path_of_this_page_only(words: str):
    found = own_path(words)
    assert found.startswith("/") and not found.startswith("//")
    assert "\\" not in found and found.isprintable()


@pytest.mark.parametrize(
    "next", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil", "", "/logout"]
)
def test_other_places_are_not_gone_to(next: str):
    assert own_path(next) == "/"


class Tags(HTMLParser):
    """What tags a page has, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@given(name=st.text(max_size=60), problem=st.text(max_size=60), next=st.text(max_size=60))
def test_whatever_was_typed_stays_text_on_the_form(name: str, problem: str, next: str):
    plain, filled = Tags(), Tags()
    plain.feed(page(name="ada", problem="x").decode("utf-8", "replace"))
    filled.feed(page(name=name or "x", problem=problem or "x", next=next).decode("utf-8", "replace"))
    assert [tag for tag, _ in filled.found] == [tag for tag, _ in plain.found]
    assert not any(key.startswith("on") for _, attributes in filled.found for key in attributes)


def test_the_form_has_labels_and_no_script():
    tags = Tags()
    tags.feed(page().decode())
    labelled = {attributes["for"] for tag, attributes in tags.found if tag == "label"}
    assert labelled == {"name", "password"}
    assert not any(tag == "script" for tag, _ in tags.found)
    assert "script-src" not in policy() and "default-src 'none'" in policy()


def test_settings_of_the_web_have_limits():
    for name in ("web_pages", "web_visits", "web_hours", "web_idle_minutes", "uploads_bytes"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({name: 0}, Settings)
