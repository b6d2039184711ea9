"""From answers to a verdict: every measure of base and tuned on the same rows, with the evidence for a difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.core.errors import DataError, StudioError
from engine.data.library import rows_in
from engine.results.deciding import Examples, decided, main_of
from engine.results.measured import Judged, Mean, Result, means_of, yes_or_no
from engine.results.metrics.labels import Confusion, confusion, labels_of, repeated
from engine.results.metrics.measures import Answered, Marks, marked
from engine.results.metrics.overlap import corpus_bleu, corpus_chrf
from engine.results.score import Score
from engine.results.statistics import Paired, paired_means
from engine.results.verdict import Outcome, examples_words
from engine.spec.answers import BASE, Answer
from engine.spec.files import LineReader
from engine.spec.records import Card
from engine.spec.suite import Side, Suite

WORDED = ("exact_match", "token_f1", "bleu", "chrf", "rouge_l")
"""Measures of an answer's words."""


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """One model's means over the examples. Match and F1 are 0 to 1; perplexity is over response tokens only."""

    exact_match: float
    token_f1: float
    perplexity: float
    examples: int


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One held-out row with both answers and their scores; `marks` has every measure's (base, tuned)."""

    row: int
    prompt: str
    reference: str
    base: str
    tuned: str
    base_match: bool
    tuned_match: bool
    base_f1: float
    tuned_f1: float
    marks: dict[str, tuple[float, float]] = {}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which answers are scored, and how: one evaluation run, one version of it, the rows and what to measure.

    `results` is the run's file of answers, `dataset` the folder whose rows were asked, called `dataset_name`.
    `trained_on` are the hashes of what the version was trained on.
    """

    results: Path
    run: str
    version: str
    dataset: Path
    dataset_hash: str = ""
    dataset_name: str = ""
    trained_on: tuple[str, ...] = ()
    side: Side = "held-out"
    suite: Suite = Suite()


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Base and tuned on the same rows.

    `results` has every measure; `exact_match`, `token_f1` and `loss` (nats per response token) are always there. The
    p-values in `results` are corrected for being several (Holm), and `p_value` is the smallest of those that decide the
    outcome. `score` and `base_score` are 0 to 100; `trained` is how many of the examples the version was trained on;
    `problems` are the cards of what could not be measured.
    """

    run: str
    version: str
    base: Scores
    tuned: Scores
    exact_match: Paired
    token_f1: Paired
    loss: Paired
    p_value: float
    outcome: Outcome
    verdict: str
    examples: tuple[Example, ...]
    dataset_hash: str = ""
    dataset: str = ""
    side: Side = "held-out"
    trained: int = 0
    suite: Suite = Suite()
    results: tuple[Result, ...] = ()
    score: Score | None = None
    base_score: Score | None = None
    confusion: tuple[Confusion, Confusion] | None = None
    problems: tuple[Card, ...] = ()
    judged: Judged | None = None

    @property
    def main(self) -> str:
        """The measure that stands for accuracy: the suite's own, or exact match where that could not be measured."""
        return main_of(self.results, self.suite)

    def result(self, name: str) -> Result | None:
        """One measure by its name; None when it was not measured."""
        return next((each for each in self.results if each.name == name), None)


def evaluate(asked: Asked) -> Evaluation:
    """Score the answers of one version beside the base's. Heavy (numpy): call it in a spawned process.

    Raises DataError when there is nothing to compare.
    """
    pairs = _pairs(LineReader(asked.results, Answer).read(), asked.version)
    if not pairs:
        raise DataError(
            "There is nothing to compare yet.",
            "The evaluation has no row that both models answered.",
            "Let the evaluation run to its end, or start it again.",
        )
    suite = _with_basics(asked.suite)
    rows = _rows(asked.dataset)
    answered = _answered(pairs, rows)
    marks, problems = marked(suite, answered)
    marks = [_deciding(suite, each) for each in marks]
    results = _results(marks, answered)
    made = _Made(suite, pairs, answered, marks, results, _seen(asked, pairs, rows))
    return _decided(asked, made, tuple(problems))


