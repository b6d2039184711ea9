"""From answers to scores and a verdict that says no more than the evidence."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.results.evaluation import Evaluation, evaluate
from engine.results.scores import exact_match, normalised, token_f1
from engine.results.versions import Version, next_number
from engine.spec.answers import BASE, Answer
from engine.spec.files import LineWriter

NOWHERE = Path("no-such-dataset")


def answer(row: int, model: str, text: str, reference: str = "four days", nll: float = 2.0) -> Answer:
    return Answer(
        row=row, model=model, prompt="When?", reference=reference, text=text, tokens=2, complete=True, nll=nll,
        trained_tokens=2,
    )  # fmt: skip


def judged(folder: Path, answers: list[Answer]) -> Evaluation:
    writer = LineWriter(folder / "results.jsonl")
    for each in answers:
        writer.write(each)
    writer.close()
    return evaluate(folder / "results.jsonl", "run", "version", "tuned", NOWHERE)


def rows(count: int, right: int, *, lucky: int = 0) -> list[Answer]:
    """`right` rows that only the tuned model answers, `lucky` that only the base does."""
    base = [answer(i, BASE, "four days" if i >= count - lucky else "soon", nll=4.0) for i in range(count)]
    return base + [answer(i, "tuned", "four days" if i < right else "later", nll=2.0) for i in range(count)]


def test_a_clear_gain_is_called_better_with_its_numbers(tmp_path: Path) -> None:
    result = judged(tmp_path, rows(60, 50))
    assert result.outcome == "better"
    assert result.p_value < 0.01
    assert result.tuned.exact_match == pytest.approx(50 / 60)
    assert result.exact_match.low < 50 / 60 < result.exact_match.high
    assert "60 held-out examples" in result.verdict and "+83 points" in result.verdict


def test_the_same_answers_are_no_difference(tmp_path: Path) -> None:
    same = [answer(i, model, "four days") for i in range(40) for model in (BASE, "tuned")]
    result = judged(tmp_path, same)
    assert (result.outcome, result.p_value) == ("no difference shown", 1.0)


def test_few_examples_are_said_to_be_few_and_how_many_would_do(tmp_path: Path) -> None:
    few = [answer(i, BASE, "soon") for i in range(6)] + [
        answer(i, "tuned", "four days" if i < 2 else "soon") for i in range(6)
    ]
    result = judged(tmp_path, few)
    assert result.outcome == "too few examples"
    assert "examples would show" in result.verdict


def test_a_loss_is_called_worse(tmp_path: Path) -> None:
    worse = [answer(i, BASE, "four days", nll=1.0) for i in range(40)] + [
        answer(i, "tuned", "no", nll=9.0) for i in range(40)
    ]
    assert judged(tmp_path, worse).outcome == "worse"


def test_only_rows_that_both_answered_count(tmp_path: Path) -> None:
    part = rows(30, 20)[:-5]
    assert judged(tmp_path, part).base.examples == 25


def test_no_common_row_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        judged(tmp_path, [answer(0, BASE, "x"), answer(1, "tuned", "x")])
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
