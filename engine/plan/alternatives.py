"""Other plans near the one made: at least one faster and one smaller, with what each saves and what it costs. Pure.

Candidates stand in the order of what they cost in quality, the cheapest first; of each kind the first two that really
save something are shown. No value that the user set by hand is changed, unless nothing else is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from engine.plan.estimate import Estimate
from engine.plan.values import Settled, Value
from engine.spec.records import Fact

Kind = Literal["faster", "smaller"]
WORTH = 0.03
"""A candidate saves at least this share, or it is not shown."""
SHOWN = 2


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """Another plan: the draft's changes that make it, and the differences to the plan made (negative is less).

    `method` is what the draft's must be set to; empty when it stays. `quality` says what the change costs in what is
    learned.
    """

    kind: Kind
    title: str
    method: str
    edits: Mapping[str, Fact]
    seconds: float
    memory_bytes: int
    disk_bytes: int
    quality: str
    fits: bool


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A change worth trying."""

    title: str
    quality: str
    method: str = ""
    edits: Mapping[str, Fact] = {}


Judge = Callable[[str, Mapping[str, Fact]], Estimate | None]
"""The estimate with another method and further edits; None when they cannot be combined."""
NOTHING_LOST = "None: the same numbers are learned."


def alternatives(
    kind: str, values: Mapping[str, Value], made: Estimate, judge: Judge, mine: frozenset[str], chosen_by_plan: bool
) -> tuple[Alternative, ...]:
    """Up to two faster and two smaller plans. A method that the plan chose is named in each, so that it stays."""
    numbers = {name: each.value for name, each in values.items()}
    found = (
        *_best("faster", _faster(kind, numbers), made, judge, mine),
        *_best("smaller", _smaller(kind, numbers), made, judge, mine),
    )
    if not chosen_by_plan:
        return found
    return tuple(msgspec.structs.replace(each, method=each.method or kind) for each in found)


def _best(
    wanted: Kind, candidates: Iterator[Candidate], made: Estimate, judge: Judge, mine: frozenset[str]
) -> tuple[Alternative, ...]:
    """Those that leave the user's choices alone and are worth it; failing that, any that saves at all."""
    tried = [(each, _judged(wanted, each, made, judge)) for each in candidates]
    better = [(each, found) for each, found in tried if found is not None]
    good = [found for each, found in better if not mine & {*each.edits} and _saved(wanted, found, made) >= WORTH]
    return tuple(good[:SHOWN]) or tuple(found for _, found in better[:1])


def _judged(wanted: Kind, candidate: Candidate, made: Estimate, judge: Judge) -> Alternative | None:
    """The candidate with its differences; None when it cannot be, saves nothing, or (a faster one) does not fit."""
    other = judge(candidate.method, candidate.edits)
    if other is None or (wanted == "faster" and made.fits and not other.fits):
        return None
    found = Alternative(
        kind=wanted,
        title=candidate.title,
        method=candidate.method,
        edits=candidate.edits,
        seconds=other.seconds - made.seconds,
        memory_bytes=other.memory_peak - made.memory_peak,
        disk_bytes=other.disk_bytes - made.disk_bytes,
        quality=candidate.quality,
        fits=other.fits,
    )
    return found if _saved(wanted, found, made) > 0 else None


def _saved(wanted: Kind, found: Alternative, made: Estimate) -> float:
    """The share of the plan's time or memory that is saved."""
    if wanted == "faster":
        return -found.seconds / max(1e-9, made.seconds)
    return -found.memory_bytes / max(1, made.memory_peak)


def _number(value: Settled) -> int:
    return int(str(value))


def _faster(kind: str, values: Mapping[str, Settled]) -> Iterator[Candidate]:
    if values["gradient_checkpointing"] is True:
        yield Candidate(
            title="Without activation checkpointing",
            quality=NOTHING_LOST,
            edits={"gradient_checkpointing": False},
        )
    batch = _number(values["batch_size"])
    if _number(values["micro_batch"]) < batch:
        yield Candidate(title="A whole batch at once", quality=NOTHING_LOST, edits={"micro_batch": batch})
    if kind == "qlora":
        yield Candidate(title="LoRA instead of QLoRA", quality="A little better: nothing is rounded.", method="lora")
    if kind in ("dora", "full"):
        yield Candidate(
            title="LoRA instead",
            quality="About the same: published results differ by less than 1 point.",
            method="lora",
        )
    yield Candidate(
        title="Looking at held-out rows less often",
        quality="None, but the best moment is found less exactly.",
        edits={"validate_every": min(100_000, 4 * _number(values["validate_every"]))},
    )
    epochs = _number(values["epochs"])
    if epochs > 1:
        yield Candidate(
            title=f"{epochs - max(1, epochs // 3)} epochs instead of {epochs}",
            quality="Examples are learned less well; often enough when they resemble each other.",
            edits={"epochs": epochs - max(1, epochs // 3)},
        )
    yield _shorter(values)


def _smaller(kind: str, values: Mapping[str, Settled]) -> Iterator[Candidate]:
    micro = _number(values["micro_batch"])
    if micro > 1:
        yield Candidate(
            title=f"{micro // 2} examples at once instead of {micro}",
            quality=NOTHING_LOST,
            edits={"micro_batch": micro // 2},
        )
    if values["gradient_checkpointing"] is False and kind != "prefix":
        yield Candidate(
            title="With activation checkpointing",
            quality=f"{NOTHING_LOST} About a third more time.",
            edits={"gradient_checkpointing": True},
        )
    if kind == "full":
        yield Candidate(
            title="LoRA instead of every weight",
            quality="About the same for one task; less new knowledge is taken in.",
            method="lora",
        )
    if kind in ("lora", "rslora", "dora", "pissa"):
        yield Candidate(
            title="QLoRA: the model in 4 bits",
            quality="A little worse: the model's weights are rounded.",
            method="qlora",
        )
    yield _shorter(values)
    if "rank" in values and _number(values["rank"]) > 1:
        rank = max(1, _number(values["rank"]) // 2)
        yield Candidate(title=f"Rank {rank}", quality="Less detail can be learned.", edits={"rank": rank})


def _shorter(values: Mapping[str, Settled]) -> Candidate:
    length = max(16, _number(values["max_length"]) // 2)
    return Candidate(
        title=f"Texts of at most {length:,} tokens",
        quality="What is longer is cut, and its end is not learned.",
        edits={"max_length": length},
    )
