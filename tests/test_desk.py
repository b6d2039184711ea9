"""What is asked of a Home's holder from outside: how far it is, and that nobody wants it any more."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from engine import orders
from engine.core import inbox
from engine.core.errors import RunError
from engine.core.home import Home
from engine.data.nouns import Dataset
from engine.engine import Engine

pytestmark = pytest.mark.anyio
ROWS = 30_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = (json.dumps({"question": f"What is {i} times {i}?", "answer": f"It is {i * i}."}) for i in range(ROWS))
    path.write_text("\n".join(lines))
    return path


async def test_an_import_tells_how_far_it_is(tmp_path: Path, file: Path) -> None:
    heard: list[inbox.Far] = []
    async with Engine.open(tmp_path / "home", role="keeper") as engine:
        wish = orders.Import(paths=(str(file),))
        made = await orders.ask(engine.home, wish, Dataset, told=heard.append)
    assert made.rows == ROWS
    assert heard and all(0 <= far.done <= far.total for far in heard)
    assert [far.done for far in heard] == sorted(far.done for far in heard)
    assert not list((tmp_path / "home" / "inbox").glob("[0-9]*"))


async def test_an_import_that_nobody_waits_for_any_more_is_stopped(tmp_path: Path, file: Path) -> None:
    async with Engine.open(tmp_path / "home", role="keeper") as engine:
        with anyio.CancelScope() as scope:
            wish = orders.Import(paths=(str(file),))
            await orders.ask(engine.home, wish, Dataset, told=lambda far: scope.cancel())
        assert scope.cancelled_caught
        with anyio.fail_after(20):
            while engine.busy:
                await anyio.sleep(0.05)
        assert engine.library.datasets.value == ()
        left = [path.name for path in engine.home.datasets.iterdir() if not path.name.startswith(".")]
    assert left == [] and not list((tmp_path / "home" / "inbox").glob("[0-9]*"))


async def test_a_holder_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    request = inbox.drop(home.inbox, "leave", orders.Leave())
    with pytest.raises(RunError):
        await inbox.reply_to(home.inbox, request, seconds=0.2)
    assert not list(home.inbox.glob("[0-9]*"))
