"""Drafts that outlive their window: kept a moment after each change, held while the window is open, opened again later.

The engine keeps them (engine/runs/drafts.py) and knows which are open; what was entered is the session's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import msgspec

from engine.core.errors import StudioError, unexpected
from engine.data.nouns import Inspection
from engine.plan.models import BaseModel
from engine.results.continuing import Continuation
from engine.runs.drafts import KeptDraft
from studio.kit import toast
from studio.session import DATA, MODEL, USE_CASE, Session, WizardDraft
from studio.uploads import allowed

if TYPE_CHECKING:
    from engine.engine import Engine

log = logging.getLogger(__name__)


def kept_of(engine: Engine, draft: WizardDraft) -> KeptDraft:
    """What is kept of a draft. What a file was found to be is not: it is looked into again."""
    datasets = engine.library.datasets.value
    return KeptDraft(
        id=draft.id,
        changed=time.time(),
        step=draft.step,
        profile=draft.profile,
        path=draft.path,
        mapping=draft.mapping,
        dataset=draft.dataset,
        dataset_name=next((each.name for each in datasets if each.id == draft.dataset), ""),
        model=draft.model,
        method=draft.method,
        name=draft.name,
        edits=draft.edits,
        show_all=draft.show_all,
        parent=draft.onward.parent.name if draft.onward else "",
        parent_title=draft.onward.title if draft.onward else "",
    )


def hold(engine: Engine, session: Session, draft_id: str) -> bool:
    """Let the window have this draft open in the place of the one before; False when another window has it."""
    if session.held == draft_id:
        return True
    if draft_id and not engine.drafts.hold(draft_id):
        return False
    engine.drafts.release(session.held)
    session.held = draft_id
    return True


async def go_on(engine: Engine, session: Session, kept: KeptDraft, *, confined: bool = False) -> bool:
    """Open a kept draft in this window, at the step where something is missing; False when another window has it."""
    if not hold(engine, session, kept.id):
        return False
    found = await anyio.to_thread.run_sync(_look_up, engine, kept, confined)
    if found.model is not None:
        session.offer_model(found.model)
    draft = WizardDraft(
        id=kept.id,
        step=min([kept.step, *(each.step for each in found.losses)]),
        profile=kept.profile,
        path=kept.path,
        inspection=await _inspected(engine, kept, found.file),
        mapping=kept.mapping,
        dataset=kept.dataset,
        model=kept.model,
        method=kept.method,
        name=kept.name,
        edits=kept.edits,
        show_all=kept.show_all,
        onward=found.onward,
        lost=tuple(each.words for each in found.losses),
    )
    without: dict[str, str] = {name: "" for each in found.losses for name in each.fields}
    session.wizard.set(msgspec.structs.replace(draft, **without))
    return True


class _Loss(msgspec.Struct, frozen=True):
    """Something a draft names that is not there any more: the step it belongs to, and the fields it empties."""

    step: int
    words: str
    fields: tuple[str, ...] = ()


class _Found(msgspec.Struct, frozen=True):
    """What a draft names, as it is now."""

    losses: tuple[_Loss, ...]
    file: Path | None
    model: BaseModel | None
    onward: Continuation | None


def _look_up(engine: Engine, kept: KeptDraft, confined: bool) -> _Found:
    file = _file(engine, kept, confined)
    model, model_loss = _model(engine, kept)
    onward, onward_loss = _onward(engine, kept)
    return _Found((*_lost_before_model(engine, kept, file), *model_loss, *onward_loss), file, model, onward)


def _file(engine: Engine, kept: KeptDraft, confined: bool) -> Path | None:
    """The file that no dataset was made of yet, where it is there and may be read from this window."""
    if kept.dataset or not kept.path:
        return None
    try:
        path = allowed(kept.path, engine.home.path, confined=confined)
    except StudioError:
        return None
    return path if path.is_file() else None


def _lost_before_model(engine: Engine, kept: KeptDraft, file: Path | None) -> Iterator[_Loss]:
    if kept.profile not in {each.id for each in engine.planning.profiles()}:
        yield _Loss(USE_CASE, "Its use case is not offered any more.", ("profile",))
    if kept.dataset and kept.dataset not in {each.id for each in engine.library.datasets.value}:
        yield _Loss(DATA, f"The dataset {kept.dataset_name or kept.dataset} is gone.", ("dataset",))
    if not kept.dataset and kept.path and file is None:
        yield _Loss(DATA, f"The file {kept.path} is gone.")


def _model(engine: Engine, kept: KeptDraft) -> tuple[BaseModel | None, tuple[_Loss, ...]]:
    if not kept.model:
        return None, ()
    try:
        return engine.planning.model(kept.model), ()
    except StudioError as problem:
        return None, (_Loss(MODEL, f"The model {Path(kept.model).name} is gone. {problem.card.what}", ("model",)),)


def _onward(engine: Engine, kept: KeptDraft) -> tuple[Continuation | None, tuple[_Loss, ...]]:
    if not kept.parent:
        return None, ()
    try:
        return engine.outcomes.continuation(kept.parent), ()
    except StudioError as problem:
        gone = f"Training cannot go on from {kept.parent_title} any more, so it begins with the base model."
        return None, (_Loss(MODEL, f"{gone} {problem.card.what}"),)


async def _inspected(engine: Engine, kept: KeptDraft, file: Path | None) -> Inspection | None:
    try:
        return await engine.library.inspect(file, kept.mapping) if file is not None else None
    except StudioError:  # it is no longer what it was: the step shows the path, and reading it says why
        return None


class DraftKeeper:
    """Keeps the draft of one window. `look` is called every second while the window is there, and once after."""

    def __init__(self, engine: Engine, session: Session, *, confined: bool = False) -> None:
        self._engine = engine
        self._session = session
        self._confined = confined
        self._seen = session.wizard.value
        self._failed = False

    async def look(self, here: bool) -> None:
        """Keep what changed, and hold the draft while the window is connected. It raises nothing."""
        try:
            self._hold(here)
            await self._keep(self._session.wizard.value)
            self._failed = False
        except Exception as error:  # noqa: BLE001 - said once, and tried again at the next look
            self._report(error)

    async def come_back(self) -> None:
        """Open the draft that was edited last, where this window may be the one that it was made in. Raises nothing."""
        try:
            free = self._engine.drafts.free
            if free and not self._session.wizard.value.begun:
                await go_on(self._engine, self._session, free[0], confined=self._confined)
        except Exception:
            log.exception("the draft could not be opened again")

    def _hold(self, here: bool) -> None:
        draft = self._session.wizard.value
        if not hold(self._engine, self._session, draft.id if here else ""):
            self._session.edit(id=WizardDraft().id)  # another window went on with it; what is here goes on as its own
            hold(self._engine, self._session, self._session.wizard.value.id)

    async def _keep(self, draft: WizardDraft) -> None:
        if draft is self._seen:
            return
        now, before = kept_of(self._engine, draft), self._engine.drafts.get(draft.id)
        if draft.begun and not (before and before.same_as(now)):
            await self._engine.drafts.keep(now)
        self._seen = draft

    def _report(self, error: Exception) -> None:
        if not self._failed:
            log.error("the draft could not be kept", exc_info=error)
            card: Any = unexpected(error)
            toast(f"Your draft could not be kept. {card.what} {card.why}", bad=True)
        self._failed = True
