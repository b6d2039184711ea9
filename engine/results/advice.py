"""What to do next about a version: findings in its data, its training and its answers, each with a change that can be
applied at once. Pure: what was found comes in, advice goes out, the most telling first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from engine.data.nouns import Dataset, Finding
from engine.monitor.reading import Reading
from engine.results.comparison import ErrorCluster
from engine.results.evaluation import Evaluation
from engine.results.verdict import FEW, MATTERS
from engine.spec.methods import LowRank
from engine.spec.records import Fact
from engine.spec.runspec import TrainJob

About = Literal["answers", "training", "data"]
Do = Literal["train", "repair", "add rows", "hold out", "larger model", "export"]
"""What applying it means: a new run with `edits`, a repair of the dataset, or the screen where it is done."""
SHORT, LONG = 0.7, 1.4
INVALID = 0.1
TELLING = 5
MOST = 6
MOST_RANK = 256


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Something noticed, why it matters, and what to do. `edits` are settings of a draft by name, for `train`;
    `repair` is what `data fix` calls the remedy, for `repair`."""

    about: About
    what: str
    why: str
    words: str
    do: Do
    edits: dict[str, Fact] = {}
    repair: str = ""


def advise(
    job: TrainJob,
    evaluation: Evaluation | None,
    reading: Reading | None,
    dataset: Dataset | None,
    clusters: Sequence[ErrorCluster] = (),
) -> tuple[Advice, ...]:
    """At most six, those about the answers first; two that change the same setting are one."""
    found = [
        *(_of_answers(job, evaluation, reading, clusters) if evaluation else ()),
        *(_of_training(reading) if reading else ()),
        *(_of_data(dataset) if dataset else ()),
    ]
    chosen: dict[tuple[str, ...], Advice] = {}
    for each in found:
        chosen.setdefault((each.do, *sorted(each.edits), each.repair or each.what * (not each.edits)), each)
    return tuple(chosen.values())[:MOST]


def _of_answers(
    job: TrainJob, found: Evaluation, reading: Reading | None, clusters: Sequence[ErrorCluster]
) -> list[Advice]:
    asked = [
        _worse(job, found),
        _few(found),
        _invalid(job, found),
        _length(job, found),
        _unlearned(job, found, reading),
        _one_topic(clusters),
        _ready(found),
    ]
    return [each for each in asked if each is not None]


def _worse(job: TrainJob, found: Evaluation) -> Advice | None:
    if found.outcome not in ("worse", "mixed"):
        return None
    rate = job.training.learning_rate / 2
    return Advice(
        about="answers",
        what="Training made some answers worse.",
        why="Steps that are too large make a model forget what it could do.",
        words=f"Train again with half the learning rate, {rate:.2g}.",
        do="train",
        edits={"learning_rate": rate},
    )


def _few(found: Evaluation) -> Advice | None:
    if found.outcome != "too few examples":
        return None
    return Advice(
        about="answers",
        what=f"{found.base.examples} {'example is' if found.base.examples == 1 else 'examples are'} too few to tell.",
        why=f"With fewer than {FEW}, or with answers as different as these, chance could have made the difference.",
        words="Import more rows, or hold a larger share of them back, and evaluate again.",
        do="hold out",
    )


