"""What several evaluations have in common: those that can be compared, their rows, and every measure on these.

Heavy where not all rows are shared (numpy): call it in a spawned process.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.results.deciding import MATCH
from engine.results.evaluation import Evaluation, Example, confusions
from engine.results.measured import Mean, means_of, yes_or_no
from engine.results.metrics.measures import TABLE, Measure
from engine.spec.suite import Metric, Side

PREFERRED: dict[Side, int] = {"held-out": 2, "test": 1, "all": 0}
"""Rows that nobody was trained on say more than all rows of a dataset."""
MACRO_F1 = Measure(
    title="macro F1", what="The mean of the labels' F1: rare labels count as much as frequent ones. It has no interval."
)


class MeasureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of all: a mean for each in their order, the base beside them, and who is best (equals all)."""

    name: str
    measure: Measure
    means: tuple[Mean | None, ...]
    base: Mean | None
    best: tuple[int, ...]


def common(evaluations: Sequence[Sequence[Evaluation]]) -> list[Evaluation | None]:
    """Of each the evaluation to compare it by, held-out rows and then most rows in common first; None where there is
    none. Evaluations come newest first, and among equals the newest counts."""
    keys = dict.fromkeys(key_of(each) for each in evaluations[0]) if evaluations else {}
    choices = [found for key in keys if (found := _largest(evaluations, key))]
    if not choices:
        return [None] * len(evaluations)
    return [*max(choices, key=lambda found: (PREFERRED[found[0].side], len(shared(found))))]


def key_of(evaluation: Evaluation) -> tuple[str, str, str]:
    """What must be the same for two evaluations to be compared."""
    return evaluation.dataset_hash, evaluation.side, evaluation.suite.main


def _largest(evaluations: Sequence[Sequence[Evaluation]], key: tuple[str, str, str]) -> list[Evaluation]:
    """Of each its evaluation with most rows by this key; empty where one has none."""
    of_each = [[each for each in own if key_of(each) == key] for own in evaluations]
    return [max(own, key=lambda each: len(each.examples)) for own in of_each] if all(of_each) else []


def shared(evaluations: Sequence[Evaluation]) -> list[list[Example]]:
    """For each row that all were asked, everyone's example; empty where they cannot be compared."""
    if len({key_of(each) for each in evaluations}) != 1:
        return []
    by_row = [{example.row: example for example in each.examples} for each in evaluations]
    rows = set(by_row[0]).intersection(*by_row[1:])
    return [[own[row] for own in by_row] for row in sorted(rows)]


def main_by(evaluations: Sequence[Evaluation], rows: Sequence[Sequence[Example]]) -> Metric | None:
    """The measure to compare by: the suite's own, exact match where one lacks that; None where nothing can be."""
    wanted = dict.fromkeys((evaluations[0].suite.main, MATCH)) if rows else ()
    marks = [example.marks for row in rows for example in row]
    return next((name for name in wanted if all(name in each for each in marks)), None)


def measures(
    evaluations: Sequence[Evaluation], rows: Sequence[Sequence[Example]], main: Metric
) -> tuple[MeasureRow, ...]:
    """Every measure of all of them on the rows they share; the `main` one decides, whatever else it did."""
    known = {result.name: result.measure for each in reversed(evaluations) for result in each.results}
    known[main] = TABLE[main]
    names = dict.fromkeys(result.name for each in evaluations for result in each.results)
    sides = [_sides(each, [row[place] for row in rows]) for place, each in enumerate(evaluations)]
    found = [_measure(name, known[name], [side.get(name) for side in sides]) for name in names]
    labels = [_macro_f1(each, [row[place] for row in rows]) for place, each in enumerate(evaluations)]
    return (*found, *([_measure("macro_f1", MACRO_F1, labels)] if any(labels) else []))


def _macro_f1(evaluation: Evaluation, examples: Sequence[Example]) -> tuple[Mean, Mean] | None:
    """Macro F1 of base and tuned: as it was found where these are all of its examples, else on these alone."""
    whole = len(examples) == len(evaluation.examples)
    found = evaluation.confusion if whole else confusions(evaluation.suite, examples)
    if found is None:
        return None
    base, tuned = (Mean(value=each.macro_f1, low=each.macro_f1, high=each.macro_f1) for each in found)
    return base, tuned


def _measure(name: str, measure: Measure, sides: Sequence[tuple[Mean, Mean] | None]) -> MeasureRow:
    means = tuple(side[1] if side else None for side in sides)
    values = [mean.value for mean in means if mean is not None]
    top = {"more": max(values), "less": min(values), "neither": None}[measure.better] if values else None
    return MeasureRow(
        name=name,
        measure=measure,
        means=means,
        base=next((side[0] for side in sides if side), None),
        best=tuple(i for i, mean in enumerate(means) if mean is not None and mean.value == top),
    )


def _sides(evaluation: Evaluation, examples: Sequence[Example]) -> dict[str, tuple[Mean, Mean]]:
    """Base and tuned by each measure: as they were found where these are all of its examples, else on these alone."""
    if len(examples) == len(evaluation.examples):
        return {each.name: (each.base, each.tuned) for each in evaluation.results}
    names = [each.name for each in evaluation.results if all(each.name in one.marks for one in examples)]
    columns = [[one.marks[name][side] for one in examples] for name in names for side in (0, 1)]
    known = {each.name: each.measure for each in evaluation.results}
    shares = [i for i, column in enumerate(columns) if yes_or_no(known[names[i // 2]], column)]
    means = means_of(columns, yes_no=shares)
    return {name: (means[2 * i], means[2 * i + 1]) for i, name in enumerate(names)}
