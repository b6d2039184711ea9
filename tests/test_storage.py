"""The disk under a Home: every byte is counted once, and only what can be made again is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.core.home import Home
from engine.storage import PARTS, REMAKABLE, Storage

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


def put(path: Path, size: int = 10, *, age: float = 9_000.0) -> Path:
    """A file of this size; it and its folder are as old as given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - age
    for each in (path, path.parent):
        os.utime(each, (then, then))
    return path


async def sizes(home: Home) -> dict[str, tuple[int, int]]:
    return {each.part: (each.bytes, each.freeable) for each in await Storage(home).taken()}


async def test_a_file_that_two_parts_share_is_counted_once(home: Home):
    weights = put(home.runs / "r" / "adapter.bin", 1000)
    (home.versions / "v").mkdir()
    os.link(weights, home.versions / "v" / "adapter.bin")
    found = await sizes(home)
    assert found["runs"] == (1000, 0) and found["versions"] == (0, 0)
    everything = sum(each.stat().st_size for each in home.path.rglob("*") if each.is_file())
    assert sum(size for size, _ in found.values()) == everything - 1000


async def test_a_link_is_neither_counted_nor_followed(home: Home, tmp_path: Path):
    (tmp_path / "large").write_bytes(b"x" * 5000)
    (home.models / "linked").symlink_to(tmp_path / "large")
    assert (await sizes(home))["models"] == (0, 0)


@pytest.mark.parametrize("part", PARTS)
async def test_nothing_is_removed_that_could_not_be_made_again(home: Home, part):
    file = put(home.path / part / "one" / "file")
    freed = await Storage(home).free(part)
    assert file.exists() is (part not in REMAKABLE)
    assert freed == (0 if file.exists() else 10)


@pytest.mark.parametrize("record", ["runs/r/spec.json", "versions/v/version.json"])
@pytest.mark.parametrize("slash", ["/", "\\\\"], ids=["here", "Windows"])
async def test_prepared_data_that_a_run_or_version_names_stays(home: Home, record: str, slash: str):
    kept, spare = put(home.prepared / "0a1b" / "train.tokens"), put(home.prepared / "9f9f" / "train.tokens")
    file = put(home.path / record)
    file.write_text(f'{{"prepared": "x{slash}prepared{slash}0a1b"}}')
    assert (await sizes(home))["prepared"] == (20, 10)
    assert await Storage(home).free("prepared") == 10
    assert kept.exists() and not spare.exists()


async def test_what_somebody_may_be_at_work_with_stays(home: Home):
    now, before = put(home.answers / "a.jsonl", age=5.0), put(home.answers / "b.jsonl")
    assert await Storage(home).free("answers") == 10
    assert now.exists() and not before.exists()
