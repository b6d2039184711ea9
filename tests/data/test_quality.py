"""The quality report: what is planted in rows is found, in the right rows, and takes the documented points off."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings, strategies

from engine.core.errors import DataError
from engine.data.importing import import_file
from engine.data.inspect import inspect_file
from engine.data.language import interval, language_of
from engine.data.library import rows_in
from engine.data.marks import MARKS, score_of
from engine.data.nouns import Dataset, Finding, Inspection, Mapping, Order, SplitPlan
from engine.data.paging import Filter, PagedRow, rows_page
from engine.data.personal import card_holds, iban_holds, redacted
from engine.data.quality_report import read_quality
from engine.data.repair import is_damaged, repaired
from engine.data.similar import Signatures
from engine.data.words import batch_of, triples_of, words_of
from tests.data.fixtures import as_jsonl, texts

WORDS = [
    *("apple", "bridge", "candle", "door", "engine", "flower", "garden", "hammer"),
    *("island", "jacket", "kettle", "ladder", "mirror", "needle", "orange"),
]
KEY = "AKIA" + "Q3EXAMPLE7XYZ123"


def sentence(seed: int, length: int = 24) -> str:
    """Words by chance, the same for the same seed."""
    dice = random.Random(seed)
    return " ".join(f"{dice.choice(WORDS)}{dice.randint(0, 99)}" for _ in range(length))


def rows(*more: dict[str, str], count: int = 200) -> list[dict[str, str]]:
    """Harmless rows that are all different, and then those given."""
    plain = [{"question": f"The {sentence(n)} is?", "answer": f"It is {sentence(n + 5_000)}."} for n in range(count)]
    return [*plain, *more]


def inspected(folder: Path, given: list[dict[str, str]], **options: object) -> Inspection:
    (folder / "data.jsonl").write_bytes(as_jsonl(given))
    return inspect_file(folder / "data.jsonl", **options)  # type: ignore[arg-type]


def finding(found: Inspection | Dataset, id: str) -> Finding | None:
    return next((each for each in found.findings if each.id == id), None)


PLANTED = {
    "duplicates": {"question": f"The {sentence(3)} is?", "answer": f"It is {sentence(5_003)}."},
    "near_duplicates": {"question": f"The {sentence(3)} is?", "answer": f"It is {sentence(5_003)}. Thanks!"},
    "secrets": {"question": f"Is {KEY} mine? {sentence(21)}", "answer": f"So it looks to me: {sentence(22)}"},
    "personal_data": {"question": "Who reads mail for jane.roe@mail.org here?", "answer": "Jane does."},
    "encoding_damage": {"question": "Where is the cafÃ© of the town?", "answer": "Near the river."},
    "refusals": {"question": "Can you open it?", "answer": "I’m sorry, but I can’t do that for you."},
    "boilerplate": {"question": "Who are you then?", "answer": "Well, as an AI I have no name."},
    "length_outliers": {"question": "Tell me everything.", "answer": sentence(1, 4_000)},
    "lopsided": {"question": "Go on?", "answer": sentence(2)},
    "nothing_to_train": {"question": sentence(8, 3_000), "answer": "So it is."},
    "untrimmed": {"question": "Is it trimmed? ", "answer": f"It is not, I believe: {sentence(23)}"},
}


@pytest.mark.parametrize(("id", "row"), PLANTED.items(), ids=PLANTED.keys())
def test_what_is_planted_is_found_in_its_row_alone(tmp_path: Path, id: str, row: dict[str, str]) -> None:
    assert finding(inspected(tmp_path, rows()), id) is None
    seen = finding(inspected(tmp_path, rows(row)), id)
    assert seen is not None and (seen.rows, seen.examples) == (1, (201,))
    assert seen.share == pytest.approx(1 / 201, abs=1e-4) and seen.why and seen.fix and seen.repair


LEVELS = {
    "repeats at two per cent are a note": ("duplicates", 4, "info"),
    "repeats over two per cent are a warning": ("duplicates", 5, "warning"),
}


@pytest.mark.parametrize(("id", "count", "level"), LEVELS.values(), ids=LEVELS.keys())
def test_shares_decide_the_level(tmp_path: Path, id: str, count: int, level: str) -> None:
    given = rows(count=200 - count)
    found = finding(inspected(tmp_path, [*given, *given[:count]]), id)
    assert found is not None and found.level == level and found.rows == count


@pytest.mark.parametrize(("missing", "level"), [(5, "info"), (6, "warning")], ids=["five per cent", "above"])
def test_missing_values_are_counted(tmp_path: Path, missing: int, level: str) -> None:
    empty = [{"question": "And this?", "answer": ""}] * missing
    found = finding(inspected(tmp_path, rows(*empty, count=100 - missing)), "missing_values")
    assert found is not None and (found.rows, found.level) == (missing, level)


def test_turns_out_of_order_and_without_words(tmp_path: Path) -> None:
    good = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    lines = [good, [good[0], *good], [*good, good[0]], [good[0], {"role": "assistant", "content": ""}]]
    (tmp_path / "x").write_text("\n".join(json.dumps({"messages": each}) for each in lines))
    found = inspect_file(tmp_path / "x")
    order, empty = finding(found, "role_order"), finding(found, "empty_turns")
    assert order is not None and order.examples == (2, 3)
    assert empty is not None and empty.rows == 1


def test_rare_labels_are_a_finding(tmp_path: Path) -> None:
    given = [{"text": sentence(n), "label": "rare" if n < 5 else "common"} for n in range(60)]
    found = finding(inspected(tmp_path, given, mapping=Mapping(schema="classification", text="text", label="label")),
                    "label_imbalance")  # fmt: skip
    assert found is not None and found.rows == 5


def test_what_leaks_into_the_held_out_side_is_found_where_the_file_divides(tmp_path: Path) -> None:
    given = [{**each, "split": "train"} for each in rows(count=50)]
    near = {**given[4], "answer": given[4]["answer"] + " Thanks!"}
    held = [{**each, "split": "validation"} for each in (given[3], near, rows(count=51)[-1])]
    found = inspected(tmp_path, [*given, *held], split=SplitPlan(by="given", column="split"))
    exact, close = finding(found, "leakage"), finding(found, "near_leakage")
    assert exact is not None and (exact.examples, exact.level) == ((51,), "problem")
    assert close is not None and close.examples == (52,)


def test_near_repeats_stay_on_one_side_of_the_split(tmp_path: Path) -> None:
    given = rows(count=300)
    twins = [{**each, "answer": each["answer"] + " Thanks!"} for each in given]
    for seed in range(3):
        found = inspected(tmp_path, [*given, *twins], split=SplitPlan(seed=seed))
        assert finding(found, "near_leakage") is None and found.splits["validation"] == 120


def test_languages_are_told_and_mixed_ones_counted_with_an_interval(tmp_path: Path) -> None:
    german = {"question": "Wie ist das Wetter heute und morgen?", "answer": "Es ist nicht so gut wie im Sommer."}
    given = [
        {"question": f"What is the way to {sentence(n, 3)}?", "answer": "It is on the left of you."} for n in range(90)
    ]
    found = inspected(tmp_path, [*given, *[{**german, "answer": f"{german['answer']} {n}"} for n in range(10)]])
    mix = finding(found, "language_mix")
    assert mix is not None and (mix.rows, mix.level, mix.repair) == (10, "warning", "drop:language:en")
    assert found.quality and [each.language for each in found.quality.languages] == ["en", "de"]
    low, high = interval(200, 2_000)
    assert 0.085 < low < 0.1 < high < 0.115 and interval(0, 10)[0] == 0.0


SAID = {
    "en": "How do I reset the password of my account?",
    "de": "Wie setze ich das Passwort zurück und wo finde ich es?",
    "fr": "Comment est-ce que je peux changer le mot de passe pour mon compte ?",
    "es": "¿Cómo puedo cambiar la contraseña de mi cuenta y dónde está?",
    "it": "Come posso cambiare la password del mio conto e dove si trova?",
    "nl": "Hoe kan ik het wachtwoord van mijn account wijzigen en waar is dat?",
    "ru": "Как мне изменить пароль, если я не помню его?",
    "ja": "パスワードを変更するにはどうすればいいですか。",
    "zh": "我怎样才能更改密码？",
    "ko": "비밀번호를 어떻게 변경하나요?",
    "ar": "كيف يمكنني تغيير كلمة المرور؟",
    "": "x = f(y) + 3",
}


@pytest.mark.parametrize(("language", "text"), SAID.items(), ids=[each or "none" for each in SAID])
def test_a_language_is_told_from_a_sentence(language: str, text: str) -> None:
    assert language_of(text) == language


PRIVATE = {
    "an address": ("write to a.b+c@mail.co.uk today", "write to [EMAIL] today"),
    "an example address": ("write to you@example.com today", "write to you@example.com today"),
    "a number with its country": ("call +49 30 1234567 now", "call [PHONE] now"),
    "an American number": ("call (555) 123-4567 now", "call [PHONE] now"),
    "a date is no number": ("on 2024-01-02 at 12:00:00", "on 2024-01-02 at 12:00:00"),
    "an account": ("to DE89 3704 0044 0532 0130 00 please", "to [IBAN] please"),
    "a wrong account": ("to DE88 3704 0044 0532 0130 00 please", "to DE88 3704 0044 0532 0130 00 please"),
    "a card": ("pay with 4111 1111 1111 1111 then", "pay with [CARD] then"),
    "a wrong card": ("pay with 4111 1111 1111 1112 then", "pay with 4111 1111 1111 1112 then"),
    "a key": (f"use {KEY}.", "use [KEY]."),
    "a token": (f"use ghp_{'a1B2' * 9} here", "use [KEY] here"),
    "a private key": ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----!", "[KEY]!"),
    "decimals": ("pi is 3.14159265358979323846", "pi is 3.14159265358979323846"),
}


@pytest.mark.parametrize(("text", "after"), PRIVATE.values(), ids=PRIVATE.keys())
def test_personal_data_is_replaced_by_its_kind(text: str, after: str) -> None:
    assert redacted(text) == after


def test_checksums_hold() -> None:
    assert iban_holds("GB82 WEST 1234 5698 7654 32") and not iban_holds("GB82 WEST 1234 5698 7654 33")
    assert card_holds("378282246310005") and not card_holds("1234567890123452")


@given(texts)
def test_text_read_in_the_wrong_encoding_is_repaired_to_what_it_was(text: str) -> None:
    wrong = "".join(bytes([each]).decode("cp1252", "ignore") or chr(each) for each in text.encode("utf-8"))
    if not is_damaged(text):
        assert repaired(wrong) == text and is_damaged(wrong) == (wrong != text)
        assert repaired(text) == text


def test_similarity_agrees_with_the_true_overlap() -> None:
    """Pairs that overlap by over 0.9 are found, pairs under 0.6 are not."""
    dice = random.Random(0)
    pairs = []
    for _ in range(200):
        words = [dice.choice(WORDS) + str(dice.randint(0, 999)) for _ in range(120)]
        other = list(words)
        for place in dice.sample(range(120), dice.choice((1, 30))):
            other[place] = "changed"
        pairs.append((words, other))
    batch = batch_of([" ".join(each) for pair in pairs for each in pair])
    signatures = Signatures()
    signatures.add(*triples_of(words_of(batch)), batch.size)
    clusters = signatures.clusters(numpy.arange(batch.size))
    for number, pair in enumerate(pairs):
        one, other = ({tuple(each[at : at + 3]) for at in range(118)} for each in pair)
        overlap = len(one & other) / len(one | other)
        together = clusters[2 * number] == clusters[2 * number + 1]
        assert together == (overlap > 0.9) or 0.6 < overlap < 0.9
    assert all(clusters[2 * number] == 2 * number for number in range(200))


def test_words_are_the_same_whatever_their_case_and_punctuation() -> None:
    one, other = (
        words_of(batch_of([each])).hashes.tolist() for each in ("Hello, big WORLD-wide", "hello big world wide")
    )
    assert one == other and len(one) == 4
    assert len(words_of(batch_of(["日本語 text"])).hashes) == 4


def test_the_score_is_the_documented_sum(tmp_path: Path) -> None:
    found = inspected(tmp_path, rows(PLANTED["secrets"], PLANTED["refusals"]))
    assert found.quality is not None
    points = {each.finding: each.points for each in found.quality.reasons}
    assert points["secrets"] == pytest.approx(40 / 202, abs=0.01)
    assert points["refusals"] == pytest.approx(20 / 202, abs=0.01)
    assert found.quality.score == pytest.approx(100 - sum(points.values()), abs=0.06)
    assert sum(found.quality.row_scores.counts) == 202 == sum(found.quality.row_lengths.counts)
    assert score_of(0) == 100 and score_of(MARKS["secrets"].mask | MARKS["refusals"].mask) == 40
    assert score_of((1 << len(MARKS)) - 1) == 0


def test_rows_can_be_paged_by_score_and_length_and_filtered(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(rows(PLANTED["secrets"], PLANTED["untrimmed"], PLANTED["lopsided"])))
    dataset = import_file(tmp_path / "ds", tmp_path / "a.jsonl")
    folder = tmp_path / "ds" / dataset.id
    assert read_quality(folder) is not None and dataset.score == read_quality(folder).score  # type: ignore[union-attr]
    worst = rows_page(folder, 0, 2, by="score")
    assert [(each.quality.row, each.quality.score) for each in worst.rows] == [(201, 60), (202, 94)]
    assert [each.finding for each in worst.rows[0].quality.reasons] == ["secrets"]
    filtered = rows_page(folder, filter=Filter(finding="untrimmed"))
    assert filtered.total == 1 and filtered.rows[0].row.messages[0].content == "Is it trimmed? "
    with pytest.raises(DataError) as caught:
        rows_page(folder, filter=Filter(finding="untrimed"))
    assert "untrimmed" in caught.value.card.actions[0].label
    longest = rows_page(folder, 0, 203, by="length", descending=True).rows
    lengths = [each.quality.characters for each in longest]
    assert lengths == sorted(lengths, reverse=True) and len(longest) == 203
    assert rows_page(folder, 202, 9).rows[0].row == list(rows_in(folder))[202]


@settings(max_examples=40, deadline=None)
@given(
    order=strategies.sampled_from(["row", "score", "length"]),
    descending=strategies.booleans(),
    wanted=strategies.builds(
        Filter,
        finding=strategies.sampled_from(["", "secrets", "untrimmed", "lopsided"]),
        side=strategies.sampled_from([None, "train", "validation", "test"]),
        words=strategies.sampled_from(["", "IS it", "trimmed", "nowhere"]),
        points=strategies.tuples(strategies.integers(0, 100), strategies.integers(0, 100)),
        characters=strategies.tuples(strategies.integers(0, 60), strategies.integers(0, 900)),
    ),
)
def test_a_page_holds_what_a_plain_search_of_all_rows_finds(
    planted: Path, order: Order, descending: bool, wanted: Filter
) -> None:
    every = rows_page(planted, 0, 1_000).rows
    found = [each for each in every if _fits(each, wanted)]
    keys = {
        "row": lambda e: e.quality.row,
        "score": lambda e: e.quality.score,
        "length": lambda e: e.quality.characters,
    }
    found.sort(key=keys[order], reverse=descending)
    page = rows_page(planted, 2, 7, by=order, descending=descending, filter=wanted)
    assert page.total == len(found) and page.rows == tuple(found[2:9])


def _fits(each: PagedRow, wanted: Filter) -> bool:
    seen, said = each.quality, "\n".join(message.content for message in each.row.messages).lower()
    return (
        (not wanted.finding or wanted.finding in [reason.finding for reason in seen.reasons])
        and wanted.side in (None, each.row.split)
        and all(word in said for word in wanted.words.lower().split())
        and wanted.points[0] <= seen.score <= wanted.points[1]
        and wanted.characters[0] <= seen.characters <= wanted.characters[1]
    )


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with some of everything."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "a.jsonl").write_bytes(as_jsonl(rows(*PLANTED.values(), count=40)))
    return folder / "ds" / import_file(folder / "ds", folder / "a.jsonl").id


def test_signatures_in_files_give_the_clusters_that_those_in_memory_give(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'one two three four five six seven eight nine ten' if n % 3 else n} and {n // 6}" for n in range(90)]
    found = []
    for held in (1 << 20, 17):  # the second goes to files after a byte
        monkeypatch.setattr("engine.data.similar.IN_MEMORY", held)
        signatures = Signatures()
        for at in range(0, 90, 30):
            batch = batch_of([f"{text} a b c d e f g h" for text in texts[at : at + 30]])
            signatures.add(*triples_of(words_of(batch)), batch.size)
        found.append(signatures.clusters(numpy.arange(90)).tolist())
    assert found[0] == found[1] and len(set(found[0])) < 90


@given(
    strategies.lists(strategies.sampled_from(["a b c d e f g h i j k", "x", "", "1 2 3 4 5 6 7 8 9 10 11"]), max_size=9)
)
def test_any_texts_have_clusters_of_the_same_texts(given_texts: list[str]) -> None:
    signatures, batch = Signatures(), batch_of(given_texts or [""])
    signatures.add(*triples_of(words_of(batch)), batch.size)
    clusters = signatures.clusters(numpy.arange(batch.size))
    for number, text in enumerate(given_texts):
        assert given_texts[clusters[number]] == text
        if len(text) > 1:
            assert clusters[number] == given_texts.index(text)
