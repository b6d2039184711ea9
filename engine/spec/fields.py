"""How a setting is described: once, where it is declared; every face draws its help, limits and unit from here."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec


class Level(StrEnum):
    """Who needs to see a setting."""

    ESSENTIAL = "essential"
    ADVANCED = "advanced"
    EXPERT = "expert"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as a face shows it."""

    name: str
    title: str
    help: str
    unit: str
    level: Level
    group: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    whole: bool


def described(
    title: str,
    help: str,
    *,
    unit: str = "",
    level: Level = Level.ADVANCED,
    group: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> msgspec.Meta:
    """The annotation of one setting: title, plain-language help, unit, level, the group it is shown in, and
    limits that msgspec enforces."""
    return msgspec.Meta(  # pyright: ignore[reportCallIssue]  # its overloads know no optional limits
        title=title,
        description=help,
        ge=ge,
        gt=gt,
        le=le,
        lt=lt,
        extra={"unit": unit, "level": level.value, "group": group},
    )


@functools.cache
def settings_of(struct: type[msgspec.Struct]) -> Mapping[str, Setting]:
    """The described settings of a struct, by field name, in their order."""
    hints = get_type_hints(struct, include_extras=True)
    found = {
        name: _setting(name, hints[name]) for name in struct.__struct_fields__ if get_origin(hints[name]) is Annotated
    }
    return MappingProxyType(found)


def _setting(name: str, hint: Any) -> Setting:
    kind, meta = get_args(hint)[:2]
    extra = meta.extra or {}
    return Setting(
        name=name,
        title=meta.title or name,
        help=meta.description or "",
        unit=extra.get("unit", ""),
        level=Level(extra.get("level", "advanced")),
        group=extra.get("group", ""),
        minimum=meta.ge if meta.ge is not None else meta.gt,
        maximum=meta.le if meta.le is not None else meta.lt,
        choices=tuple(str(choice) for choice in get_args(kind)) if get_origin(kind) is Literal else (),
        whole=kind is int,
    )
