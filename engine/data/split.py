"""Which rows are held out: by chance (seeded, each label alike), by time, or as the file says.

Rows that say the same or nearly the same, or belong to one group, stay on one side. A pure function of the rows' keys
and the plan; the order of the rows does not matter. Keys are 64-bit hashes: among ten million rows two differing ones
share a key with a chance of 1 in 300,000, and would then only share a side. Runs in a spawned process (numpy).
"""

from __future__ import annotations

import hashlib
import unicodedata
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from engine.data.nouns import Message, Row, SplitPlan
from engine.spec.prepared import Split

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers = NDArray[numpy.uint64]
    Counts = NDArray[numpy.intp] | NDArray[numpy.int32]
    Sides = NDArray[numpy.uint8]

SIDES: tuple[Split, ...] = ("train", "validation", "test")
TRAIN, VALIDATION, TEST, UNSAID = 0, 1, 2, 255
AT_ONCE = 1 << 16
"""Groups that are counted out at a time; as Python numbers they are large."""


class RowKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What the split looks at, for each row in order; an empty array where there is nothing to look at.

    contents, groups: hashes. near: numbers of what nearly says the same. labels: numbers of labels. times: seconds,
    nan where unknown. given: sides by number, `UNSAID` where the file does not say.
    """

    contents: array[int]
    groups: array[int] = array("Q")
    labels: array[int] = array("i")
    times: array[float] = array("d")
    given: bytes = b""
    near: array[int] = array("Q")


def content_key(row: Row) -> int:
    """The same for rows that differ only in case, white space or how a character is composed."""
    rated = "" if row.desired is None else str(row.desired)
    rejected = ((f"not {role}", text) for role, text in _said(row.rejected))
    return _hash((("text", row.text), *_said(row.messages), *rejected, ("rated", rated)))


def prompt_key(messages: tuple[Message, ...]) -> int:
    """As `content_key`, for the prompt that several answers belong to."""
    return _hash(_said(messages))


def text_key(text: str) -> int:
    """As `content_key`, for a name or a value."""
    return _hash((("", text),))


def _said(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [
        (each.role, each.content + "".join(f"{call.name}({call.arguments})" for call in each.tool_calls))
        for each in messages
    ]


def _hash(parts: Iterable[tuple[str, str]]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for role, text in parts:
        same = text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
        digest.update(f"{role}\x1f{' '.join(same.split())}\x1e".encode())
    return int.from_bytes(digest.digest(), "little")


def split_rows(keys: RowKeys, plan: SplitPlan) -> bytes:
    """The side of each row, as its number in `SIDES`. With two or more different groups, validation is never empty."""
    import numpy

    groups, sizes = _groups(keys)
    if plan.by == "given" and keys.given and TRAIN in keys.given and len(set(keys.given) - {UNSAID}) > 1:
        return _given(groups, keys, plan)
    sides = numpy.full(len(sizes), TRAIN, numpy.uint8)
    if plan.by == "time" and keys.times:
        newest = numpy.full(len(sizes), -numpy.inf)
        numpy.maximum.at(newest, groups, numpy.nan_to_num(numpy.frombuffer(keys.times), nan=-numpy.inf))
        order = numpy.lexsort((_shuffled(groups, keys, plan.seed), -newest))
        _allot(sides, order, sizes, plan)
        return sides[groups].tobytes()
    order = numpy.argsort(_shuffled(groups, keys, plan.seed), kind="stable")
    if plan.stratify and keys.labels and len(set(keys.labels)) > 1:
        _stratified(sides, order, groups, sizes, keys.labels, plan)
    else:
        _allot(sides, order, sizes, plan)
    return sides[groups].tobytes()


def _groups(keys: RowKeys) -> tuple[Counts, Counts]:
    """The number of each row's group and the size of each group: rows joined by content or by group key."""
    import numpy

    joined = _numbered(numpy.frombuffer(keys.contents, numpy.uint64))
    for more in (keys.groups, keys.near):
        if more:
            wider = _joined(joined, _numbered(numpy.frombuffer(more, numpy.uint64)))
            joined = joined if wider.max() == 0 else wider  # one single group could not be divided
    return joined, numpy.bincount(joined)


def _numbered(values: NDArray[numpy.integer]) -> Counts:
    """The same number for the same value, from 0; four bytes each, as there may be many millions."""
    import numpy

    return numpy.unique(values, return_inverse=True)[1].astype(numpy.int32)


