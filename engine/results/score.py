"""One number for an evaluation, 0 to 100 (requirement J4): 0.4 accuracy + 0.4 judge + 0.2 length fit.

A part that was not measured counts nothing, and the weights of the others are scaled so that they make 1; the words say
what the score rests on. Without accuracy and judge there is no score: length alone says nothing. Pure.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Band = Literal["excellent", "good", "fair", "poor"]
Gate = Literal["deploy", "review", "not yet"]
WEIGHTS = {"accuracy": 0.4, "judge": 0.4, "length fit": 0.2}
BANDS: tuple[tuple[float, Band], ...] = ((80, "excellent"), (60, "good"), (40, "fair"), (0, "poor"))
GATES: tuple[tuple[float, Gate], ...] = ((70, "deploy"), (50, "review"), (0, "not yet"))


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a score: 0 to 100, or None when it was not measured; `measure` names what it was taken from."""

    name: str
    weight: float
    value: float | None
    measure: str = ""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The whole, its band, what it is good enough for, and its parts. `value` is None without anything to rest on; of
    too few examples neither band nor gate is said."""

    value: float | None
    band: Band | None
    gate: Gate | None
    parts: tuple[Part, ...]
    words: str


def score_of(
    accuracy: float | None,
    judge: float | None,
    length_fit: float | None,
    *,
    accuracy_from: str,
    judged: str = "",
    too_few: str = "",
) -> Score:
    """The score of one model from shares of 0 to 1; `judged` says of how many examples a judge's share is, and
    `too_few` names the examples where they are too few to say what it is good enough for."""
    shares = {"accuracy": accuracy, "judge": judge, "length fit": length_fit}
    sources = {
        "accuracy": accuracy_from,
        "judge": f"the judge's stars for {judged} examples",
        "length fit": "length fit",
    }
    parts = tuple(
        Part(name=name, weight=weight, value=_hundredths(shares[name]), measure=sources[name])
        for name, weight in WEIGHTS.items()
    )
    if accuracy is None and judge is None:
        return Score(value=None, band=None, gate=None, parts=parts, words="Not scored: nothing says how good it is.")
    measured = [(part.value, part.weight) for part in parts if part.value is not None]
    value = sum(share * weight for share, weight in measured) / sum(weight for _, weight in measured)
    value = round(value, 1)
    if too_few:
        words = f"{value:.0f} of 100, on {too_few}: too few to say what it is good enough for. {_rests(parts, judged)}"
        return Score(value=value, band=None, gate=None, parts=parts, words=words)
    band: Band = next(word for least, word in BANDS if value >= least)
    gate: Gate = next(word for least, word in GATES if value >= least)
    return Score(value=value, band=band, gate=gate, parts=parts, words=_words(value, band, gate, parts, judged))


def _hundredths(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _words(value: float, band: Band, gate: Gate, parts: tuple[Part, ...], judged: str) -> str:
    good_for = {
        "deploy": "good enough to deploy",
        "review": "to be reviewed by a person before it is used",
        "not yet": "not ready to be used",
    }[gate]
    return f"{value:.0f} of 100, {band}: {good_for}. {_rests(parts, judged)}"


def _rests(parts: tuple[Part, ...], judged: str) -> str:
    """What was measured for it, and what was not."""
    told = {"judge": f"judge ({judged} examples)"} if judged else {}
    rests = " and ".join(told.get(part.name, part.name) for part in parts if part.value is not None)
    missing = [part for part in parts if part.value is None]
    few = {"judge": f", which rated only {judged} examples"} if judged else {}
    without = "".join(
        f" Not measured: {part.name} ({100 * part.weight:.0f} % of a full score){few.get(part.name, '')}."
        for part in missing
    )
    return f"It rests on {rests}.{without}"
