"""Drafts stay: after a restart, after a lost database, and whatever else lies beside them."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import StorageError
from engine.core.store import Store
from engine.data.nouns import Mapping
from engine.runs import drafts, index
from engine.runs.drafts import COPY, KEPT, Drafts, KeptDraft

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Drafts]:
    """The drafts of a Home, as an app that starts sees them."""
    store = Store(home / "index.duckdb", [*index.MIGRATIONS, *drafts.MIGRATIONS])
    try:
        kept = Drafts(store, home / COPY)
        await kept.open()
        yield kept
    finally:
        store.close()


def draft(name: str, changed: float = 1.0, **more: object) -> KeptDraft:
    return msgspec.structs.replace(
        KeptDraft(
            id=name, changed=changed, step=3, profile="chatbot", path=f"/data/{name}.csv", edits={"rank": 8, "x": True}
        ),
        **more,
    )


def ids(kept: Drafts) -> list[str]:
    return [each.id for each in kept.all.value]


@pytest.mark.parametrize("harm", ["nothing", "lost", "damaged"])
async def test_a_draft_is_there_again_as_it_was(tmp_path: Path, harm: str) -> None:
    mapping = Mapping(schema="instruction", instruction="one", output="two")
    first, second = draft("first", 1.0, mapping=mapping, parent="v", parent_title="shop v1.0.0"), draft("second", 2.0)
    async with opened(tmp_path) as kept:
        for each in (draft("gone"), first, second):
            await kept.keep(each)
        await kept.forget("gone")
    if harm != "nothing":
        (tmp_path / "index.duckdb.wal").unlink(missing_ok=True)
    if harm == "lost":
        (tmp_path / "index.duckdb").unlink()
    if harm == "damaged":
        (tmp_path / "index.duckdb").write_bytes(b"not a database" * 1_000)
    async with opened(tmp_path) as kept:
        assert kept.all.value == (second, first)
        assert kept.get("first") == first and kept.get("gone") is None


async def test_what_is_damaged_or_of_another_version_is_left_out_and_stays_where_it_is(tmp_path: Path) -> None:
    newer = msgspec.to_builtins(draft("newer")) | {"format": 2}
    strange = msgspec.to_builtins(draft("strange")) | {"mood": "good"}
    values = {
        "newer": msgspec.json.encode(newer),
        "strange": msgspec.json.encode(strange),
        "torn": msgspec.json.encode(draft("torn"))[:-7],
        "bytes": b"\xff\x00",
        "nothing": None,
        "negative": msgspec.json.encode(draft("negative", step=-1)),
    }
    async with opened(tmp_path) as kept:
        await kept.keep(draft("good"))
        for name, value in values.items():
            await kept._store.execute("INSERT INTO drafts VALUES (?, 1.0, ?)", [name, value])
    async with opened(tmp_path) as kept:
        assert ids(kept) == ["good"]
        await kept.keep(draft("other", 2.0))
        rows = await kept._store.rows("SELECT id FROM drafts")
        assert {str(row[0]) for row in rows} == {"good", "other", *values}


async def test_of_a_copy_that_is_torn_the_whole_lines_come_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        await kept.keep(draft("one", 1.0))
        await kept.keep(draft("two", 2.0))
    copy = tmp_path / COPY
    copy.write_bytes(copy.read_bytes()[:-5])
    (tmp_path / "index.duckdb").unlink()
    async with opened(tmp_path) as kept:
        assert ids(kept) == ["two"]


async def test_two_windows_cannot_have_one_draft_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        await kept.keep(draft("one"))
        assert kept.hold("one") and not kept.hold("one")
        assert kept.free == ()
        kept.release("one")
        assert [each.id for each in kept.free] == ["one"] and kept.hold("one")


async def test_the_same_entered_again_takes_the_place_of_what_no_window_has_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        for name in ("open", "closed", "again"):
            await kept.keep(draft(name, path="/data/same.csv", changed=float(len(name))))
            kept.hold(name) if name == "open" else None
        assert sorted(ids(kept)) == ["again", "open"]


async def test_the_oldest_are_forgotten_but_none_that_is_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        for number in range(KEPT + 5):
            await kept.keep(draft(f"d{number:02}", float(number)))
            if number < 3:
                kept.hold(f"d{number:02}")
        there = ids(kept)
    assert len(there) == KEPT and {"d00", "d01", "d02", f"d{KEPT + 4}"} <= set(there) and "d03" not in there
    async with opened(tmp_path) as kept:
        assert ids(kept) == there


async def test_forgetting_wins_over_keeping_that_was_asked_for_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept, anyio.create_task_group() as group:
        group.start_soon(kept.keep, draft("one"))
        group.start_soon(kept.forget, "one")
    async with opened(tmp_path) as kept:
        assert ids(kept) == []


async def test_a_full_disk_is_said_and_what_was_kept_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as kept:
        await kept.keep(draft("one"))

        def full(path: Path, data: bytes) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(drafts, "write_atomically", full)
        with pytest.raises(StorageError, match="full"):
            await kept.keep(draft("two", 2.0))
    (tmp_path / "index.duckdb").unlink()
    async with opened(tmp_path) as kept:
        assert ids(kept) == ["one"]


MOVES = st.lists(st.tuples(st.sampled_from(["keep", "forget", "restart", "lose"]), st.integers(0, 3)), max_size=8)


@given(moves=MOVES)
@settings(max_examples=15, deadline=None, derandomize=True)
async def test_whatever_happens_what_is_there_is_what_was_kept_last(moves: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, meant, tick = Path(folder), {}, 0.0
        stack = opened(home)
        kept = await stack.__aenter__()
        for move, number in moves:
            tick += 1.0
            name = f"d{number}"
            if move == "keep":
                meant[name] = draft(name, tick, step=int(tick))
                await kept.keep(meant[name])
            elif move == "forget":
                meant.pop(name, None)
                await kept.forget(name)
            else:
                await stack.__aexit__(None, None, None)
                if move == "lose":
                    (home / "index.duckdb").unlink()
                stack = opened(home)
                kept = await stack.__aenter__()
            assert {each.id: each for each in kept.all.value} == meant
        await stack.__aexit__(None, None, None)
