"""Which runs a sweep is made of: every combination of the values given, or values drawn at random. Pure.

Drawing at random finds good settings in fewer runs than a grid when only some of them matter (Bergstra and Bengio
2012, JMLR 13). Ranges are drawn on a logarithmic scale: a learning rate's order of magnitude is what counts.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engine.core.errors import PlanError
from engine.plan.edits import LISTS
from engine.spec.records import Fact

MOST_RUNS = 500
TRIES = 50
"""Draws per run wanted; a space with few combinations gives fewer runs rather than the same one twice."""


class Over(msgspec.Struct, frozen=True, kw_only=True):
    """A setting and the values to try: listed ones, or a range to draw from (`whole` gives whole numbers)."""

    name: str
    values: tuple[Fact, ...] = ()
    low: float | None = None
    high: float | None = None
    whole: bool = False


def over(words: str) -> Over:
    """`rank=8,16` or `learning_rate=1e-5..1e-3` understood. Names of layers are parted by `;`. Raises PlanError."""
    name, equals, said = (part.strip() for part in words.partition("="))
    if not name or not equals or not said:
        raise _unclear(words)
    if ".." in said:
        return _range(name, said, words)
    parts = [part.strip() for part in said.split(";" if name in LISTS else ",")]
    if not all(parts):
        raise _unclear(words)
    return Over(name=name, values=tuple(_value(part) for part in parts))


def _range(name: str, said: str, words: str) -> Over:
    ends = [_value(part.strip()) for part in said.split("..")]
    numbers = [end for end in ends if isinstance(end, int | float) and not isinstance(end, bool)]
    if len(ends) != 2 or len(numbers) != 2 or not 0 <= numbers[0] < numbers[1] or not math.isfinite(numbers[1]):
        raise _unclear(words)
    low, high = numbers
    return Over(name=name, low=low, high=high, whole=isinstance(low, int) and isinstance(high, int))


def _value(part: str) -> Fact:
    try:
        return msgspec.json.decode(part, type=bool | int | float)
    except msgspec.MsgspecError:
        return part


def _unclear(words: str) -> PlanError:
    return PlanError(
        f"“{words}” does not say what to try.",
        "A sweep goes over a setting's values, or over a range from the smaller to the larger number.",
        "Write, for example, --over rank=8,16.",
        "Or, with --random, --over learning_rate=1e-5..1e-3.",
    )


def combinations(wanted: Sequence[Over], count: int = 0, seed: int = 0) -> tuple[dict[str, Fact], ...]:
    """The settings of each run: all combinations (`count` 0), or up to `count` different ones drawn from `seed`.

    Raises PlanError when there is nothing to go over, a setting is named twice, or there would be more than 500 runs.
    """
    names = [each.name for each in wanted]
    if not names or len(set(names)) < len(names):
        raise PlanError(
            "This sweep has nothing to go over." if not names else "A setting is named twice.",
            "Each setting that is varied is named once, with all its values.",
            "Write, for example, --over rank=8,16 --over learning_rate=1e-4,3e-4.",
        )
    _refuse_too_many(count or math.prod(len(set(each.values)) for each in wanted))
    return _drawn(wanted, count, seed) if count else _grid(wanted)


def _refuse_too_many(count: int) -> None:
    if count > MOST_RUNS:
        raise PlanError(
            f"This sweep would be {count:,} runs.",
            f"One sweep has at most {MOST_RUNS}.",
            "Give fewer values.",
            "Or draw some of the combinations with --random 20.",
        )


def _grid(wanted: Sequence[Over]) -> tuple[dict[str, Fact], ...]:
    for each in wanted:
        if not each.values:
            raise PlanError(
                f"A range for {each.name} needs a number of runs.",
                "A grid has no steps inside a range.",
                "Add --random 12 to draw from it.",
                "Or list the values: 1e-4,3e-4,1e-3.",
            )
    names = [each.name for each in wanted]
    rows = itertools.product(*(dict.fromkeys(each.values) for each in wanted))
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


def _drawn(wanted: Sequence[Over], count: int, seed: int) -> tuple[dict[str, Fact], ...]:
    dice = random.Random(seed)
    found: dict[tuple[Fact, ...], None] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        found.setdefault(tuple(_draw(each, dice) for each in wanted))
    return tuple(dict(zip((each.name for each in wanted), row, strict=True)) for row in found)


def _draw(each: Over, dice: random.Random) -> Fact:
    """One value; from zero on there is no logarithm, so the range is drawn from evenly."""
    if each.low is None or each.high is None:
        return dice.choice(each.values)
    if each.low > 0:
        drawn = math.exp(dice.uniform(math.log(each.low), math.log(each.high)))
    else:
        drawn = dice.uniform(each.low, each.high)
    drawn = min(each.high, max(each.low, float(f"{drawn:.3g}")))
    return round(drawn) if each.whole else drawn


def values_words(values: Mapping[str, Fact]) -> str:
    """`rank=8, learning_rate=0.0001`."""
    return ", ".join(f"{name}={value_words(value)}" for name, value in values.items())


def value_words(value: Fact) -> str:
    """A value as the command line takes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def names_of(combined: Iterable[Mapping[str, Fact]]) -> tuple[str, ...]:
    """The settings that are varied, in their order."""
    return tuple(dict.fromkeys(name for each in combined for name in each))
