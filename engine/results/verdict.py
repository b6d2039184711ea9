"""What may be said about a difference: better, worse, mixed, none shown, or too few examples, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.results.metrics.measures import Measure
from engine.results.statistics import Paired, examples_for

FEW = 20
"""Fewer examples than this show only the plainest differences."""
MATTERS = 0.1
"""A difference of ten points: when the examples could not have shown that much, there are too few of them."""
Outcome = Literal["better", "worse", "mixed", "no difference shown", "too few examples"]
_SENTENCES: dict[Outcome, str] = {
    "better": "The tuned model is better than the base",
    "worse": "The tuned model is worse than the base",
    "mixed": "The tuned model is better in one respect and worse in another",
    "no difference shown": "No difference could be shown",
    "too few examples": "There are too few examples to tell",
}


class Tested(msgspec.Struct, frozen=True):
    """A measure and the comparison of two models by it."""

    name: str
    measure: Measure
    paired: Paired

    @property
    def direction(self) -> int:
        """1 where the difference is shown to be for the better, -1 for the worse, 0 where none is shown."""
        if not self.paired.shown or self.measure.better == "neither" or self.paired.difference == 0:
            return 0
        return 1 if (self.paired.difference > 0) is (self.measure.better == "more") else -1


def outcome_of(tested: Sequence[Tested], main: Tested | None, examples: int) -> Outcome:
    """What may be said, by the corrected p-values of all measures; `main` is the one that accuracy is."""
    shown = {each.direction for each in tested} - {0}
    if shown == {1, -1}:
        return "mixed"
    if shown:
        return "better" if shown == {1} else "worse"
    blind = main is not None and main.measure.unit == "share" and main.paired.detectable > MATTERS
    return "too few examples" if examples < FEW or blind else "no difference shown"


def verdict_of(outcome: Outcome, headline: Sequence[Tested], main: Tested | None, p_value: float, examples: int) -> str:
    """One or two plain sentences with the numbers behind them."""
    count = f"{examples} held-out example{'s' if examples != 1 else ''}"
    parts = [f"{each.measure.title} {points(each.paired, examples)}" for each in headline]
    numbers = ", ".join([*parts, chance(p_value), count])
    if outcome in ("better", "worse", "mixed"):
        return f"{_SENTENCES[outcome]}: {numbers}."
    return f"{_SENTENCES[outcome]} ({numbers}). {_could_be_shown(main, examples)}".strip()


def chance(p_value: float) -> str:
    """A p-value as people read it."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def points(paired: Paired, examples: int) -> str:
    """A difference of shares in points, with its interval where there are examples to make one of."""
    middle = f"{100 * paired.difference:+.0f} points"
    if examples < 2:
        return middle
    return f"{middle} (95 % interval {100 * paired.low:.0f} to {100 * paired.high:.0f})"


def _could_be_shown(main: Tested | None, examples: int) -> str:
    """What the examples could have shown, and how many would be enough."""
    if main is None or main.measure.unit != "share" or main.paired.detectable == 0:
        return f"At least {FEW} are needed." if examples < FEW else ""
    enough = max(FEW, examples_for(main.paired, examples, MATTERS))
    could = f"So many show a difference of {100 * main.paired.detectable:.0f} points or more."
    return could if enough <= examples else f"{could} About {enough:,} examples would show one of {100 * MATTERS:.0f}."
