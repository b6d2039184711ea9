"""Measures of answers against independent implementations, and on the bad input that models produce."""

from __future__ import annotations

import random

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.results.metrics.labels import MOST_LABELS, OTHER, by_words, confusion, label_of, labels_of, repeated
from engine.results.metrics.overlap import bleu, chrf, longest_common, rouge_l
from engine.results.metrics.structured import expression, holds, json_fields, json_valid, mostly_json
from engine.results.metrics.words import length_fit, length_ratio, token_f1, token_precision, token_recall
from engine.spec.suite import Pattern

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "and", "then", "it", "ran"]), max_size=30)


@pytest.mark.parametrize("seed", range(4))
def test_rouge_l_is_the_published_scorers(seed: int) -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    dice, words = random.Random(seed), ["the", "cat", "sat,", "on", "a", "mat!", "and", "then", "it's", "3", "o'clock"]
    for _ in range(25):
        answer, reference = (" ".join(dice.choices(words, k=dice.randint(0, 30))) for _ in range(2))
        theirs = scorer.score(reference, answer)["rougeL"].fmeasure
        assert rouge_l(answer, reference) == pytest.approx(theirs, abs=1e-12)


@given(WORDS, WORDS)
def test_the_longest_common_sequence_is_the_textbooks(first: list[str], second: list[str]) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    assert longest_common(first, second) == table[-1][-1]


@pytest.mark.parametrize("seed", range(5))
def test_bleu_and_chrf_are_sacrebleus_sentence_scores(seed: int) -> None:
    dice = random.Random(seed)
    words = [
        dice.choice(["we", "write", "to", "you", "about", "your", "order", "of", "lamps", "today"]) for _ in range(24)
    ]
    answer, reference = " ".join(words[: dice.randint(1, 12)]), " ".join(words[dice.randint(0, 4) : 14])
    assert bleu(answer, reference) == pytest.approx(sacrebleu.sentence_bleu(answer, [reference]).score / 100)
    assert chrf(answer, reference) == pytest.approx(sacrebleu.sentence_chrf(answer, [reference]).score / 100)


@given(st.text(), st.text())
def test_precision_and_recall_change_places_with_the_texts(first: str, second: str) -> None:
    assert token_precision(first, second) == token_recall(second, first)
    assert min(token_precision(first, second), token_recall(first, second)) - 1e-9 <= token_f1(first, second)


@given(st.text(), st.text())
def test_length_fits_best_where_lengths_are_equal(answer: str, reference: str) -> None:
    assert 0 <= length_fit(answer, reference) <= 1
    assert (length_fit(answer, reference) == 1) == (length_ratio(answer, reference) == 1)


def test_half_and_double_length_fit_alike() -> None:
    assert length_fit("a b", "a b c d") == length_fit("a b c d", "a b") == 0.5
    assert length_fit("", "a b") == 0


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("spam", "spam"),
        ("Spam.", "spam"),
        ("I would say not spam", "not spam"),
        ("It is spam", "spam"),
        ("spam or urgent", OTHER),
        ("spammy", OTHER),
        ("", OTHER),
    ],
)
def test_an_answer_names_one_label_or_none(said: str, label: str) -> None:
    assert label_of(said, by_words(("spam", "not spam", "urgent"))) == label


@pytest.mark.parametrize("seed", range(3))
def test_confusion_counts_every_answer_once_and_macro_f1_is_the_mean_over_labels(seed: int) -> None:
    dice = random.Random(seed)
    labels = ("a", "b", "c")
    wanted = [dice.choice(labels) for _ in range(60)]
    said = [dice.choice((*labels, "nothing of these")) for _ in wanted]
    found = confusion(said, wanted, labels)
    assert sum(map(sum, found.counts)) == 60
    assert found.accuracy == pytest.approx(sum(a == b for a, b in zip(said, wanted, strict=True)) / 60)
    f1s = []
    for label in labels:
        hit = sum(a == b == label for a, b in zip(said, wanted, strict=True))
        f1s.append(2 * hit / (said.count(label) + wanted.count(label)) if hit else 0.0)
    assert found.macro_f1 == pytest.approx(sum(f1s) / 3)


