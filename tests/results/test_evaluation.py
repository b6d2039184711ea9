"""From answers to scores and a verdict that says no more than the evidence."""

from __future__ import annotations

import math
import pickle
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.results.evaluation import Evaluation
from engine.results.judged import with_judge
from engine.results.judging import Chosen
from engine.results.metrics.words import exact_match, normalised, token_f1
from engine.results.versions import Version, next_number
from engine.spec.answers import BASE, Answer
from engine.spec.suite import LABEL_SUITE, TEXT_SUITE, Check, Pattern, Suite
from tests.results.made import asked_of


def answer(row: int, model: str, text: str, reference: str = "four days", nll: float = 2.0) -> Answer:
    return Answer(
        row=row, model=model, prompt="When?", reference=reference, text=text, tokens=2, complete=True, nll=nll,
        trained_tokens=2,
    )  # fmt: skip


def rows(count: int, right: int, *, lucky: int = 0) -> list[Answer]:
    """`right` rows that only the tuned model answers, `lucky` that only the base does."""
    base = [answer(i, BASE, "four days" if i >= count - lucky else "soon", nll=4.0) for i in range(count)]
    return base + [answer(i, "tuned", "four days" if i < right else "later", nll=2.0) for i in range(count)]


def test_a_clear_gain_is_called_better_with_its_numbers(tmp_path: Path) -> None:
    result = asked_of(tmp_path, rows(60, 50))
    assert result.outcome == "better"
    assert result.p_value < 0.01
    assert result.tuned.exact_match == pytest.approx(50 / 60)
    assert result.exact_match.low < 50 / 60 < result.exact_match.high
    assert "60 held-out examples" in result.verdict and "+83 points" in result.verdict


def test_the_same_answers_are_no_difference(tmp_path: Path) -> None:
    same = [answer(i, model, "four days") for i in range(40) for model in (BASE, "tuned")]
    result = asked_of(tmp_path, same)
    assert (result.outcome, result.p_value) == ("no difference shown", 1.0)


def test_few_examples_are_said_to_be_few_and_how_many_would_do(tmp_path: Path) -> None:
    few = [answer(i, BASE, "soon") for i in range(6)] + [
        answer(i, "tuned", "four days" if i < 2 else "soon") for i in range(6)
    ]
    result = asked_of(tmp_path, few)
    assert result.outcome == "too few examples"
    assert "So few cannot show any difference, however large. At least 20 are needed." in result.verdict


def test_answers_that_were_right_and_are_not_any_more_are_worse(tmp_path: Path) -> None:
    lost = [answer(i, BASE, "four days" if i < 30 else "soon") for i in range(40)]
    found = asked_of(tmp_path, [*lost, *(answer(i, "tuned", "no") for i in range(40))])
    assert found.outcome == "worse" and "worse than the base: exact match -75 points" in found.verdict


def test_of_too_few_examples_no_score_says_that_it_is_good_enough(tmp_path: Path) -> None:
    few = asked_of(tmp_path, rows(3, 3)).score
    assert few and few.value == 100.0 and (few.band, few.gate) == (None, None)
    assert few.words.startswith("100 of 100, on 3 held-out examples") and "good enough" not in few.words.split(":")[0]
    assert "too few to say what it is good enough for" in few.words and "Not measured: judge" in few.words


def test_only_rows_that_both_answered_count(tmp_path: Path) -> None:
    part = rows(30, 20)[:-5]
    assert asked_of(tmp_path, part).base.examples == 25


def test_no_common_row_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        asked_of(tmp_path, [answer(0, BASE, "x"), answer(1, "tuned", "x")])
    assert caught.value.card.actions


@pytest.mark.parametrize(
    ("said", "wanted", "match"),
    [
        ("Four days.", "four  days", True),
        ("in four days", "four days", False),
        ("“Four” days!", "four days", True),
        ("v1.2", "v12", False),
        ("", "", True),
        ("?", "", False),
        ("ﬁve", "five", True),
    ],
)
def test_case_spaces_and_outer_punctuation_do_not_count(said: str, wanted: str, match: bool) -> None:
    assert exact_match(said, wanted) is match


@given(st.text(), st.text())
def test_f1_is_symmetric_bounded_and_one_for_the_same_words(first: str, second: str) -> None:
    assert token_f1(first, second) == pytest.approx(token_f1(second, first))
    assert 0 <= token_f1(first, second) <= 1
    assert token_f1(first, first) == 1
    words = normalised(first).split()
    random.Random(0).shuffle(words)
    assert token_f1(first, " ".join(words)) == pytest.approx(1)


def version(number: str, data: str) -> Version:
    return Version(
        id=number, number=number, name="support", run="r", made=0, model="m", model_path="", model_fingerprint="",
        dataset="d", dataset_id="d", dataset_hash=data, prepared="", method="lora", profile="chatbot",
        precision="fp32", whole=False, steps=1, metrics={},
    )  # fmt: skip


def test_numbers_rise_by_a_minor_on_the_same_data_and_a_major_on_other_data() -> None:
    assert next_number([], "support", "a") == "v1.0.0"
    line = [version("v1.0.0", "a"), version("v1.10.0", "a"), version("v1.9.0", "a")]
    assert next_number(line, "support", "a") == "v1.11.0"
    assert next_number(line, "support", "b") == "v2.0.0"
    assert next_number(line, "other", "a") == "v1.0.0"


def test_one_row_is_too_few_and_has_no_interval(tmp_path: Path) -> None:
    result = asked_of(tmp_path, rows(1, 1))
    assert result.outcome == "too few examples" and result.base.examples == 1
    assert "interval" not in result.verdict and "1 held-out example." in result.verdict
    assert "At least 20 are needed" in result.verdict


