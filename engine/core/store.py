"""The Home's database: DuckDB on one thread of its own, with named migrations. The only module that imports duckdb.

It is an index: everything in it can be made again from the folders, except what a migration marks as native. A file
that is damaged or of a newer version is set aside under another name, and a new one is made.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio.from_thread
import anyio.to_thread
import msgspec

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger(__name__)
T = TypeVar("T")
Value = str | int | float | bool | bytes | None
Row = tuple[Value, ...]
Values = Sequence[Value | list[str] | list[int]]


class Migration(msgspec.Struct, frozen=True):
    """One step of the database's shape. Names are kept in the database; a step runs once, in order."""

    name: str
    sql: str


class Store:
    """A database whose every statement runs on one thread, in the order asked for."""

    def __init__(self, path: Path, migrations: Sequence[Migration]) -> None:
        self._path = path
        self._migrations = migrations
        self._work: queue.SimpleQueue[tuple[Callable[[DuckDBPyConnection], object], Future[object]] | None] = (
            queue.SimpleQueue()
        )
        self.rebuilt = False
        """True when the file was missing or set aside: the owner fills it again from the folders."""
        self._thread = threading.Thread(target=self._serve, name="store", daemon=True)
        ready: Future[object] = Future()
        self._ready = ready
        self._thread.start()
        ready.result()

    def _serve(self) -> None:
        try:
            connection = self._open()
        except BaseException as error:  # noqa: BLE001 - handed to the constructor's caller
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        while (item := self._work.get()) is not None:
            job, done = item
            try:
                done.set_result(job(connection))
            except BaseException as error:  # noqa: BLE001 - handed to the caller who waits for it
                done.set_exception(error)
        connection.close()

    def _open(self) -> DuckDBPyConnection:
        import duckdb

        self.rebuilt = not self._path.exists()
        try:
            return self._migrate(duckdb.connect(str(self._path)))
        except duckdb.Error as error:
            aside = self._path.with_name(f"{self._path.stem}.damaged-{int(time.time())}{self._path.suffix}")
            log.warning("the index could not be opened and is made anew; the old one is %s: %s", aside.name, error)
            self._path.replace(aside)
            self._path.with_name(self._path.name + ".wal").unlink(missing_ok=True)
            self.rebuilt = True
            return self._migrate(duckdb.connect(str(self._path)))

    def _migrate(self, connection: DuckDBPyConnection) -> DuckDBPyConnection:
        connection.execute("SET threads = 1")
        connection.execute("SET memory_limit = '256MB'")
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR PRIMARY KEY, applied DOUBLE)")
        applied = {name for (name,) in connection.execute("SELECT name FROM migrations").fetchall()}
        for migration in self._migrations:
            if migration.name not in applied:
                connection.execute("BEGIN")
                connection.execute(migration.sql)
                connection.execute("INSERT INTO migrations VALUES (?, ?)", [migration.name, time.time()])
                connection.execute("COMMIT")
        return connection

    def run(self, job: Callable[[DuckDBPyConnection], T]) -> Future[object]:
        """Queue a job for the store's thread."""
        done: Future[object] = Future()
        self._work.put((job, done))
        return done

    async def execute(self, sql: str, values: Values = ()) -> None:
        """Run one statement."""
        await self._wait(self.run(lambda connection: connection.execute(sql, list(values)) and None))

    async def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows of one query."""
        found = await self._wait(self.run(lambda connection: connection.execute(sql, list(values)).fetchall()))
        assert isinstance(found, list)
        return found

    @staticmethod
    async def _wait(done: Future[object]) -> object:
        return await anyio.to_thread.run_sync(done.result)

    def close(self) -> None:
        """Finish what is queued and close the file."""
        self._work.put(None)
        self._thread.join()
