"""The store: statements in order on one thread, migrations once, a damaged file set aside."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from engine.core.store import Migration, Store

FIRST = Migration("one", "CREATE TABLE notes (words VARCHAR)")
SECOND = Migration("two", "ALTER TABLE notes ADD COLUMN made DOUBLE")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_statements_run_in_the_order_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "index.duckdb", [FIRST])
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(store.execute, "INSERT INTO notes VALUES (?)", [str(number)])
    assert [row[0] for row in await store.rows("SELECT words FROM notes")] == [str(n) for n in range(20)]
    store.close()


async def test_a_migration_runs_once_and_a_new_one_keeps_what_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "index.duckdb", [FIRST])
    await store.execute("INSERT INTO notes VALUES ('kept')")
    store.close()
    store = Store(tmp_path / "index.duckdb", [FIRST, SECOND])
    assert not store.rebuilt
    assert await store.rows("SELECT * FROM notes") == [("kept", None)]
    store.close()


async def test_a_damaged_file_is_set_aside_and_a_new_one_made(tmp_path: Path) -> None:
    (tmp_path / "index.duckdb").write_bytes(b"not a database" * 1_000)
    store = Store(tmp_path / "index.duckdb", [FIRST])
    assert store.rebuilt
    assert await store.rows("SELECT * FROM notes") == []
    store.close()
    assert len(list(tmp_path.glob("index.damaged-*.duckdb"))) == 1


async def test_an_error_reaches_the_caller_and_the_store_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "index.duckdb", [FIRST])
    with pytest.raises(Exception, match="nothing_here"):
        await store.rows("SELECT * FROM nothing_here")
    assert await store.rows("SELECT 1") == [(1,)]
    store.close()
