"""How far a judge is to be trusted: what it says beside what the user thought of the same answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.data.language import interval

ENOUGH = 20
"""Answers below which nothing is said: even if all of 20 agree, the interval of the share begins at 84 %."""
NOTHING_RATED = (
    "How far it is to be trusted is not known: no answer of this version has a thumb of yours in the playground."
)


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """A question of the playground with what base and version replied, and the user's thumbs: up, down, or none."""

    prompt: str
    base: str
    tuned: str
    base_up: bool | None = None
    tuned_up: bool | None = None


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """On which share of the answers judge and user meant the same, with its 95 % interval, and Cohen's kappa.

    Kappa is 0 where they agree as often as chance would have them, and 1 where they always do; None where both always
    say the same one thing, so that chance alone would have them agree.
    """

    answers: int
    share: float
    low: float
    high: float
    kappa: float | None

    @property
    def enough(self) -> bool:
        """Whether there are answers enough to say anything."""
        return self.answers >= ENOUGH


def agreement(verdicts: Sequence[tuple[bool, bool]]) -> Agreement | None:
    """Of (judge, user) verdicts on the same answers, each good or not; None when there are none.

    Source: Cohen 1960; the interval of the share is Wilson's.
    """
    if not verdicts:
        return None
    count, same = len(verdicts), sum(judge == user for judge, user in verdicts)
    share = same / count
    judged, liked = (sum(side) / count for side in zip(*verdicts, strict=True))
    by_chance = judged * liked + (1 - judged) * (1 - liked)
    kappa = (share - by_chance) / (1 - by_chance) if by_chance < 1 else None
    low, high = interval(same, count)
    return Agreement(answers=count, share=share, low=low, high=high, kappa=kappa)


def in_words(found: Agreement | None) -> str:
    """What may be said of it, in a sentence or two."""
    if found is None:
        return NOTHING_RATED
    if not found.enough:
        return (
            f"How far it is to be trusted: too few to say. You rated {found.answers} of these answers in the "
            f"playground, and {ENOUGH} are needed."
        )
    chance = "" if found.kappa is None else f", kappa {found.kappa:.2f} (0 is chance, 1 always)"
    return (
        f"It agreed with your own thumbs on {100 * found.share:.0f} % of {found.answers} answers "
        f"(95 % interval {100 * found.low:.0f} to {100 * found.high:.0f} %){chance}."
    )
