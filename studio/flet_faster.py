"""What is changed in Flet 1.0.5 itself, for speed alone: nothing is drawn otherwise. Each change goes when Flet has it.

A page of two thousand controls has a hundred thousand fields, nearly all of them numbers, words or nothing. Flet looks
through each with a generator of its own; that was half of the time that a new page takes.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator
from typing import Any

from flet.controls import object_patch
from flet.messaging.protocol import Message

PLAIN = frozenset((type(None), bool, int, float, str))
"""Types that hold no control."""
Base = object_patch.DiffBuilder


class Builder(Base):
    """Finds what changed between two trees, and passes over values in which there can be no control."""

    def _configure_dataclass(
        self, item: Any, parent: Any, frozen: bool, configure_setattr_only: bool = False
    ) -> Iterator[Any]:
        if type(item) in PLAIN or isinstance(item, enum.Enum):
            return iter(())
        return super()._configure_dataclass(item, parent, frozen, configure_setattr_only)

    def _removed_controls(self, item: Any, recurse: bool) -> Iterator[Any]:
        if type(item) in PLAIN or isinstance(item, enum.Enum):
            return iter(())
        return super()._removed_controls(item, recurse)


def _in_short(message: Message) -> str:
    return f"Message({message.action.name})"


@functools.cache
def make_faster() -> None:
    """Put the changes in place, once."""
    object_patch.DiffBuilder = Builder  # type: ignore[misc]
    # Every message was written out in full for a log line of a level that is off: over half of an update.
    Message.__repr__ = _in_short  # type: ignore[assignment]
