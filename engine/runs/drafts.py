"""Drafts: what was entered for a run that is not started yet, kept in the Home's database so that a restart loses
nothing, and which of them a window has open now.

No folder could make them again. Each change is therefore also written to `drafts.jsonl`, from which they come back when
the database was lost or set aside. Knows nothing of screens.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import anyio
import anyio.to_thread
import msgspec

from engine.core.errors import from_os
from engine.core.store import Migration, Store
from engine.core.topics import Topic
from engine.data.nouns import Mapping
from engine.spec.files import LineReader, write_atomically
from engine.spec.records import Fact

log = logging.getLogger(__name__)
MIGRATIONS = (Migration("drafts-1", "CREATE TABLE drafts (id VARCHAR PRIMARY KEY, changed DOUBLE, value BLOB)"),)
COPY = "drafts.jsonl"
KEPT = 20
"""Drafts that are kept; of more, those that were edited longest ago and that no window has open are forgotten."""
_ENCODER = msgspec.json.Encoder()


class KeptDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft as it is kept. `model` is a folder, `dataset` and `parent` are ids, the latter of the version that
    training goes on from; their names are for saying what is gone."""

    id: str
    changed: float
    format: Literal[1] = 1
    step: Annotated[int, msgspec.Meta(ge=0)] = 0
    profile: str = ""
    path: str = ""
    mapping: Mapping | None = None
    dataset: str = ""
    dataset_name: str = ""
    model: str = ""
    method: str = ""
    name: str = ""
    edits: dict[str, Fact] = {}
    show_all: bool | None = None
    parent: str = ""
    parent_title: str = ""

    def same_as(self, other: KeptDraft) -> bool:
        """Whether both say the same, whenever it was entered."""
        return self == msgspec.structs.replace(other, id=self.id, changed=self.changed)


class Drafts:
    """The drafts of an open Home. `all` is the newest list, the one edited last first; `held` are the ids of those
    that a window has open."""

    def __init__(self, store: Store, copy: Path) -> None:
        self._store = store
        self._copy = copy
        self._lock = anyio.Lock()
        self.all: Topic[tuple[KeptDraft, ...]] = Topic(())
        self.held: Topic[frozenset[str]] = Topic(frozenset())

    async def open(self) -> None:
        """Read them, from the copy where the database was lost. What cannot be read is left out."""
        async with self._lock:
            if self._store.rebuilt:
                for draft in await anyio.to_thread.run_sync(LineReader(self._copy, KeptDraft).read):
                    await self._write(draft)
            rows = await self._store.rows("SELECT id, value FROM drafts")
            self._publish(draft for id, value in rows if (draft := _decoded(id, value)))

    def get(self, draft_id: str) -> KeptDraft | None:
        """A draft by its id."""
        return next((each for each in self.all.value if each.id == draft_id), None)

    @property
    def free(self) -> tuple[KeptDraft, ...]:
        """Those that no window has open, the one edited last first."""
        return tuple(each for each in self.all.value if each.id not in self.held.value)

    def hold(self, draft_id: str) -> bool:
        """Open a draft in a window; False when another window has it."""
        if draft_id in self.held.value:
            return False
        self.held.set(self.held.value | {draft_id})
        return True

    def release(self, draft_id: str) -> None:
        """The window that had it open is gone, or has another."""
        self.held.set(self.held.value - {draft_id})

    async def keep(self, draft: KeptDraft) -> None:
        """Keep a draft as it is now, in the place of what was kept of it before. Raises StorageError."""
        async with self._lock:
            await self._write(draft)
            gone = {draft.id, *self._superfluous(draft)}
            for each in gone - {draft.id}:
                await self._delete(each)
            await self._settle([draft, *(each for each in self.all.value if each.id not in gone)])

    def _superfluous(self, draft: KeptDraft) -> list[str]:
        """The ids of those that say the same as this one, and of those that are too many beside it."""
        others = [each for each in self.all.value if each.id != draft.id and not each.same_as(draft)]
        free = [each.id for each in self.free if each in others]
        room = KEPT - 1 - (len(others) - len(free))
        doubles = [each.id for each in self.free if each.id != draft.id and each.same_as(draft)]
        return [*doubles, *free[max(0, room) :]]

    async def forget(self, draft_id: str) -> None:
        """Remove a draft: its run started, or it was discarded. Raises StorageError."""
        async with self._lock:
            await self._delete(draft_id)
            await self._settle(each for each in self.all.value if each.id != draft_id)

    async def _settle(self, drafts: Iterable[KeptDraft]) -> None:
        self._publish(drafts)
        lines = b"".join(_ENCODER.encode(each) + b"\n" for each in self.all.value)
        try:
            await anyio.to_thread.run_sync(write_atomically, self._copy, lines)
        except OSError as error:
            raise from_os(error, "keeping the draft") from error

    def _publish(self, drafts: Iterable[KeptDraft]) -> None:
        self.all.set(tuple(sorted(drafts, key=lambda each: (-each.changed, each.id))))

    async def _write(self, draft: KeptDraft) -> None:
        await self._store.execute(
            "INSERT OR REPLACE INTO drafts VALUES (?, ?, ?)", [draft.id, draft.changed, _ENCODER.encode(draft)]
        )

    async def _delete(self, draft_id: str) -> None:
        await self._store.execute("DELETE FROM drafts WHERE id = ?", [draft_id])


def _decoded(draft_id: object, value: object) -> KeptDraft | None:
    """A draft from its row; None where another version of the app wrote it, or it is damaged."""
    try:
        return msgspec.json.decode(bytes(value) if isinstance(value, bytes) else b"", type=KeptDraft)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        log.warning("the draft %s cannot be read and is left out: %s", draft_id, problem)
        return None
