"""Public benchmarks read: base beside tuned in each task, with evidence where the harness tells single examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.results.statistics import Paired, paired_means, with_holm
from engine.spec.answers import BASE
from engine.spec.benchmarks import TaskScore
from engine.spec.files import LineReader

VERDICTS = {1: "better", -1: "worse", 0: "no difference shown"}
NOT_PAIRED = "not paired"
RESTS_ON = (
    "After ± the standard error. Intervals and p-values are of the paired difference, example by example, and p is "
    "corrected for all that was tested together; where single examples are not told, nothing is tested."
)
"""What the figures rest on, in words."""


class Benchmarked(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one task: values of base and tuned, and their pairing, None where examples are not told singly.

    `better`: 1 for a tuned model that did better, -1 for worse, 0 where no difference was shown.
    """

    task: str
    metric: str
    base: float
    tuned: float
    base_error: float | None
    tuned_error: float | None
    higher_is_better: bool
    examples: int
    paired: Paired | None
    better: int

    @property
    def base_words(self) -> str:
        """The base's value with its standard error."""
        return _value(self.base, self.base_error)

    @property
    def tuned_words(self) -> str:
        """The version's value with its standard error."""
        return _value(self.tuned, self.tuned_error)

    @property
    def metric_words(self) -> str:
        """The metric, and which way is better where that is not up."""
        return f"{self.metric}{'' if self.higher_is_better else ' (lower is better)'}"

    @property
    def interval_words(self) -> str:
        """The 95 % interval of the paired difference; empty where there is none."""
        return f"{self.paired.low:+.3f} to {self.paired.high:+.3f}" if self.paired else ""

    @property
    def verdict(self) -> str:
        """What is shown, in a word or two."""
        return VERDICTS[self.better] if self.paired else NOT_PAIRED


async def read_benchmarks(results: Path, tuned: str) -> tuple[Benchmarked, ...]:
    """`benchmarked` in a spawned process."""
    from anyio import to_process

    return await to_process.run_sync(benchmarked, results, tuned, cancellable=True)


def benchmarked(results: Path, tuned: str) -> tuple[Benchmarked, ...]:
    """Each metric that both models have, in the tasks' order. Heavy (numpy): call it in a spawned process."""
    scores = LineReader(results, TaskScore).read()
    after = {(score.task, score.metric): score for score in scores if score.model == tuned}
    pairs = [
        (before, after[before.task, before.metric])
        for before in scores
        if before.model == BASE and (before.task, before.metric) in after
    ]
    proofs = _proofs(pairs)
    return tuple(_entry(before, later, proof) for (before, later), proof in zip(pairs, proofs, strict=True))


def _proofs(pairs: Sequence[tuple[TaskScore, TaskScore]]) -> list[Paired | None]:
    """What the examples show, corrected for all that is compared at once."""
    found: list[Paired | None] = [
        paired_means(
            [[b - a for a, b in zip(before.rows, later.rows, strict=True)]],
            yes_no=[0] if {*before.rows, *later.rows} <= {0, 1} else [],
        )[0]
        if before.rows and len(before.rows) == len(later.rows)
        else None
        for before, later in pairs
    ]
    corrected = iter(with_holm([each for each in found if each is not None]))
    return [None if each is None else next(corrected) for each in found]


def _entry(before: TaskScore, after: TaskScore, paired: Paired | None) -> Benchmarked:
    sign = 0
    if paired is not None and paired.shown:
        sign = 1 if (paired.difference > 0) == before.higher_is_better else -1
    return Benchmarked(
        task=before.task,
        metric=before.metric,
        base=before.value,
        tuned=after.value,
        base_error=before.error,
        tuned_error=after.error,
        higher_is_better=before.higher_is_better,
        examples=len(before.rows),
        paired=paired,
        better=sign,
    )


def _value(value: float, error: float | None) -> str:
    return f"{value:.3f} ± {error:.3f}" if error is not None else f"{value:.3f}"
