"""What a user set by hand: every name known, every value of its kind and inside its limits, or said what is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import get_type_hints

import msgspec

from engine.core.errors import PlanError
from engine.plan.defaults import MethodName
from engine.spec.fields import Setting, settings_of
from engine.spec.methods import Full, Lora, Qlora
from engine.spec.records import Fact
from engine.spec.runspec import Training

METHODS: dict[MethodName, type[Lora] | type[Qlora] | type[Full]] = {"lora": Lora, "qlora": Qlora, "full": Full}
Settled = Fact | tuple[str, ...]


class EditProblem(msgspec.Struct, frozen=True, kw_only=True):
    """An edit that cannot be used: the setting, what is wrong with its value, what would be right."""

    name: str
    what: str
    fix: str


def settings_for(method: MethodName) -> dict[str, Setting]:
    """Every setting that can be edited with this method, by name."""
    return {**settings_of(Training), **settings_of(METHODS[method])}


def check_edits(method: MethodName, edits: Mapping[str, Fact]) -> tuple[dict[str, Settled], tuple[EditProblem, ...]]:
    """The good edits in their right types (forms and command lines give texts), and what is wrong with the others."""
    good: dict[str, Settled] = {}
    bad: list[EditProblem] = []
    known = _HINTS[method]
    for name, value in edits.items():
        if name not in known:
            bad.append(_unknown(name, method))
            continue
        try:
            good[name] = _settled(name, value, method)
        except (msgspec.ValidationError, ValueError):
            bad.append(_refused(name, value, method))
    return good, tuple(bad)


def checked(method: MethodName, edits: Mapping[str, Fact]) -> dict[str, Settled]:
    """The edits in their right types. Raises PlanError that names all that are wrong."""
    good, bad = check_edits(method, edits)
    if bad:
        first, *others = bad
        more = " ".join(f"{each.what} {each.fix}" for each in others)
        raise PlanError(
            first.what, more or "The plan cannot be made with it.", first.fix, "Or take the suggested value."
        )
    return good


def _settled(name: str, value: Fact, method: MethodName) -> Settled:
    wanted = [part.strip() for part in str(value).split(",")] if name == "targets" else value
    result = msgspec.convert(wanted, _HINTS[method][name], strict=False)
    if isinstance(result, float) and not math.isfinite(result):
        raise ValueError
    if name == "targets" and not all(wanted if isinstance(wanted, list) else ()):
        raise ValueError
    return result


def _unknown(name: str, method: MethodName) -> EditProblem:
    known = _HINTS[method]
    what = f"There is no setting “{name}” with the method {method}."
    elsewhere = next((other for other in METHODS if name in _HINTS[other]), None)
    if elsewhere is not None:
        return EditProblem(name=name, what=what, fix=f"It belongs to {elsewhere}.")
    near = difflib.get_close_matches(name, known, 1)
    fix = f"Did you mean “{near[0]}”?" if near else f"There are: {', '.join(known)}."
    return EditProblem(name=name, what=what, fix=fix)


def _refused(name: str, value: Fact, method: MethodName) -> EditProblem:
    setting = settings_for(method).get(name)
    title = setting.title if setting else name
    return EditProblem(name=name, what=f"{title} ({name}) cannot be “{value}”.", fix=_rule(name, setting, method))


def _rule(name: str, setting: Setting | None, method: MethodName) -> str:
    if setting is None or name == "targets":
        return "Give names of layers, parted by commas, or all-linear."
    if setting.choices:
        return f"Choose one of: {', '.join(setting.choices)}."
    meta = getattr(_HINTS[method][name], "__metadata__", (msgspec.Meta(),))[0]
    low = f"at least {meta.ge:g}" if meta.ge is not None else f"above {meta.gt:g}" if meta.gt is not None else ""
    high = f"at most {meta.le:g}" if meta.le is not None else f"below {meta.lt:g}" if meta.lt is not None else ""
    limits = " and ".join(part for part in (low, high) if part)
    if not limits and not setting.whole:
        return "Give true or false."
    return f"Give a {'whole ' if setting.whole else ''}number{f', {limits}' if limits else ''}."


_HINTS: dict[MethodName, dict[str, object]] = {
    method: {
        name: hint
        for struct in (Training, kind)
        for name, hint in get_type_hints(struct, include_extras=True).items()
        if name in struct.__struct_fields__
    }
    for method, kind in METHODS.items()
}
