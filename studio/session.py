"""What one window or tab remembers while it is open: the wizard's draft and the playground's choices.

Values are frozen; changes go through topics, so that a component watches a draft as it watches the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.topics import Topic
from engine.data.nouns import Inspection, Mapping
from engine.holding import new_id
from engine.plan.models import BaseModel
from engine.results.continuing import Continuation
from engine.runs.notices import Notice
from engine.spec.records import Fact

if TYPE_CHECKING:
    from engine.serving.talk import Talk

STEPS = ("Use case", "Data", "Model", "Settings", "Review")
"""The steps of the wizard."""
USE_CASE, DATA, MODEL, SETTINGS, REVIEW = range(len(STEPS))
RECENT, NOTICES = 20, 100
"""Things remembered as recent, and notices kept."""


class WizardDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Everything entered in the wizard so far. `edits` are the settings a person changed, by name; `onward` is what
    training takes over from the version that it goes on from; `lost` says what it named that was gone when it was
    opened again; `show_all` is what was chosen of showing every setting, None goes by the app's settings."""

    id: str = msgspec.field(default_factory=lambda: new_id("draft"))
    step: int = 0
    profile: str = ""
    path: str = ""
    inspection: Inspection | None = None
    mapping: Mapping | None = None
    dataset: str = ""
    model: str = ""
    method: str = ""
    name: str = ""
    edits: dict[str, Fact] = {}
    show_all: bool | None = None
    onward: Continuation | None = None
    lost: tuple[str, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether there is something in it worth keeping: a use case is chosen."""
        return bool(self.profile)


class Session:
    """One window's or tab's drafts."""

    def __init__(self) -> None:
        self.wizard: Topic[WizardDraft] = Topic(WizardDraft())
        self.held = ""
        """The id of the draft that the engine knows to be open here."""
        self.talk: Topic[Talk | None] = Topic(None)
        """The conversation in the playground."""
        self.data_tab: Topic[str] = Topic("overview")
        """What the page of a dataset shows; a new version shows the same."""
        self.version_tab: Topic[str] = Topic("evaluation")
        """What the page of a version shows; it stays while the window becomes narrow or wide."""
        self.folders: Topic[tuple[BaseModel, ...]] = Topic(())
        """Models in folders outside the Home that were named in this session."""

        self.overlay: Topic[str] = Topic("")
        """What lies over the page: commands, open, keys, notices; or nothing."""
        self.recent: Topic[tuple[str, ...]] = Topic(())
        """Ids of what was opened or done last, the newest first."""
        self.notices: Topic[tuple[Notice, ...]] = Topic(())
        """What was told of runs since this window was opened, the newest first."""
        self.unread: Topic[int] = Topic(0)
        self.folded: Topic[frozenset[str]] = Topic(frozenset())
        """Addresses of the lists in the side bar that are folded."""
        self.leaving: Topic[frozenset[str]] = Topic(frozenset())
        """Ids of what is being deleted and can still be kept."""
        self._listeners: list[Callable[[str], bool]] = []

    def listen(self, listener: Callable[[str], bool]) -> None:
        """Let this one, which is on top now, have each key first; it answers whether it took it."""
        self._listeners.append(listener)

    def leave(self, listener: Callable[[str], bool]) -> None:
        """Hear no keys any more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def heard(self, stroke: str) -> bool:
        """Whether one of those who listen took this key; the newest is asked first."""
        return any(listener(stroke) for listener in reversed(self._listeners))

    def tell(self, told: Sequence[Notice]) -> None:
        """Put notices, the oldest first, into the list."""
        self.notices.set((*reversed(told), *self.notices.value)[:NOTICES])
        self.unread.set(min(NOTICES, self.unread.value + len(told)))

    def fold(self, route: str) -> None:
        """Fold a list of the side bar, or open it."""
        self.folded.set(self.folded.value ^ {route})

    def used(self, thing: str) -> None:
        """Remember what was opened or done."""
        others = (each for each in self.recent.value if each != thing)
        self.recent.set((thing, *others)[:RECENT])

    def edit(self, **changes: Any) -> None:
        """Change the wizard's draft."""
        self.wizard.set(msgspec.structs.replace(self.wizard.value, **changes))

    def turn_to(self, step: int) -> None:
        """Show another step of the wizard."""
        self.edit(step=step, lost=())

    def offer_model(self, model: BaseModel) -> None:
        """Let a model folder stand among the models."""
        others = tuple(each for each in self.folders.value if each.path != model.path)
        self.folders.set((*others, model))

    def add_model(self, model: BaseModel) -> None:
        """Offer a model folder and choose it."""
        self.offer_model(model)
        self.edit(model=model.path)

    def start_over(self, **changes: Any) -> None:
        """A fresh draft; the one before stays kept."""
        self.wizard.set(WizardDraft(**changes))
