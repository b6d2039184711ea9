"""Errors that people see: what happened, why, and two or three things to do about it (requirement R1).

    StudioError
    ├── HomeError          the data folder cannot be used (read-only, held by another process, made by a newer version)
    ├── DataError          a data file or dataset (missing, empty, binary, nothing to train on)
    ├── ModelError         a model folder (missing weights, pickle weights, remote code)
    ├── PlanError          values that cannot be made into a run
    ├── RunError           a run that cannot be started, found, or told something
    ├── LibraryError       the training libraries are not installed
    └── StorageError       a disk that is full or cannot be written

Everything else is a defect: it is logged with its stack and shown as `unexpected(error)`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from engine.spec.records import Action, Card


class StudioError(Exception):
    """An error with a card. Its text is the card's first sentence, so that a log line reads well too."""

    code = "error"

    def __init__(self, what: str, why: str, *actions: Action | str, help: str = "troubleshooting") -> None:
        super().__init__(what)
        self.card = Card(
            what=what,
            why=why,
            actions=tuple(Action(label=each) if isinstance(each, str) else each for each in actions),
            help=help,
            code=self.code,
        )

    @classmethod
    def from_card(cls, card: Card) -> StudioError:
        """The error that a worker or another process wrote down."""
        error = cls(card.what, card.why, *card.actions, help=card.help)
        error.card = card
        return error

    def __reduce__(self) -> tuple[Callable[[Card], StudioError], tuple[Card]]:
        """Whole on its way from another process, as what it is."""
        return type(self).from_card, (self.card,)


class HomeError(StudioError):
    code = "home"


class HomeHeld(HomeError):
    """Another process of PEFT Studio has this Home open."""

    code = "home-held"


class DataError(StudioError):
    code = "data"


class ModelError(StudioError):
    code = "model"


class PlanError(StudioError):
    code = "plan"


class RunError(StudioError):
    code = "run"


class LibraryError(StudioError):
    code = "library"


class StorageError(StudioError):
    code = "storage"


def from_os(error: OSError, doing: str) -> StudioError:
    """The card for a file operation that failed; `doing` completes "while ..."."""
    if error.errno == errno.ENOSPC:
        return StorageError(
            "The disk is full.",
            f"There was no space left while {doing}. Nothing that was already saved is lost.",
            "Free some space, or delete runs and versions you no longer need, and try again.",
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return StorageError(
            "A file or folder cannot be written.",
            f"The system refused access while {doing}: {error.filename or error}.",
            "Check who owns the folder and whether it is read-only.",
            "Choose another Home with --home or PEFT_STUDIO_HOME.",
        )
    if isinstance(error, FileNotFoundError):
        return StorageError(
            "A file or folder is not there.",
            f"It was looked for while {doing}: {error.filename or error}.",
            "Check the path, and that the disk is connected, then try again.",
        )
    return StorageError(
        "A file could not be read or written.",
        f"The system reported “{error.strerror or error}” while {doing}.",
        "Check that the disk is connected and the path is right, then try again.",
    )


def unexpected(error: BaseException) -> Card:
    """The card for a defect: honest that it is one, without the stack, which the log has."""
    if isinstance(error, StudioError):
        return error.card
    if isinstance(error, OSError):
        return from_os(error, "working on your files").card
    return Card(
        what="Something went wrong inside PEFT Studio.",
        why=f"This is a defect, not your mistake ({type(error).__name__}). The details are in the log.",
        actions=(Action(label="Try again."), Action(label="Run `peft-studio doctor` and look at the log it names.")),
        code="defect",
    )