def _longer(job: TrainJob, what: str, why: str) -> Advice:
    """Half as long again, for what the model has not seen often enough."""
    epochs = job.training.epochs + max(1, job.training.epochs // 2)
    return Advice(
        about="answers",
        what=what,
        why=why,
        words=f"Train for {epochs} epochs instead of {job.training.epochs}.",
        do="train",
        edits={"epochs": epochs},
    )


def _invalid(job: TrainJob, found: Evaluation) -> Advice | None:
    valid = found.result("json_valid")
    if valid is None or valid.tuned.value > 1 - INVALID:
        return None
    return _longer(
        job,
        f"{100 * (1 - valid.tuned.value):.0f} % of the answers are no valid JSON.",
        "The form of an answer is learned first; where it is not yet, the model has seen too little.",
    )


def _length(job: TrainJob, found: Evaluation) -> Advice | None:
    ratio = found.result("length_ratio")
    if ratio is None or SHORT <= ratio.tuned.value <= LONG:
        return None
    if ratio.tuned.value > LONG:
        what = f"Answers are {ratio.tuned.value:.1f} times as long as they should be."
        return _longer(job, what, "The model has not learned where an answer ends.")
    length = job.training.max_length * 2
    return Advice(
        about="answers",
        what=f"Answers are only {ratio.tuned.value:.1f} times as long as they should be.",
        why="Long examples may have been cut at the context length, and their ends never learned.",
        words=f"Train with a context length of {length:,} tokens.",
        do="train",
        edits={"max_length": length},
    )


def _unlearned(job: TrainJob, found: Evaluation, reading: Reading | None) -> Advice | None:
    """No gain in what counts, or one that is not enough: more steps where they would teach more, else more room."""
    what = _lacking(found)
    if what is None:
        return None
    if reading is not None and reading.unfinished:
        return _longer(job, what, "The loss was still falling when training ended: there was more to learn.")
    if isinstance(job.method, LowRank) and job.method.rank * 2 <= MOST_RANK:
        rank = job.method.rank * 2
        return Advice(
            about="answers",
            what=what,
            why="The adapter may be too small for what the examples ask.",
            words=f"Train with rank {rank} instead of {job.method.rank}.",
            do="train",
            edits={"rank": rank},
        )
    return Advice(
        about="answers",
        what=what,
        why="The base model may be too small for what the examples ask.",
        words="Try the same data on a larger model.",
        do="larger model",
    )


def _lacking(found: Evaluation) -> str | None:
    """What is missing in the answers, where something is and no other advice says why."""
    main = found.result(found.main)
    if main is None or main.tuned.value > 1 - MATTERS:
        return None
    if found.outcome == "no difference shown":
        return "Training has changed nothing that can be shown."
    score = found.score
    if found.outcome != "better" or score is None or score.value is None or score.gate == "deploy":
        return None
    figure = f"{main.measure.title} {100 * main.tuned.value:.0f} %"
    return f"It is better than the base, and not good enough yet: {score.value:.0f} of 100, {figure}."


def _one_topic(clusters: Sequence[ErrorCluster]) -> Advice | None:
    """A group of questions that goes wrong twice as often as the others together."""
    every, wrong = sum(each.examples for each in clusters), sum(each.errors[-1] for each in clusters)
    for each in clusters:
        others = (wrong - each.errors[-1]) / max(1, every - each.examples)
        if each.words and each.errors[-1] >= TELLING and each.errors[-1] / each.examples > max(2 * others, MATTERS):
            about = ", ".join(each.words)
            return Advice(
                about="answers",
                what=f"{each.errors[-1]} of {each.examples} questions about “{about}” are answered wrongly.",
                why="The others go wrong less than half as often: of these there are too few good examples.",
                words=f"Add examples about “{about}” to the dataset.",
                do="add rows",
            )
    return None


def _ready(found: Evaluation) -> Advice | None:
    if found.outcome != "better" or found.score is None or found.score.gate != "deploy":
        return None
    return Advice(
        about="answers",
        what="It is better than the base, and good enough to be used.",
        why=found.score.words,
        words="Export it; the export is checked to answer like the trained model.",
        do="export",
    )


def _of_training(reading: Reading) -> list[Advice]:
    """What the reading of the curves suggests, as it is."""
    why = " ".join(reading.words[:1])
    return [
        Advice(
            about="training",
            what=f"Training scored {reading.score:.0f} of 100.",
            why=why,
            words=each.words,
            do="train" if each.changes else "hold out",
            edits={change.setting: change.value for change in each.changes},
        )
        for each in reading.suggestions
    ]


def _of_data(dataset: Dataset) -> list[Advice]:
    return [_mended(finding) for finding in dataset.findings if finding.level != "info" and finding.repair]


def _mended(finding: Finding) -> Advice:
    return Advice(
        about="data",
        what=finding.what,
        why=finding.why,
        words=finding.fix,
        do="repair",
        repair=finding.repair,
    )
