"""The window where it can be had, the page where not, and words about which."""

from __future__ import annotations

import time
from typing import Any
from urllib.error import URLError

import flet_desktop
import pytest

from engine.core.home import Home
from studio import desktop, web

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened, in order."""
    opened: list[str] = []

    async def serve(home: Home, opening: Any, *, open_browser: bool, announce: Any) -> None:
        opened.append("browser" if open_browser else "page")

    async def window(home: Home) -> None:
        opened.append("window")

    monkeypatch.setattr(web, "serve", serve)
    monkeypatch.setattr(desktop, "_window", window)
    monkeypatch.delenv("FLET_VIEW_PATH", raising=False)
    return opened


def no_network() -> None:
    raise URLError("no network")


@pytest.mark.parametrize(
    "screen,client,opened,says",
    [
        (True, lambda: None, "window", ""),
        (True, no_network, "browser", "could not be fetched"),
        (False, no_network, "page", "no screen"),
    ],
    ids=["a window", "no client", "no screen"],
)
async def test_what_is_opened(monkeypatch, tmp_path, shown, screen, client, opened, says):
    said: list[str] = []
    monkeypatch.setattr(desktop, "no_display", lambda: not screen)
    monkeypatch.setattr(flet_desktop, "ensure_client_cached", client)
    await desktop.show(Home.open(tmp_path), announce=said.append)
    assert shown == [opened]
    assert says in " ".join(said)


async def test_a_fetch_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.delenv("FLET_VIEW_PATH", raising=False)
    monkeypatch.setattr(flet_desktop, "ensure_client_cached", lambda: time.sleep(1))
    start = time.monotonic()
    assert not await desktop.client_ready(seconds=0.1)
    assert time.monotonic() - start < 0.9


@pytest.mark.parametrize("display,wayland,missing", [("", "", True), (":0", "", False), ("", "wayland-0", False)])
def test_a_linux_machine_without_a_screen_is_recognised(monkeypatch, display, wayland, missing):
    monkeypatch.setattr(desktop.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("WAYLAND_DISPLAY", wayland)
    assert desktop.no_display() is missing
