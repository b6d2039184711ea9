"""What is changed in Flet 1.0.5 itself, for speed alone: nothing is drawn otherwise. Each change goes when Flet has it.

A page of two thousand controls has a hundred thousand fields, nearly all of them as they are by default. Flet looks
through each with a generator of its own; that was half of the time that a new page takes.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import weakref
from collections.abc import Iterator
from typing import Any

from flet.controls import object_patch
from flet.messaging.protocol import Message

PLAIN = frozenset((type(None), bool, int, float, str))
"""Types that hold no control."""
Base = object_patch.DiffBuilder


class Builder(Base):
    """Finds what changed between two trees, and looks only where there can be a control."""

    def _configure_dataclass(
        self, item: Any, parent: Any, frozen: bool, configure_setattr_only: bool = False
    ) -> Iterator[Any]:
        found: list[Any] = []
        if configure_setattr_only:
            found.extend(super()._configure_dataclass(item, parent, frozen, True))
        else:
            self._prepare(item, parent, frozen, found)
        return iter(found)

    def _prepare(self, item: Any, parent: Any, frozen: bool, found: list[Any]) -> None:
        """What Flet's `_configure_dataclass` does: parents, frozen or not, `build`; controls are added to `found`."""
        if _is_plain(item):
            return
        if isinstance(item, list | dict):
            for each in item.values() if isinstance(item, dict) else item:
                self._prepare(each, parent, frozen, found)
            return
        kind: Any = type(item)
        values = getattr(item, "_values", None)
        if values is None or not hasattr(kind, "__dataclass_fields__"):
            found.extend(super()._configure_dataclass(item, parent, frozen))
            return
        if parent is None and (known := getattr(item, "_parent", None)):
            parent = known()
        if parent is item:
            raise object_patch.ObjectPatchException(f"{type(item).__name__} has itself as its parent")
        if parent is not None:
            item._parent = weakref.ref(parent)
        if hasattr(item, "_frozen"):
            frozen = item._frozen
        elif frozen:
            item._frozen = frozen
        if getattr(kind, "__flet_control_cls__", None) is None:
            kind.__flet_control_cls__ = self.control_cls
        if self.control_cls and isinstance(item, self.control_cls):
            item.build()
            item._before_update_safe()
            object.__setattr__(item, "_initialized", True)
            found.append(item)
            parent = item
        for name in _fields(kind, values):
            self._prepare(getattr(item, name), parent, frozen, found)
        if not frozen:
            item._dirty.clear()

    def _removed_controls(self, item: Any, recurse: bool) -> Iterator[Any]:
        found: list[Any] = []
        self._gone(item, recurse, found)
        return iter(found)

    def _gone(self, item: Any, recurse: bool, found: list[Any]) -> None:
        """Adds the controls in `item` to `found`, children first; `recurse` where Flet kept no list of them."""
        if _is_plain(item):
            return
        if isinstance(item, list | dict):
            for each in item.values() if isinstance(item, dict) else item:
                self._gone(each, recurse, found)
        elif self.control_cls and isinstance(item, self.control_cls):
            if hasattr(item, "__prev_lists"):
                for kept in ("__prev_lists", "__prev_dicts", "__prev_classes"):
                    self._gone(getattr(item, kept, {}), recurse, found)
            elif recurse:
                for name in _fields(type(item), item._values):
                    self._gone(getattr(item, name), recurse, found)
            found.append(item)

    def teardown(self) -> None:
        """Unlink the operations from each other: their ring kept all that was removed for the garbage collector."""
        root = self._DiffBuilder__root  # type: ignore[attr-defined]
        node = root[1] if root else root
        while node and node is not root:
            following = node[1]
            node.clear()
            node = following
        super().teardown()


def _is_plain(item: Any) -> bool:
    return type(item) in PLAIN or isinstance(item, enum.Enum)


def _fields(kind: type, values: dict[str, Any]) -> Iterator[str]:
    """The fields of an object that may hold a control, in their order: those that are not as they are by default."""
    return (name for name, always in _walked(kind) if always or name in values)


@functools.cache
def _walked(kind: Any) -> tuple[tuple[str, bool], ...]:
    """The fields of a class that Flet looks at, and whether they may hold a control even by default."""
    defaults = getattr(kind, "_prop_defaults", {})
    return tuple(
        (each.name, each.name not in defaults or not _is_plain(defaults[each.name]))
        for each in dataclasses.fields(kind)
        if not each.metadata.get("skip", False)
    )


class Quiet:
    """Flet tells of each value that it compares, at a level that is off: a twentieth of an update."""

    def debug(self, *_: Any) -> None:
        """Nothing."""


def _in_short(message: Message) -> str:
    return f"Message({message.action.name})"


@functools.cache
def make_faster() -> None:
    """Put the changes in place, once."""
    object_patch.DiffBuilder = Builder  # type: ignore[misc]
    object_patch.logger = Quiet()  # type: ignore[assignment]
    # Every message was written out in full for a log line of a level that is off: over half of an update.
    Message.__repr__ = _in_short  # type: ignore[assignment]