def _joined(one: Counts, other: Counts) -> Counts:
    """Groups that hold every pair of rows which agree in either number."""
    import numpy

    joined = one
    while True:
        before = joined
        for numbers in (one, other):
            least = numpy.full(numbers.max() + 1, len(one), numpy.int32)
            numpy.minimum.at(least, numbers, joined)
            joined = least[numbers]
        if (joined == before).all():
            return _numbered(joined)


def _shuffled(groups: Counts, keys: RowKeys, seed: int) -> Numbers:
    """A number for each group that depends on its keys and the seed alone (the finisher of splitmix64)."""
    import numpy

    least = numpy.full(groups.max() + 1, numpy.iinfo(numpy.uint64).max, numpy.uint64)
    numpy.minimum.at(least, groups, numpy.frombuffer(keys.contents, numpy.uint64))
    least ^= numpy.uint64(text_key(f"seed {seed}"))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        least ^= least >> numpy.uint64(shift)
        least *= numpy.uint64(factor)
    least ^= least >> numpy.uint64(31)
    return least


def _allot(sides: Sides, order: Counts, sizes: Counts, plan: SplitPlan, wanted: tuple[int, int] | None = None) -> None:
    """Hold groups out: in order, as long as they fit. `sides` are those of the groups."""
    total = int(sizes[order].sum())
    validation, test = wanted or (max(1, round(total * plan.validation)), round(total * plan.test))
    left = {TEST: test, VALIDATION: validation}
    for at in range(0, len(order), AT_ONCE):
        few = order[at : at + AT_ONCE]
        for group, size in zip(few.tolist(), sizes[few].tolist(), strict=True):
            side = next((side for side, free in left.items() if free and size <= free), None)
            if side is not None:
                sides[group] = side
                left[side] -= size
        if not any(left.values()):
            break
    if wanted is None:
        _never_empty(sides, order, sizes)


def _never_empty(sides: Sides, order: Counts, sizes: Counts) -> None:
    """Something to train on and something to measure with, where there are two groups."""
    placed = sides[order]
    if len(order) > 1 and not (placed == VALIDATION).any():
        free = order[placed == TRAIN] if (placed == TRAIN).any() else order
        sides[free[sizes[free].argmin()]] = VALIDATION
    if (sides[order] != TRAIN).all():
        sides[order[sizes[order].argmax()]] = TRAIN


def _stratified(
    sides: Sides, order: Counts, groups: Counts, sizes: Counts, labels: array[int], plan: SplitPlan
) -> None:
    """Each label's groups divided in the same shares; what rounding leaves over goes to the largest remainders."""
    import numpy

    label_of = numpy.full(len(sizes), numpy.iinfo(numpy.intc).max)
    numpy.minimum.at(label_of, groups, numpy.frombuffer(labels, numpy.intc))
    strata = [order[label_of[order] == label] for label in numpy.unique(label_of)]
    counts = [int(sizes[each].sum()) for each in strata]
    validation, test = (_shares(counts, share) for share in (plan.validation, plan.test))
    for stratum, wanted in zip(strata, zip(validation, test, strict=True), strict=True):
        _allot(sides, stratum, sizes, plan, wanted)
    _never_empty(sides, order, sizes)


def _shares(counts: list[int], share: float) -> list[int]:
    """The share of each count in whole numbers that add up to the share of all."""
    exact = [count * share for count in counts]
    whole = [int(each) for each in exact]
    rest = round(sum(exact)) - sum(whole)
    for index in sorted(range(len(counts)), key=lambda each: whole[each] - exact[each])[: max(0, rest)]:
        whole[index] += 1
    return whole


def _given(groups: Counts, keys: RowKeys, plan: SplitPlan) -> bytes:
    """As the file says. Without a validation side, rows for training are held out for it."""
    sides = keys.given.replace(bytes([UNSAID]), bytes([TRAIN]))
    if VALIDATION in sides:
        return sides
    inner = msgspec.structs.replace(plan, by="random", test=0.0)
    rows = [row for row, side in enumerate(sides) if side == TRAIN]
    some = RowKeys(
        contents=array("Q", (keys.contents[row] for row in rows)),
        groups=array("Q", (keys.groups[row] for row in rows)) if keys.groups else array("Q"),
        labels=array("i", (keys.labels[row] for row in rows)) if keys.labels else array("i"),
        near=array("Q", (keys.near[row] for row in rows)) if keys.near else array("Q"),
    )
    mixed = bytearray(sides)
    for row, side in zip(rows, split_rows(some, inner), strict=True):
        mixed[row] = side
    return bytes(mixed)
