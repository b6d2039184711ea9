"""From measures to what may be said of them: one correction for all that was tested together, the verdict, the scores.

Pure, and quick: what was measured comes in, and can be decided anew whenever more is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from engine.results.measured import Mean, Result
from engine.results.metrics.measures import TABLE
from engine.results.score import Score, score_of
from engine.results.statistics import with_holm
from engine.results.verdict import Evidence, Outcome, Tested, outcome_of, verdict_of
from engine.spec.suite import Metric, Suite

MATCH: Metric = "exact_match"
LOSS: Metric = "loss"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The measures with corrected p-values, and what rests on them. `p_value` is the smallest of what decides."""

    results: tuple[Result, ...]
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


def decided(results: Sequence[Result], suite: Suite, asked: Examples) -> Decision:
    """What these measures of base and tuned allow to say."""
    results = _corrected(results)
    found = _evidence(results, suite, asked)
    return Decision(
        results=results,
        p_value=min((each.paired.corrected for each in found.deciding), default=1.0),
        outcome=outcome_of(found),
        verdict=verdict_of(found),
        score=scored(suite, results, lambda result: result.tuned),
        base_score=scored(suite, results, lambda result: result.base),
    )


def main_of(results: Sequence[Result], suite: Suite) -> Metric:
    """The measure that stands for accuracy; exact match where the suite's own could not be measured."""
    return suite.main if any(each.name == suite.main for each in results) else MATCH


def _corrected(results: Sequence[Result]) -> tuple[Result, ...]:
    """Measures that only describe are left out of the correction."""
    tested = [each for each in results if each.measure.better != "neither"]
    family = dict(zip([each.name for each in tested], with_holm([each.difference for each in tested]), strict=True))
    return tuple(msgspec.structs.replace(each, difference=family.get(each.name, each.difference)) for each in results)


def _evidence(results: Sequence[Result], suite: Suite, asked: Examples) -> Evidence:
    main = main_of(results, suite)
    tested = {
        each.name: Tested(each.name, each.measure, each.difference)
        for each in results
        if each.measure.better != "neither"
    }
    names = [name for name in dict.fromkeys((MATCH, main)) if name in tested and name != LOSS]
    return Evidence(
        deciding=tuple(tested[name] for name in names),
        others=tuple(each for name, each in tested.items() if name not in (*names, LOSS)),
        loss=tested.get(LOSS),
        main=tested.get(main),
        examples=asked.count,
        rows=asked.words,
        trained=asked.trained,
    )


def scored(
    suite: Suite, results: Sequence[Result], side: Callable[[Result], Mean], judge: float | None = None
) -> Score:
    """The score of one side; `judge` is its share of a judge's stars."""
    values, main = {result.name: side(result).value for result in results}, main_of(results, suite)
    return score_of(values.get(main), judge, values.get("length_fit"), accuracy_from=TABLE[main].title)