def test_answers_that_are_each_their_own_have_no_confusion() -> None:
    sentences = [f"answer {i}" for i in range(40)]
    assert not repeated(labels_of(sentences), sentences) and not repeated((), ())
    assert labels_of(["yes", "no", "yes"]) == ("yes", "no") and repeated(("yes", "no"), ["yes", "no", "yes"])


def test_spellings_of_a_label_are_one_label() -> None:
    wanted = ["spam", "Spam", "spam", "fine", "Fine."]
    assert labels_of(wanted) == ("spam", "fine")
    found = confusion(["spam", "SPAM", "Spam.", "fine", "Fine"], wanted, labels_of(wanted))
    assert (found.accuracy, found.macro_f1, found.counts) == (1.0, 1.0, ((3, 0, 0), (0, 2, 0)))


def test_of_many_labels_the_most_frequent_are_shown_and_all_are_counted() -> None:
    labels = [f"intent {i}" for i in range(60)]
    wanted = [label for label in labels for _ in range(2)]
    found = confusion(wanted, wanted, labels_of(wanted))
    assert (len(found.labels), found.every, found.accuracy, found.macro_f1) == (MOST_LABELS, 60, 1.0, 1.0)
    assert sum(map(sum, found.counts)) == 2 * MOST_LABELS
    swapped = confusion(["intent 59" if each == "intent 0" else each for each in wanted], wanted, labels_of(wanted))
    assert swapped.counts[0] == (*(0,) * MOST_LABELS, 2)  # an answer that is not shown is something else
    assert swapped.accuracy == pytest.approx(118 / 120)


def test_a_confusion_that_is_cut_keeps_every_answer_and_says_what_is_left_out() -> None:
    wanted = ["a"] * 4 + ["b"] * 3 + ["c"] * 2
    found = confusion(["a", "b", "c", "no idea", "b", "b", "a", "c", "b"], wanted, labels_of(wanted))
    cut = found.first(2)
    assert cut.counts == ((1, 1, 2), (1, 2, 0))  # "c" and "no idea" are something else now
    assert (cut.accuracy, cut.macro_f1) == (found.accuracy, found.macro_f1)
    assert cut.left_out == "The 2 most frequent of 3 labels are shown." and found.left_out == ""
    assert found.first(9) == found
    assert found.in_words.startswith("Most often mistaken: ") and "b for a, once" in found.in_words
    assert confusion(wanted, wanted, labels_of(wanted)).in_words == "Every label was answered rightly."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_value_has_all_its_own_fields_however_it_is_written(value: object) -> None:
    import json

    plain, pretty = json.dumps(value), f"```json\n{json.dumps(value, indent=1, ensure_ascii=False)}\n```"
    assert json_valid(pretty, plain)
    assert json_fields(pretty, plain) == 1


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ('{"name": "Ada", "age": 36}', 1.0),
        ('{"name": "Ada", "age": 37}', 0.5),
        ('{"name": "Ada"}', 0.5),
        ('{"name": "Ada", "age": 36, "more": 1, "and": 2}', 0.5),
        ('{"name": "Ada", "age": true}', 0.5),
        ("name: Ada", 0.0),
        ('{"name": "Ada", "age": 36', 0.0),
        ("[" * 5000, 0.0),
    ],
)
def test_fields_count_when_wanted_or_said(said: str, share: float) -> None:
    assert json_fields(said, '{"name": "Ada", "age": 36}') == pytest.approx(share)


def test_json_suites_are_for_answers_that_are_structures() -> None:
    assert mostly_json(['{"a": 1}', "[1]"]) and not mostly_json(["1", "true"]) and not mostly_json([])


def test_patterns_say_what_must_and_must_not_be_there() -> None:
    assert holds(Pattern(name="p", text="Refund"), "a refund is due")
    assert not holds(Pattern(name="p", text="refund", wanted=False), "a refund is due")
    with pytest.raises(DataError, match="not a regular expression"):
        expression(Pattern(name="p", text="(", regex=True))
