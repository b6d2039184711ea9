"""The verdict says no more than the answers do: what decides it, what is said beside it, and how often it is wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engine.results.deciding import Decision, Examples, decided
from engine.results.evaluation import Evaluation
from engine.results.measured import Mean, Result
from engine.results.metrics.measures import TABLE
from engine.results.statistics import Paired, paired_means
from engine.results.verdict import chance, difference
from engine.spec.answers import BASE, Answer
from engine.spec.suite import LABEL_SUITE, TEXT_SUITE, Metric, Side, Suite
from tests.results.made import asked_of, dataset_in

NAMES: tuple[Metric, ...] = ("exact_match", "token_f1", "bleu", "chrf", "rouge_l", "loss")


def said(row: int, model: str, text: str, *, reference: str = "four days", nll: float = 2.0) -> Answer:
    return Answer(
        row=row, model=model, prompt="When?", reference=reference, text=text, tokens=2, complete=True, nll=nll,
        trained_tokens=2,
    )  # fmt: skip


def alike_but_for_loss(place: Path, tuned: float, suite: Suite = TEXT_SUITE, words: str = "soon") -> Evaluation:
    """Both models say the same; the tuned one finds the references this likely, with some spread, the base 2 nats."""
    dice = random.Random(3)
    base = [said(i, BASE, words, nll=4.0) for i in range(48)]
    after = [said(i, "tuned", words, nll=2 * tuned + dice.uniform(-0.1, 0.1)) for i in range(48)]
    return asked_of(place, [*base, *after], suite)


def column(name: Metric, values: Sequence[float]) -> Result:
    """A measure by its differences alone."""
    (paired,) = paired_means([values])
    return result_of(name, paired)


def result_of(name: Metric, paired: Paired) -> Result:
    flat = Mean(value=0.5, low=0.4, high=0.6)
    return Result(name=name, measure=TABLE[name], base=flat, tuned=flat, difference=paired)


def decision(*results: Result, suite: Suite = TEXT_SUITE) -> Decision:
    return decided(results, suite, Examples(count=60, words="60 held-out examples"))


@pytest.mark.parametrize(("tuned", "way"), [(1.8, "more"), (2.2, "less")])
def test_a_loss_alone_makes_nothing_better_or_worse_and_is_said_beside(tmp_path: Path, tuned: float, way: str) -> None:
    found = alike_but_for_loss(tmp_path, tuned)
    assert found.loss.shown and found.p_value == 1.0
    assert found.outcome == "no difference shown"
    assert f"The tuned model has become {way} likely to write the reference: loss {tuned - 2:+.1f}" in found.verdict
    assert found.verdict.endswith("; its answers are not shown to differ.")


def test_a_loss_that_rises_by_nearly_nothing_does_not_make_labels_worse(tmp_path: Path) -> None:
    dice = random.Random(1)
    wanted = ["spam", "fine"] * 30
    rows = [said(i, BASE, label, reference=label, nll=0.01) for i, label in enumerate(wanted)]
    rows += [
        said(i, "tuned", label, reference=label, nll=0.012 + dice.random() / 1e4) for i, label in enumerate(wanted)
    ]
    found = asked_of(tmp_path, rows, LABEL_SUITE)
    assert found.loss.shown and found.outcome == "no difference shown"
    assert "label accuracy +0 points" in found.verdict and ": loss +0.001 (" in found.verdict


def test_a_measure_that_goes_down_unshown_is_not_called_better_for_a_lower_loss() -> None:
    dice = np.random.default_rng(2)
    f1 = column("token_f1", list(dice.normal(-0.02, 0.18, 60)))
    found = decision(column("exact_match", [0.0] * 60), f1, column("loss", list(dice.normal(-0.3, 0.1, 60))))
    assert found.outcome == "no difference shown" or found.outcome == "too few examples"
    assert "likely to write the reference" in found.verdict


def test_every_figure_stands_with_its_own_interval_and_chance() -> None:
    dice = np.random.default_rng(4)
    match = column("exact_match", [1.0] * 9 + [0.0] * 51)
    f1 = column("token_f1", list(dice.normal(0.4, 0.2, 60)))
    found = decision(match, f1)
    for each in found.results:
        words = f"{each.measure.title} {difference(each.measure, each.difference)}"
        assert words in found.verdict and chance(each.difference.corrected) in words
    assert found.results[0].difference.corrected != found.results[1].difference.corrected
    assert found.outcome == "better" and found.p_value == min(each.difference.corrected for each in found.results)


def test_what_gets_worse_beside_a_better_verdict_is_said() -> None:
    dice = np.random.default_rng(5)
    match = column("exact_match", [1.0] * 30 + [0.0] * 30)
    bleu, loss = column("bleu", list(dice.normal(-0.2, 0.1, 60))), column("loss", list(dice.normal(0.4, 0.1, 60)))
    found = decision(match, column("token_f1", list(dice.normal(0.4, 0.2, 60))), bleu, loss)
    assert found.outcome == "better"
    assert "But it is worse in BLEU -2" in found.verdict
    assert "But it has become less likely to write the reference: loss +0.38 (" in found.verdict


def test_another_measure_that_differs_is_told_where_what_decides_shows_nothing() -> None:
    dice = np.random.default_rng(6)
    found = decision(
        column("exact_match", [0.0] * 60),
        column("token_f1", list(dice.normal(0, 0.05, 60))),
        column("chrf", list(dice.normal(0.1, 0.05, 60))),
    )
    assert found.outcome == "no difference shown"
    assert "By other measures it is better in chrF +9 points (" in found.verdict


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.914, "+91 points"),
        (-0.0, "+0 points"),
        (0.004, "+0.4 points"),
        (-0.0001, "+0.0 points"),
        (-0.02, "-2 points"),
    ],
)
def test_a_difference_is_never_rounded_to_nothing_or_called_minus_nothing(value: float, words: str) -> None:
    paired = Paired(difference=value, low=value, high=value, p_value=1.0, test="")
    assert difference(TABLE["token_f1"], paired) == f"{words} (p = 1.000)"


@pytest.mark.parametrize(
    ("side", "trained_on", "words"),
    [
        ("held-out", True, "on 30 held-out examples of “rows”."),
        ("test", True, "on 30 test examples of “rows”."),
        ("all", False, "on 30 examples of “rows”."),
        (
            "all",
            True,
            "It was trained on {trained} of these, and looks better there than on new ones: ask held-out rows.",
        ),
    ],
    ids=["held-out", "test", "all of other data", "all of its own data"],
)
def test_the_examples_are_called_what_they_are(tmp_path: Path, side: Side, trained_on: bool, words: str) -> None:
    data = dataset_in(tmp_path / "datasets", 30)
    answers = [said(i, model, text) for i in range(30) for model, text in ((BASE, "soon"), ("tuned", "four days"))]
    hashes = (data.hash,) if trained_on else ("other",)
    found = asked_of(tmp_path, answers, dataset=data, side=side, trained_on=hashes)
    seen = data.rows - data.validation_rows
    assert words.format(trained=seen) in found.verdict
    assert found.trained == (seen if "trained on" in words else 0)
    assert ("held-out example" in found.verdict) is (side == "held-out")


def test_of_five_rows_nothing_is_claimed_to_be_shown(tmp_path: Path) -> None:
    rows = [said(i, model, text) for i in range(5) for model, text in ((BASE, "soon"), ("tuned", "in four days"))]
    found = asked_of(tmp_path, rows)
    assert found.outcome == "too few examples"
    assert "token F1 +80 points (p = " in found.verdict  # all alike: no interval
    assert "So few cannot show any difference, however large. At least 20 are needed." in found.verdict


def trials(dice: np.random.Generator, count: int, loss: float) -> list[Decision]:
    """Verdicts where chance, or the loss alone, sets base and tuned apart; an example's measures hang together."""
    columns = []
    for _ in range(count):
        shared = dice.normal(0, 0.2, 60)
        columns.append(dice.choice([-1.0, 0.0, 1.0], 60, p=[0.2, 0.6, 0.2]))
        columns += [shared + dice.normal(0, 0.1, 60) for _ in range(4)]
        columns.append(dice.normal(loss, 0.5, 60))
    paired, width = paired_means(columns), len(NAMES)
    return [
        decision(*(result_of(name, one) for name, one in zip(NAMES, paired[i : i + width], strict=True)))
        for i in range(0, len(paired), width)
    ]


@pytest.mark.parametrize("loss", [0.0, -0.6], ids=["nothing differs", "the loss alone differs"])
def test_the_verdict_is_wrong_at_most_one_time_in_twenty(loss: float) -> None:
    found = trials(np.random.default_rng(17), 400, loss)
    assert all(each.results[-1].difference.shown for each in found) is (loss != 0)
    wrong = sum(each.outcome in ("better", "worse", "mixed") for each in found)
    assert stats.binomtest(wrong, len(found)).proportion_ci(0.999).low < 0.05
    assert wrong  # it does look at the evidence: some alarms are false


def test_a_difference_that_is_there_is_found() -> None:
    dice = np.random.default_rng(18)
    real = [decision(column("exact_match", list(dice.choice([0.0, 1.0], 60, p=[0.7, 0.3])))) for _ in range(5)]
    assert [each.outcome for each in real] == ["better"] * 5
