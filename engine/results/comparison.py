"""Two to five versions or runs side by side: every measure with its interval, what is shown between each two, what they
took, how their recipes differ, and the examples on which they part.

Heavy (numpy): call `compare` in a spawned process.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import msgspec

from engine.core.errors import DataError
from engine.results.clusters import clusters
from engine.results.deciding import LOSS, MATCH
from engine.results.evaluation import Evaluation, Example
from engine.results.measured import yes_or_no
from engine.results.metrics.measures import TABLE, Measure
from engine.results.shared_rows import MeasureRow, main_by, measures, shared
from engine.results.statistics import Paired, paired_means, with_holm
from engine.results.subjects import Subject, both
from engine.results.verdict import Tested, difference, examples_words
from engine.spec.records import Fact
from engine.spec.suite import Metric, Side

LEAST, MOST = 2, 5
SHOWN_EXAMPLES = 200
WRONG = 0.5
"""An example with less than half of what its main measure could give counts as an error."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One of those compared, and the evaluation that it is compared by (None: never evaluated on the same rows)."""

    subject: Subject
    evaluation: Evaluation | None


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """Two of them by one measure: the difference is second - first; `winner` is the better one where that is shown."""

    first: int
    second: int
    name: str
    measure: Measure
    paired: Paired
    winner: int | None


class SettingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A setting in which they differ; None where one has no such setting."""

    name: str
    values: tuple[Fact | None, ...]


class ExampleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row with every answer and its mark by the main measure; `winners` are those with the best mark.

    `apart` is the distance between the best mark and the worst.
    """

    row: int
    prompt: str
    reference: str
    answers: tuple[str, ...]
    marks: tuple[float, ...]
    apart: float
    winners: tuple[int, ...]


class ErrorCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Examples about the same: the words that name them, how many, and each one's mean mark and errors among them."""

    words: tuple[str, ...]
    examples: int
    means: tuple[float, ...]
    errors: tuple[int, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a screen shows of a comparison. `pairings` are the main measure's, then
    exact match's, then the loss's; `wins` counts examples that one alone answers best, `losses` those it
    alone answers worst, `ties` those all answer alike. Every figure is of the `rows` that all were asked, on this
    side of the dataset. `note` says what the comparison cannot say."""

    subjects: tuple[Subject, ...]
    main: str
    rows: int
    dataset: str = ""
    side: Side = "held-out"
    measures: tuple[MeasureRow, ...]
    pairings: tuple[Pairing, ...]
    settings: tuple[SettingRow, ...]
    examples: tuple[ExampleRow, ...]
    wins: tuple[int, ...]
    losses: tuple[int, ...]
    ties: int
    clusters: tuple[ErrorCluster, ...]
    verdict: str
    note: str = ""


def check_number(count: int) -> None:
    """Raises DataError unless two to five are compared."""
    if not LEAST <= count <= MOST:
        raise DataError(
            "Two to five can be compared at once.",
            f"{count} {'was' if count == 1 else 'were'} named.",
            "Name two to five versions or runs.",
        )


def compare(compared: Sequence[Compared]) -> Comparison:
    """Put them side by side. Raises DataError unless there are two to five."""
    check_number(len(compared))
    subjects = tuple(each.subject for each in compared)
    found = [each.evaluation for each in compared]
    settings = _settings(subjects)
    evaluations = [each for each in found if each is not None]
    rows = shared(evaluations) if len(evaluations) == len(found) else []
    main = main_by(evaluations, rows)
    if main is None:
        return Comparison(
            subjects=subjects,
            main="",
            rows=0,
            measures=(),
            pairings=(),
            settings=settings,
            examples=(),
            wins=(),
            losses=(),
            ties=0,
            clusters=(),
            verdict="Which is better cannot be said: they were not evaluated on the same rows.",
            note="Evaluate all of them on one dataset to see what is shown.",
        )
    pairings = _pairings(evaluations, rows, main)
    table, examples = measures(evaluations, rows, main), _examples(rows, main)
    order = sorted(examples, key=lambda each: (-each.apart, each.row))
    return Comparison(
        subjects=subjects,
        main=main,
        rows=len(rows),
        dataset=evaluations[0].dataset,
        side=evaluations[0].side,
        measures=table,
        pairings=pairings,
        settings=settings,
        examples=tuple(order[:SHOWN_EXAMPLES]),
        wins=tuple(sum(each.winners == (i,) for each in examples) for i in range(len(subjects))),
        losses=tuple(sum(_alone_worst(each, i) for each in examples) for i in range(len(subjects))),
        ties=sum(each.apart == 0 for each in examples),
        clusters=_clustered([each.prompt for each in examples], [each.marks for each in examples]),
        verdict=_verdict(subjects, _row(table, main), pairings, _words(evaluations[0], len(rows))),
        note=_note(evaluations, rows),
    )


def _note(evaluations: Sequence[Evaluation], rows: Sequence[object]) -> str:
    """What limits the comparison: rows that not all were asked, and rows that were trained on."""
    most = max(len(each.examples) for each in evaluations)
    part = f"Only the {len(rows)} rows that all were asked are compared, of {most}; every figure here is of these."
    seen = "Some of these rows were trained on, which makes a version look better than it is."
    said = (part if len(rows) < most else "", seen if any(each.trained for each in evaluations) else "")
    return " ".join(each for each in said if each)


def _pairings(
    evaluations: Sequence[Evaluation], rows: Sequence[Sequence[Example]], main: Metric
) -> tuple[Pairing, ...]:
    """Each two by the main measure, exact match and loss; p-values corrected over all of them together."""
    known = {each.name: each.measure for each in evaluations[0].results} | {main: TABLE[main]}
    names: list[Metric] = [name for name in dict.fromkeys((main, MATCH, LOSS)) if name in rows[0][0].marks]
    names = [name for name in names if name in known and known[name].better != "neither"]
    keys = [(a, b, name) for name in names for a, b in combinations(range(len(evaluations)), 2)]
    columns = [[row[b].marks[name][1] - row[a].marks[name][1] for row in rows] for a, b, name in keys]
    whole = {name for name in names if yes_or_no(known[name], [one.marks[name][1] for row in rows for one in row])}
    shares = [place for place, (_, _, name) in enumerate(keys) if name in whole]
    found = []
    for (a, b, name), paired in zip(keys, with_holm(paired_means(columns, yes_no=shares)), strict=True):
        winner = {1: b, -1: a, 0: None}[Tested(name, known[name], paired).direction]
        found.append(Pairing(first=a, second=b, name=name, measure=known[name], paired=paired, winner=winner))
    return tuple(found)


def _settings(subjects: Sequence[Subject]) -> tuple[SettingRow, ...]:
    names = dict.fromkeys(name for each in subjects for name in each.settings)
    rows = [SettingRow(name=name, values=tuple(each.settings.get(name) for each in subjects)) for name in names]
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _examples(rows: Sequence[Sequence[Example]], main: Metric) -> list[ExampleRow]:
    sign = -1.0 if TABLE[main].better == "less" else 1.0
    found = []
    for row in rows:
        marks = tuple(example.marks[main][1] for example in row)
        top = max(sign * mark for mark in marks)
        found.append(
            ExampleRow(
                row=row[0].row,
                prompt=row[0].prompt,
                reference=row[0].reference,
                answers=tuple(example.tuned for example in row),
                marks=marks,
                apart=max(marks) - min(marks),
                winners=tuple(i for i, mark in enumerate(marks) if sign * mark == top),
            )
        )
    return found


def _alone_worst(example: ExampleRow, place: int) -> bool:
    """All others are among the winners, or better than this one."""
    others = [mark for i, mark in enumerate(example.marks) if i != place]
    return (
        example.apart > 0
        and place not in example.winners
        and all(
            abs(mark - example.marks[example.winners[0]])
            < abs(example.marks[place] - example.marks[example.winners[0]])
            for mark in others
        )
    )


def errors_by_topic(evaluation: Evaluation) -> tuple[ErrorCluster, ...]:
    """One evaluation's questions in groups: the base's errors beside the tuned model's. Heavy (numpy)."""
    main = evaluation.main
    rows = [(each.prompt, each.marks[main]) for each in evaluation.examples if main in each.marks]
    return _clustered([prompt for prompt, _ in rows], [marks for _, marks in rows])


def _clustered(prompts: Sequence[str], marks: Sequence[tuple[float, ...]]) -> tuple[ErrorCluster, ...]:
    """Groups of questions, those with the most errors for their size first."""
    found = []
    for cluster in clusters(prompts):
        sides = list(zip(*(marks[i] for i in cluster.examples), strict=True))
        found.append(
            ErrorCluster(
                words=cluster.words,
                examples=len(cluster.examples),
                means=tuple(sum(side) / len(side) for side in sides),
                errors=tuple(sum(mark < WRONG for mark in side) for side in sides),
            )
        )
    return tuple(sorted(found, key=lambda each: -sum(each.errors) / each.examples))


def _row(table: Sequence[MeasureRow], name: str) -> MeasureRow:
    return next(row for row in table if row.name == name)


def _words(evaluation: Evaluation, rows: int) -> str:
    return examples_words(rows, evaluation.side, evaluation.dataset)


def _verdict(subjects: Sequence[Subject], row: MeasureRow, pairings: Sequence[Pairing], rows: str) -> str:
    """Who leads by the main measure, and against whom that is more than chance; `rows` are the examples in words."""
    main, leader = row.name, row.best[0]
    beaten, open_ = [], []
    for pairing in pairings:
        if pairing.name == main and leader in (pairing.first, pairing.second):
            other = pairing.first if pairing.second == leader else pairing.second
            (beaten if pairing.winner == leader else open_).append(other)
    title = subjects[leader].title
    if not beaten:
        return f"No difference in {row.measure.title} is shown between them, on {rows}."
    words = f"{title} is better in {row.measure.title} than {both([subjects[i].title for i in beaten])}"
    if len(subjects) == LEAST:
        (only,) = (each for each in pairings if each.name == main)
        words += f": {difference(row.measure, _towards(only, leader))}"
    rest = f" No difference is shown against {both([subjects[i].title for i in open_])}." if open_ else ""
    return f"{words}, on {rows}.{rest}"


def _towards(pairing: Pairing, leader: int) -> Paired:
    """The difference as the leader's advantage."""
    paired = pairing.paired
    if pairing.second == leader:
        return paired
    return msgspec.structs.replace(paired, difference=-paired.difference, low=-paired.high, high=-paired.low)
