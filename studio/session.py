"""What one window or tab remembers while it is open: the wizard's draft and the playground's choices.

Values are frozen; changes go through topics, so that a component watches a draft as it watches the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.topics import Topic
from engine.data.nouns import Inspection, Mapping
from engine.plan.models import BaseModel
from engine.spec.records import Fact

if TYPE_CHECKING:
    from studio.pages.talk import Talk


class WizardDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Everything entered in the wizard so far. `edits` are the settings a person changed, by name."""

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
    show_all: bool = False


class Session:
    """One window's or tab's drafts."""

    def __init__(self) -> None:
        self.wizard: Topic[WizardDraft] = Topic(WizardDraft())
        self.version: Topic[str] = Topic("")
        """The version chosen in the playground."""
        self.data_tab: Topic[str] = Topic("overview")
        """What the page of a dataset shows; a new version shows the same."""
        self.folders: Topic[tuple[BaseModel, ...]] = Topic(())
        """Models in folders outside the Home that were named in this session."""

        self.talks: dict[str, Talk] = {}
        """The playground's conversations by version."""

    def edit(self, **changes: Any) -> None:
        """Change the wizard's draft."""
        self.wizard.set(msgspec.structs.replace(self.wizard.value, **changes))

    def add_model(self, model: BaseModel) -> None:
        """Offer a model folder and choose it."""
        others = tuple(each for each in self.folders.value if each.path != model.path)
        self.folders.set((*others, model))
        self.edit(model=model.path)

    def start_over(self, **changes: Any) -> None:
        """A fresh draft."""
        self.wizard.set(WizardDraft(**changes))
