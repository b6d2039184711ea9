"""What a user set by hand: every name known, every value of its kind and inside its limits, or said what is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import get_type_hints

import msgspec

from engine.core.errors import PlanError
from engine.plan.combinations import refuse_foreign
from engine.plan.methods import method_facts
from engine.plan.objectives import OBJECTIVES
from engine.plan.values import Settled
from engine.spec.fields import Setting, settings_of
from engine.spec.methods import METHODS
from engine.spec.records import Fact
from engine.spec.runspec import Sharing, Training

LISTS = ("targets", "feedforward")
"""Settings that hold names of layers, parted by commas."""


class EditProblem(msgspec.Struct, frozen=True, kw_only=True):
    """An edit that cannot be used: the setting, what is wrong with its value, what would be right."""

    name: str
    what: str
    fix: str


def settings_for(method: str, objective: str = "sft") -> dict[str, Setting]:
    """Every setting that can be edited with this method and objective, by name. Raises PlanError for unknown ones."""
    kind = METHODS[method_facts(method).kind]
    return {**settings_of(Training), **settings_of(Sharing), **settings_of(kind), **settings_of(OBJECTIVES[objective])}


def check_edits(
    method: str, edits: Mapping[str, Fact], objective: str = "sft"
) -> tuple[dict[str, Settled], tuple[EditProblem, ...]]:
    """The good edits in their right types (forms and command lines give texts), and what is wrong with the others."""
    good: dict[str, Settled] = {}
    bad: list[EditProblem] = []
    known = _hints(method, objective)
    for name, value in edits.items():
        if name not in known:
            bad.append(_unknown(name, method, known))
            continue
        try:
            good[name] = _settled(name, value, known[name])
        except (msgspec.ValidationError, ValueError):
            bad.append(_refused(name, value, known, settings_for(method, objective).get(name)))
    return good, tuple(bad)


def checked(method: str, edits: Mapping[str, Fact], objective: str = "sft") -> dict[str, Settled]:
    """The edits in their right types. Raises PlanError that names all that are wrong."""
    refuse_foreign(method_facts(method), edits)
    good, bad = check_edits(method, edits, objective)
    if bad:
        first, *others = bad
        more = " ".join(f"{each.what} {each.fix}" for each in others)
        raise PlanError(
            first.what, more or "The plan cannot be made with it.", first.fix, "Or take the suggested value."
        )
    return good


def _settled(name: str, value: Fact, hint: object) -> Settled:
    wanted = [part.strip() for part in str(value).split(",")] if name in LISTS else value
    result: Settled = msgspec.convert(wanted, hint, strict=False)  # type: ignore[call-overload]
    if isinstance(result, float) and not math.isfinite(result):
        raise ValueError
    if name in LISTS and not all(wanted if isinstance(wanted, list) else ()):
        raise ValueError
    return result


def _unknown(name: str, method: str, known: Mapping[str, object]) -> EditProblem:
    what = f"There is no setting “{name}” with the method {method}."
    elsewhere = next((tag for tag in METHODS if name in METHODS[tag].__struct_fields__), None)
    elsewhere = elsewhere or next((tag for tag in OBJECTIVES if name in OBJECTIVES[tag].__struct_fields__), None)
    if elsewhere is not None:
        return EditProblem(name=name, what=what, fix=f"It belongs to {elsewhere}.")
    near = difflib.get_close_matches(name, known, 1)
    fix = f"Did you mean “{near[0]}”?" if near else f"There are: {', '.join(known)}."
    return EditProblem(name=name, what=what, fix=fix)


def _refused(name: str, value: Fact, known: Mapping[str, object], setting: Setting | None) -> EditProblem:
    title = setting.title if setting else name
    return EditProblem(name=name, what=f"{title} ({name}) cannot be “{value}”.", fix=_rule(name, setting, known[name]))


def _rule(name: str, setting: Setting | None, hint: object) -> str:
    if setting is None or name in LISTS:
        return "Give names of layers, parted by commas, or all-linear."
    if setting.choices:
        return f"Choose one of: {', '.join(setting.choices)}."
    meta = getattr(hint, "__metadata__", (msgspec.Meta(),))[0]
    low = f"at least {meta.ge:g}" if meta.ge is not None else f"above {meta.gt:g}" if meta.gt is not None else ""
    high = f"at most {meta.le:g}" if meta.le is not None else f"below {meta.lt:g}" if meta.lt is not None else ""
    limits = " and ".join(part for part in (low, high) if part)
    if not limits and not setting.whole:
        return "Give true or false."
    return f"Give a {'whole ' if setting.whole else ''}number{f', {limits}' if limits else ''}."


def _hints(method: str, objective: str) -> dict[str, object]:
    """Every editable name and the type of its value."""
    return {
        **_HINTS[Training],
        **_HINTS[Sharing],
        **_HINTS[METHODS[method_facts(method).kind]],
        **_HINTS[OBJECTIVES[objective]],
    }


_HINTS: dict[type[msgspec.Struct], dict[str, object]] = {
    struct: {
        name: hint
        for name, hint in get_type_hints(struct, include_extras=True).items()
        if name in struct.__struct_fields__
    }
    for struct in (Training, Sharing, *METHODS.values(), *OBJECTIVES.values())
}