def _deciding(suite: Suite, marks: Marks) -> Marks:
    """Where labels or fields are wanted, the words around them describe, and do not decide."""
    if suite.main in WORDED or marks.name not in WORDED:
        return marks
    return msgspec.structs.replace(marks, measure=msgspec.structs.replace(marks.measure, better="neither"))


def _with_basics(suite: Suite) -> Suite:
    """What every evaluation says, whatever else is asked for."""
    basics = ("exact_match", "token_f1", "length_fit", "loss", suite.main)
    return msgspec.structs.replace(suite, metrics=tuple(dict.fromkeys((*suite.metrics, *basics))))


def _pairs(answers: Sequence[Answer], tuned: str) -> list[tuple[Answer, Answer]]:
    """Both answers to each row that has both and has something to score, in row order."""
    said: dict[str, dict[int, Answer]] = {BASE: {}, tuned: {}}
    for answer in answers:
        if answer.model in said and answer.trained_tokens:
            said[answer.model][answer.row] = answer
    return [(said[BASE][row], said[tuned][row]) for row in sorted(said[BASE].keys() & said[tuned].keys())]


class _Row(NamedTuple):
    """The last thing the user said in a row of a dataset, and whether the row is for training."""

    question: str | None
    trained: bool


def _rows(dataset: Path) -> dict[int, _Row]:
    """The rows by their numbers; empty when the dataset is gone."""
    found = {}
    try:
        for number, row in enumerate(rows_in(dataset)):
            said = [each.content for each in row.messages if each.role == "user"]
            found[number] = _Row(said[-1] if said else None, row.split == "train")
    except StudioError:
        return {}
    return found


def _seen(asked: Asked, pairs: Sequence[tuple[Answer, Answer]], rows: Mapping[int, _Row]) -> int:
    """How many of the rows that were asked the version was trained on."""
    if asked.side != "all" or asked.dataset_hash not in asked.trained_on:
        return 0
    return sum(base.row in rows and rows[base.row].trained for base, _ in pairs)


def _answered(pairs: Sequence[tuple[Answer, Answer]], rows: Mapping[int, _Row]) -> list[Answered]:
    return [
        Answered(
            (rows[base.row].question if base.row in rows else None) or base.prompt,
            base.reference,
            base.text,
            after.text,
            base.nll / base.trained_tokens,
            after.nll / after.trained_tokens,
        )
        for base, after in pairs
    ]


def _results(marks: Sequence[Marks], answered: Sequence[Answered]) -> list[Result]:
    """Every measure with intervals and tests, not corrected yet for being several."""
    shares = [i for i, each in enumerate(marks) if yes_or_no(each.measure, each.base, each.tuned)]
    paired = paired_means([each.differences for each in marks], yes_no=shares)
    columns = [column for each in marks for column in (each.base, each.tuned)]
    sides = means_of(columns, yes_no=[2 * i + side for i in shares for side in (0, 1)])
    return [
        Result(
            name=each.name,
            measure=each.measure,
            base=sides[2 * i],
            tuned=sides[2 * i + 1],
            difference=paired[i],
            corpus=_corpus(each.name, answered),
        )
        for i, each in enumerate(marks)
    ]


def _corpus(name: str, answered: Sequence[Answered]) -> tuple[float, float] | None:
    score = {"bleu": corpus_bleu, "chrf": corpus_chrf}.get(name)
    if score is None:
        return None
    references = [each.reference for each in answered]
    return score([each.base for each in answered], references), score([each.tuned for each in answered], references)


class _Made(NamedTuple):
    """What an evaluation is put together from."""

    suite: Suite
    pairs: Sequence[tuple[Answer, Answer]]
    answered: Sequence[Answered]
    marks: Sequence[Marks]
    results: Sequence[Result]
    trained: int


