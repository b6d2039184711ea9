"""What may be said about a difference: better, worse, mixed, none shown, or too few examples, in plain words. Pure.

Answers decide: the main measure and exact match. How likely a model finds the references (its loss) and every other
measure are said beside that, and make nothing better or worse.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.results.metrics.measures import Measure
from engine.results.statistics import Paired, examples_for
from engine.spec.suite import Side

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

    @property
    def figure(self) -> str:
        """The measure with its difference, the interval and the chance of that."""
        return f"{self.measure.title} {difference(self.measure, self.paired)}"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was tested of two models on the same examples: what decides, the loss, and everything else.

    `main` is the measure that accuracy is; `rows` says which examples they were, with their number, and `trained` how
    many of them the tuned model was trained on.
    """

    deciding: tuple[Tested, ...]
    others: tuple[Tested, ...] = ()
    loss: Tested | None = None
    main: Tested | None = None
    examples: int
    rows: str
    trained: int = 0


def outcome_of(found: Evidence) -> Outcome:
    """What may be said, by the corrected p-values of what decides."""
    shown = {each.direction for each in found.deciding} - {0}
    if shown == {1, -1}:
        return "mixed"
    if shown:
        return "better" if shown == {1} else "worse"
    return "too few examples" if found.examples < FEW or _blind(found.main) else "no difference shown"


def _blind(main: Tested | None) -> bool:
    """Whether a difference that matters could have been there unseen."""
    if main is None or main.measure.unit != "share":
        return False
    return main.paired.detectable is None or main.paired.detectable > MATTERS


def verdict_of(found: Evidence) -> str:
    """A few plain sentences, each figure with its own interval and p-value."""
    outcome = outcome_of(found)
    numbers = ", ".join(each.figure for each in found.deciding)
    shown = outcome in ("better", "worse", "mixed")
    could = "" if shown else _could_be_shown(found.main, found.examples)
    head = f"{_SENTENCES[outcome]}: {numbers}, on {found.rows}."
    parts = (head, could, _apart(found, outcome), _loss(found, outcome), _seen(found))
    return " ".join(part for part in parts if part)


def chance(p_value: float) -> str:
    """A p-value as people read it."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def difference(measure: Measure, paired: Paired) -> str:
    """A difference with its interval, where there is one, and the chance of it."""
    share = measure.unit == "share"
    scale = 100 if share else 1
    digits = _digits(scale * paired.difference, share)
    middle = _number(scale * paired.difference, digits, "+") + (" points" if share else "")
    if not paired.has_interval:
        return f"{middle} ({chance(paired.corrected)})"
    bounds = f"{_number(scale * paired.low, digits)} to {_number(scale * paired.high, digits)}"
    return f"{middle} (95 % interval {bounds}, {chance(paired.corrected)})"


def _digits(value: float, share: bool) -> int:
    """Digits behind the point: points are whole and the rest has two, unless nothing would be left of the value."""
    usual = 0 if share else 2
    return usual + 1 if 0 < abs(value) < 10**-usual else usual


def _number(value: float, digits: int, sign: str = "") -> str:
    """A rounded number; what rounds to nothing is never called minus nothing."""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def _apart(found: Evidence, outcome: Outcome) -> str:
    """Other measures that are shown to go another way than the verdict."""
    towards = {"better": 1, "worse": -1}.get(outcome, 0)
    if outcome == "mixed":
        return ""
    sides = {
        word: [each.figure for each in found.others if each.direction == way]
        for way, word in ((1, "better"), (-1, "worse"))
        if way != towards
    }
    said = [f"{word} in {', '.join(figures)}" for word, figures in sides.items() if figures]
    return f"{'But it' if towards else 'By other measures it'} is {' and '.join(said)}." if said else ""


def _loss(found: Evidence, outcome: Outcome) -> str:
    """How likely the model finds the references; that is learning, and says nothing of its answers by itself."""
    if found.loss is None or not found.loss.direction:
        return ""
    way = found.loss.direction
    figure = f"loss {difference(found.loss.measure, found.loss.paired)}"
    words = f"has become {'more' if way > 0 else 'less'} likely to write the reference: {figure}"
    if outcome in ("no difference shown", "too few examples"):
        return f"The tuned model {words}; its answers are not shown to differ."
    against = outcome != "mixed" and way != (1 if outcome == "better" else -1)
    return f"But it {words}." if against else f"It {words}."


def _seen(found: Evidence) -> str:
    """That rows were trained on, where some were."""
    if not found.trained:
        return ""
    which = "all" if found.trained == found.examples else f"{found.trained:,}"
    return f"It was trained on {which} of these, and looks better there than on new ones: ask held-out rows."


def _could_be_shown(main: Tested | None, examples: int) -> str:
    """What the examples could have shown, and how many would be enough."""
    least = main.paired.detectable if main is not None else 0.0
    if least is None:
        return f"So few cannot show any difference, however large. At least {FEW} are needed."
    if main is None or main.measure.unit != "share" or least == 0:
        return f"At least {FEW} are needed." if examples < FEW else ""
    enough = max(FEW, examples_for(least, examples, MATTERS))
    could = f"So many show a difference of {100 * least:.0f} points or more."
    return could if enough <= examples else f"{could} About {enough:,} examples would show one of {100 * MATTERS:.0f}."


def examples_words(count: int, side: Side = "held-out", dataset: str = "") -> str:
    """How many examples, of which side of which dataset, where that is known."""
    kind = "" if side == "all" else f"{side} "
    return f"{count:,} {kind}example{'s' if count != 1 else ''}" + (f" of “{dataset}”" if dataset else "")