def test_answers_too_different_to_tell_say_how_many_would_be_enough(tmp_path: Path) -> None:
    dice = random.Random(1)
    texts = ["four days", "soon"]
    mixed = [answer(i, model, dice.choice(texts)) for i in range(40) for model in (BASE, "tuned")]
    result = asked_of(tmp_path, mixed)
    assert result.outcome == "too few examples"
    assert "examples would show one of 10" in result.verdict


def test_every_measure_of_the_suite_is_there_with_intervals_around_its_means(tmp_path: Path) -> None:
    result = asked_of(tmp_path, rows(60, 50))
    assert {each.name for each in result.results} == set(TEXT_SUITE.metrics)
    for each in result.results:
        for mean in (each.base, each.tuned):
            assert mean.low - 1e-9 <= mean.value <= mean.high + 1e-9
        assert each.difference.difference == pytest.approx(each.tuned.value - each.base.value)
        values = [example.marks[each.name][1] for example in result.examples]
        assert each.tuned.value == pytest.approx(sum(values) / len(values))
    chrf = result.result("chrf")
    assert chrf and chrf.corpus and chrf.corpus[0] < chrf.corpus[1]


def test_perplexity_is_exact_over_all_reference_tokens(tmp_path: Path) -> None:
    made = [
        Answer(
            row=i, model=model, prompt="p", reference="r", text="r", tokens=1, complete=True, nll=float(i + 1),
            trained_tokens=i + 2,
        )
        for i in range(5)
        for model in (BASE, "tuned")
    ]  # fmt: skip
    assert asked_of(tmp_path, made).base.perplexity == pytest.approx(math.exp(15 / 20))


def test_patterns_and_checks_are_measured_like_everything_else(tmp_path: Path) -> None:
    suite = Suite(
        patterns=(Pattern(name="says days", text="days"),),
        checks=(Check(name="short", source="def check(prompt, answer, reference):\n    return len(answer) < 6"),),
    )
    result = asked_of(tmp_path, rows(40, 30), suite)
    days, short = result.result("pattern: says days"), result.result("check: short")
    assert days and (days.base.value, days.tuned.value) == (0.0, 0.75) and days.difference.shown
    assert short and (short.base.value, short.tuned.value) == (1.0, 0.25)


def test_a_check_that_fails_takes_nothing_else_along(tmp_path: Path) -> None:
    suite = Suite(checks=(Check(name="broken", source="def check(prompt, answer, reference):\n    return 1 / 0"),))
    result = asked_of(tmp_path, rows(40, 30), suite)
    assert result.result("check: broken") is None and result.outcome == "better"
    assert [card.what for card in result.problems] == ["The check “broken” raised an error."]


def test_labels_are_counted_in_a_confusion(tmp_path: Path) -> None:
    wanted = ["spam", "fine"] * 20
    made = [answer(i, BASE, "fine", label) for i, label in enumerate(wanted)]
    made += [answer(i, "tuned", f"It is {label}.", label) for i, label in enumerate(wanted)]
    result = asked_of(tmp_path, made, LABEL_SUITE)
    assert result.confusion is not None
    base, tuned = result.confusion
    assert (base.accuracy, tuned.accuracy, tuned.macro_f1) == (0.5, 1.0, 1.0)
    assert base.macro_f1 == pytest.approx(1 / 3)
    assert "label accuracy +50 points" in result.verdict and result.outcome == "better"
    assert "exact match" not in result.verdict  # an answer may say more than the label
    assert result.score and result.score.parts[0].measure == "label accuracy"


@pytest.mark.parametrize("labels", [60, 120], ids=["each label twice", "every label once"])
def test_labels_are_measured_however_many_there_are(tmp_path: Path, labels: int) -> None:
    wanted = [f"intent {i % labels}" for i in range(120)]
    made = [answer(i, BASE, "intent 0", label) for i, label in enumerate(wanted)]
    made += [answer(i, "tuned", label.title(), label) for i, label in enumerate(wanted)]
    result = asked_of(tmp_path, made, LABEL_SUITE)
    accuracy = result.result("label")
    assert accuracy and accuracy.tuned.value == 1.0 and result.main == "label"
    assert "label accuracy +" in result.verdict and result.score and result.score.value == 100.0
    assert (result.confusion is None) is (labels == 120)


def test_an_evaluation_that_was_kept_before_is_still_read_and_judged(tmp_path: Path) -> None:
    made = asked_of(tmp_path, rows(30, 20))
    kept = msgspec.json.decode(msgspec.json.encode(made))
    for each in (kept, *(result["difference"] for result in kept["results"])):
        for newer in ("dataset", "trained", "spread"):
            each.pop(newer, None)
    for result in kept["results"]:
        result["difference"].pop("examples", None)
    found = msgspec.convert(kept, Evaluation)
    assert (found.verdict, found.dataset, found.trained) == (made.verdict, "", 0)
    assert found.results[0].difference.detectable == made.results[0].difference.detectable
    assert with_judge(found, Chosen(model="m"), [None] * 30).outcome == made.outcome


def test_a_better_length_alone_is_not_better(tmp_path: Path) -> None:
    made = [answer(i, BASE, "x z w v q p") for i in range(60)] + [answer(i, "tuned", "x z") for i in range(60)]
    assert asked_of(tmp_path, made).outcome == "no difference shown"


def test_the_judges_part_is_said_to_be_missing(tmp_path: Path) -> None:
    score = asked_of(tmp_path, rows(60, 50)).score
    assert score and score.value is not None and "Not measured: judge" in score.words


def test_an_error_comes_whole_from_another_process() -> None:
    error = DataError("What happened.", "Why.", "Do this.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is DataError and again.card == error.card and str(again) == "What happened."
