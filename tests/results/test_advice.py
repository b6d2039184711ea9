"""Advice names what was seen and a change that a draft takes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.data.nouns import Finding
from engine.monitor.reading import Course, Point, Reading, Suggestion, read
from engine.monitor.recovery import Change
from engine.plan.edits import check_edits
from engine.results.advice import Advice, advise
from engine.results.comparison import ErrorCluster
from engine.results.evaluation import Evaluation
from engine.results.score import score_of
from engine.spec.methods import method_name
from tests.results.made import dataset_in, evaluation_of, job_of, spec_of

JOB = job_of(spec_of("run-1"))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluation_of(tmp_path_factory.mktemp("answers"), "v", 0.9)


def seen(evaluation: Evaluation, name: str, value: float) -> Evaluation:
    """The evaluation with another mean of one measure."""
    changed = [
        msgspec.structs.replace(each, tuned=msgspec.structs.replace(each.tuned, value=value))
        if each.name == name
        else each
        for each in evaluation.results
    ]
    return msgspec.structs.replace(evaluation, results=tuple(changed))


def first(evaluation: Evaluation, clusters: tuple[ErrorCluster, ...] = ()) -> Advice:
    return advise(JOB, evaluation, None, None, clusters)[0]


def test_worse_answers_ask_for_smaller_steps(good: Evaluation) -> None:
    advice = first(evaluation=msgspec.structs.replace(good, outcome="worse"))
    assert advice.edits == {"learning_rate": JOB.training.learning_rate / 2}


def test_answers_that_do_not_end_ask_for_more_epochs_and_short_ones_for_more_context(good: Evaluation) -> None:
    assert first(evaluation=seen(good, "length_ratio", 3.0)).edits == {"epochs": JOB.training.epochs + 1}
    assert first(evaluation=seen(good, "length_ratio", 0.4)).edits == {"max_length": JOB.training.max_length * 2}


def test_no_gain_asks_for_a_larger_adapter(good: Evaluation) -> None:
    flat = msgspec.structs.replace(seen(good, "token_f1", 0.3), outcome="no difference shown")
    assert first(evaluation=flat).edits == {"rank": 8}


def poor(evaluation: Evaluation) -> Evaluation:
    """Better than the base, half right, and to be reviewed."""
    score = score_of(0.28, None, 1.0, accuracy_from="token F1")
    return msgspec.structs.replace(seen(evaluation, "token_f1", 0.28), score=score)


def curve(*values: float) -> tuple[Point, ...]:
    return tuple(Point(step, value) for step, value in enumerate(values))


def reading_of(loss: tuple[Point, ...], held_out: tuple[Point, ...] = ()) -> Reading:
    return read(
        Course(loss=loss, validation=held_out, steps_done=20, steps_planned=20, epochs=2, learning_rate=1e-4, rank=4)
    )


FALLING = curve(*(3 - i / 10 for i in range(20)))
LEVEL = curve(3.0, 2.0, *(1.0,) * 18)


@pytest.mark.parametrize(
    ("loss", "held_out", "unfinished"),
    [
        (FALLING, (), True),
        (FALLING, curve(3.0, 2.0), True),
        (FALLING, curve(3.0, 1.0, 2.0), False),
        (LEVEL, curve(3.0, 2.0), False),
        (LEVEL, (), False),
    ],
    ids=[
        "nothing held out",
        "held-out at its best",
        "held-out turned up",
        "levelled off",
        "levelled off, none held out",
    ],
)
def test_answers_that_are_not_good_enough_ask_for_longer_training_while_the_loss_still_fell(
    good: Evaluation, loss: tuple[Point, ...], held_out: tuple[Point, ...], unfinished: bool
) -> None:
    reading = reading_of(loss, held_out)
    assert reading.unfinished is unfinished
    advice = advise(JOB, poor(good), reading, None)[0]
    assert advice.what == "It is better than the base, and not good enough yet: 52 of 100, token F1 28 %."
    epochs = JOB.training.epochs + max(1, JOB.training.epochs // 2)
    assert advice.edits == ({"epochs": epochs} if unfinished else {"rank": 8})


def test_an_evaluation_that_is_not_good_enough_is_never_without_advice(good: Evaluation) -> None:
    for outcome in ("better", "worse", "mixed", "no difference shown", "too few examples"):
        assert advise(JOB, msgspec.structs.replace(poor(good), outcome=outcome), None, None)


def test_too_few_examples_ask_for_more_rows(good: Evaluation) -> None:
    assert first(evaluation=msgspec.structs.replace(good, outcome="too few examples")).do == "hold out"


def test_a_version_that_is_good_enough_is_to_be_exported(good: Evaluation) -> None:
    assert good.outcome == "better"
    assert first(evaluation=good).do == "export"


def test_a_topic_that_goes_wrong_asks_for_examples_about_it(good: Evaluation) -> None:
    topics = (
        ErrorCluster(words=("lamp",), examples=10, means=(0.1, 0.2), errors=(9, 8)),
        ErrorCluster(words=("parcel",), examples=40, means=(0.1, 0.9), errors=(30, 2)),
    )
    advice = first(evaluation=good, clusters=topics)
    assert advice.do == "add rows" and "lamp" in advice.words and "8 of 10" in advice.what
    assert all("lamp" not in each.words for each in advise(JOB, good, None, None, topics[1:]))


def test_what_the_curves_and_the_data_say_comes_along_and_the_same_change_comes_once(
    good: Evaluation, tmp_path: Path
) -> None:
    reading = Reading(
        score=70, findings=(), words=("It still learned.",),
        suggestions=(Suggestion("Train longer.", (Change(setting="epochs", value=4),)),),
    )  # fmt: skip
    finding = Finding(level="warning", what="Twice", why="They count twice.", fix="Drop them.", repair="duplicates")
    dataset = msgspec.structs.replace(dataset_in(tmp_path / "datasets"), findings=(finding,))
    found = advise(JOB, seen(good, "length_ratio", 3.0), reading, dataset)
    assert [each.about for each in found if "epochs" in each.edits] == ["answers"]
    assert found[-1].repair == "duplicates" and found[-1].do == "repair"
    alone = advise(JOB, None, reading, None)
    assert [(each.words, each.edits) for each in alone] == [("Train longer.", {"epochs": 4})]


def test_every_edit_is_one_that_a_draft_takes(good: Evaluation) -> None:
    cases = [
        msgspec.structs.replace(good, outcome="worse"),
        seen(good, "length_ratio", 3.0),
        seen(good, "length_ratio", 0.4),
        msgspec.structs.replace(seen(good, "token_f1", 0.3), outcome="no difference shown"),
    ]
    for case in cases:
        for advice in advise(JOB, case, None, None):
            taken, bad = check_edits(method_name(JOB.method), advice.edits)
            assert not bad and taken.keys() == advice.edits.keys()


def test_nothing_found_is_nothing_advised() -> None:
    assert advise(JOB, None, None, None) == ()


@pytest.mark.parametrize(
    ("parts", "value", "band", "gate"),
    [
        ((1.0, 1.0, 1.0), 100.0, "excellent", "deploy"),
        ((0.8, None, 0.5), 70.0, "good", "deploy"),
        ((0.5, 0.5, 0.5), 50.0, "fair", "review"),
        ((0.2, None, None), 20.0, "poor", "not yet"),
        ((None, 0.7, 1.0), 80.0, "excellent", "deploy"),
    ],
)
def test_a_score_rests_on_what_was_measured(
    parts: tuple[float | None, float | None, float | None], value: float, band: str, gate: str
) -> None:
    score = score_of(*parts, accuracy_from="token F1")
    assert (score.value, score.band, score.gate) == (value, band, gate)
    for part, measured in zip(score.parts, parts, strict=True):
        assert (f"Not measured: {part.name}" in score.words) is (measured is None)


def test_length_alone_is_no_score() -> None:
    score = score_of(None, None, 1.0, accuracy_from="token F1")
    assert (score.value, score.band, score.gate) == (None, None, None) and "Not scored" in score.words
