"""From measures to what may be said of them: one correction for all that was tested together, the verdict, the scores.

Pure, and quick: what was measured comes in, and can be decided anew whenever more is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from engine.results.measured import Judged, Mean, Result, share_of
from engine.results.metrics.measures import TABLE, Measure
from engine.results.score import Score, score_of
from engine.results.statistics import with_holm
from engine.results.verdict import Evidence, Outcome, Tested, outcome_of, verdict_of
from engine.spec.suite import Metric, Suite

MATCH: Metric = "exact_match"
LOSS: Metric = "loss"
STARS = Measure(title="stars of the judge", what="What a judge gave, 1 to 5, by all criteria together.", unit="rating")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The measures and the judge's part with corrected p-values, and what rests on them.

    `p_value` is the smallest of what decides.
    """

    results: tuple[Result, ...]
    judged: Judged | None
    p_value: float
    outcome: Outcome
    verdict: str
    score: Score
    base_score: Score


class Examples(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked: how many examples, in words too, and how many of them the tuned model was trained on."""

    count: int
    words: str
    trained: int = 0


def decided(results: Sequence[Result], suite: Suite, asked: Examples, judged: Judged | None = None) -> Decision:
    """What these measures of base and tuned, and a judge that rated enough of the answers, allow to say."""
    results, judged = _corrected(results, judged)
    found = _evidence(results, suite, asked, judged)
    overall = judged.criteria[0] if judged and judged.counts else None
    part, outcome = judged.part if judged else "", outcome_of(found)
    few = asked.words if outcome == "too few examples" else ""
    stars = (overall.tuned, overall.base) if overall else (None, None)
    return Decision(
        results=results,
        judged=judged,
        p_value=min((each.paired.corrected for each in found.deciding), default=1.0),
        outcome=outcome,
        verdict=verdict_of(found),
        score=_scored(suite, _values(results, lambda each: each.tuned), stars[0], part, few),
        base_score=_scored(suite, _values(results, lambda each: each.base), stars[1], part, few),
    )


def main_of(results: Sequence[Result], suite: Suite) -> Metric:
    """The measure that stands for accuracy; exact match where the suite's own could not be measured."""
    return suite.main if any(each.name == suite.main for each in results) else MATCH


def _corrected(results: Sequence[Result], judged: Judged | None) -> tuple[tuple[Result, ...], Judged | None]:
    """One correction over every measure that does not only describe, and over a judge's criteria where it counts."""
    tested = [each for each in results if each.measure.better != "neither"]
    rated = [each.difference for each in judged.criteria] if judged and judged.counts else []
    family = with_holm([*(each.difference for each in tested), *rated])
    by_name = {each.name: paired for each, paired in zip(tested, family, strict=False)}
    corrected = tuple(
        msgspec.structs.replace(each, difference=by_name.get(each.name, each.difference)) for each in results
    )
    return corrected, judged.tested(family[len(tested) :]) if judged and rated else judged


def _evidence(results: Sequence[Result], suite: Suite, asked: Examples, judged: Judged | None) -> Evidence:
    main = main_of(results, suite)
    tested = {
        each.name: Tested(each.name, each.measure, each.difference)
        for each in results
        if each.measure.better != "neither"
    }
    names = [name for name in dict.fromkeys((MATCH, main)) if name in tested and name != LOSS]
    stars = [Tested("judge", STARS, judged.criteria[0].difference)] if judged and judged.counts else []
    return Evidence(
        deciding=(*(tested[name] for name in names), *stars),
        others=tuple(each for name, each in tested.items() if name not in (*names, LOSS)),
        loss=tested.get(LOSS),
        main=tested.get(main),
        examples=asked.count,
        rows=asked.words,
        trained=asked.trained,
    )


def _values(results: Sequence[Result], side: Callable[[Result], Mean]) -> dict[str, float]:
    return {result.name: side(result).value for result in results}


def _scored(suite: Suite, values: dict[str, float], stars: float | None, judged: str, few: str) -> Score:
    """The score of one side; without stars the judge's part is not measured."""
    main = suite.main if suite.main in values else MATCH
    judge = None if stars is None else share_of(stars)
    source = TABLE[main].title
    fit = values.get("length_fit")
    return score_of(values.get(main), judge, fit, accuracy_from=source, judged=judged, too_few=few)