def _decided(asked: Asked, made: _Made, problems: tuple[Card, ...]) -> Evaluation:
    pairs, answered = made.pairs, made.answered
    words = examples_words(len(answered), asked.side, asked.dataset_name)
    found = decided(made.results, made.suite, Examples(count=len(answered), words=words, trained=made.trained))
    by_name = {each.name: each for each in found.results}
    return Evaluation(
        run=asked.run,
        version=asked.version,
        base=_scores([base for base, _ in pairs], by_name["exact_match"].base, by_name["token_f1"].base),
        tuned=_scores([after for _, after in pairs], by_name["exact_match"].tuned, by_name["token_f1"].tuned),
        exact_match=by_name["exact_match"].difference,
        token_f1=by_name["token_f1"].difference,
        loss=by_name["loss"].difference,
        p_value=found.p_value,
        outcome=found.outcome,
        verdict=found.verdict,
        examples=_examples(pairs, answered, made.marks),
        dataset_hash=asked.dataset_hash,
        dataset=asked.dataset_name,
        side=asked.side,
        trained=made.trained,
        suite=made.suite,
        results=found.results,
        score=found.score,
        base_score=found.base_score,
        confusion=confusions(made.suite, answered),
        problems=problems,
    )


def _scores(answers: Sequence[Answer], match: Mean, f1: Mean) -> Scores:
    mean_loss = sum(answer.nll for answer in answers) / sum(answer.trained_tokens for answer in answers)
    return Scores(
        exact_match=match.value,
        token_f1=f1.value,
        perplexity=math.exp(min(mean_loss, 700.0)),
        examples=len(answers),
    )


def decided_anew(evaluation: Evaluation, judged: Judged | None) -> Evaluation:
    """The evaluation with this judge's part and no other: correction, verdict and scores are made again."""
    if not evaluation.results:  # kept before there was more than a handful of figures
        return msgspec.structs.replace(evaluation, judged=judged)
    count = len(evaluation.examples)
    words = examples_words(count, evaluation.side, evaluation.dataset)
    asked = Examples(count=count, words=words, trained=evaluation.trained)
    found = decided(evaluation.results, evaluation.suite, asked, judged)
    by_name = {each.name: each.difference for each in found.results}
    return msgspec.structs.replace(
        evaluation,
        judged=found.judged,
        results=found.results,
        exact_match=by_name["exact_match"],
        token_f1=by_name["token_f1"],
        loss=by_name["loss"],
        p_value=found.p_value,
        outcome=found.outcome,
        verdict=found.verdict,
        score=found.score,
        base_score=found.base_score,
    )


def confusions(suite: Suite, answered: Sequence[Answered | Example]) -> tuple[Confusion, Confusion] | None:
    """What base and tuned answered for each label; None where the answers are not labels that come again."""
    references = [each.reference for each in answered]
    labels = labels_of(references) if "label" in suite.metrics else ()
    if not repeated(labels, references):
        return None
    base = confusion([each.base for each in answered], references, labels)
    return base, confusion([each.tuned for each in answered], references, labels)


def _examples(
    pairs: Sequence[tuple[Answer, Answer]], answered: Sequence[Answered], marks: Sequence[Marks]
) -> tuple[Example, ...]:
    found = []
    for number, ((base, _), each) in enumerate(zip(pairs, answered, strict=True)):
        own = {every.name: (every.base[number], every.tuned[number]) for every in marks}
        found.append(
            Example(
                row=base.row,
                prompt=each.prompt,
                reference=each.reference,
                base=each.base,
                tuned=each.tuned,
                base_match=bool(own["exact_match"][0]),
                tuned_match=bool(own["exact_match"][1]),
                base_f1=own["token_f1"][0],
                tuned_f1=own["token_f1"][1],
                marks=own,
            )
        )
    return tuple(found)
