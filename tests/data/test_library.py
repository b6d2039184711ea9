"""Datasets are found again by content, split fairly and for good, and appear whole or not at all."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import polars
import pytest

from engine.core.errors import DataError, StorageError
from engine.data.library import import_file, list_datasets, load_dataset, read_bad, read_rows
from engine.data.nouns import Mapping, Message, Row
from engine.data.split import content_key
from engine.data.study import study
from engine.data.tally import tokens_of
from tests.data.fixtures import as_csv, as_jsonl

ROWS = [{"question": f"Question {n}?", "answer": f"Answer\n{n}, “so”"} for n in range(20)]


def test_rows_that_differ_in_case_and_space_are_the_same_content() -> None:
    one = Row(messages=(Message("user", "Hello  there"), Message("assistant", "Ａnswer")))
    other = Row(messages=(Message("user", "hello there\n"), Message("assistant", "answer")))
    third = Row(messages=(Message("user", "hello"), Message("assistant", "there answer")))
    assert content_key(one) == content_key(other) != content_key(third)


def test_the_same_rows_from_any_format_are_the_same_dataset(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(ROWS))
    (tmp_path / "b.jsonl").write_bytes(as_jsonl(ROWS))
    (tmp_path / "c.json").write_text(json.dumps(ROWS))
    polars.DataFrame(ROWS).write_parquet(tmp_path / "d.parquet")
    found = [import_file(tmp_path / "ds", tmp_path / name) for name in ("a.csv", "b.jsonl", "c.json", "d.parquet")]
    assert len({each.hash for each in found}) == 1 and len(list_datasets(tmp_path / "ds")) == 1
    assert all(each == found[0] for each in found)
    other = import_file(tmp_path / "ds", tmp_path / "a.csv", seed=7)
    assert other.hash == found[0].hash and other.id != found[0].id
    mapped = import_file(
        tmp_path / "ds",
        tmp_path / "a.csv",
        mapping=Mapping(schema="instruction", instruction="answer", output="question"),
    )
    assert mapped.hash != found[0].hash


def test_a_dataset_counts_add_up_and_rows_come_back(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv([*ROWS, ROWS[0]]) + b"broken\r\n")
    before = (tmp_path / "a.csv").read_bytes()
    dataset = import_file(tmp_path / "ds", tmp_path / "a.csv", name="Mine")
    rows = list(read_rows(tmp_path / "ds", dataset.id))
    assert (dataset.rows, dataset.bad, dataset.duplicates) == (21, 1, 1) == (len(rows), 1, 1)
    assert dataset.train_rows + dataset.validation_rows == dataset.rows
    assert sum(row.split == "train" for row in rows) == dataset.train_rows
    assert [(row.messages[0].content, row.messages[1].content) for row in rows[:20]] == [
        (row["question"], row["answer"]) for row in ROWS
    ]
    assert [row.line for row in rows[:3]] == [2, 4, 6]  # each answer spans two lines
    assert len(list(read_rows(tmp_path / "ds", dataset.id, "validation"))) == dataset.validation_rows
    assert [each.line for each in read_bad(tmp_path / "ds", dataset.id)] == [44]
    assert (tmp_path / "a.csv").read_bytes() == before


def test_nothing_is_left_behind_by_an_import_that_fails(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answer\nx\n")
    with pytest.raises(DataError):
        import_file(tmp_path / "ds", tmp_path / "a.csv")
    assert not (tmp_path / "ds").exists() or list((tmp_path / "ds").iterdir()) == []


def test_what_a_killed_import_left_is_cleared_after_a_day_and_a_broken_dataset_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(ROWS))
    made = import_file(tmp_path / "ds", tmp_path / "a.csv")
    for name, age in ((".work-old", 100_000), (".work-new", 10)):
        (tmp_path / "ds" / name).mkdir()
        os.utime(tmp_path / "ds" / name, (time.time() - age, time.time() - age))
    (tmp_path / "ds" / made.id / "dataset.json").write_text("{")
    assert list_datasets(tmp_path / "ds") == []
    assert import_file(tmp_path / "ds", tmp_path / "a.csv").id == made.id
    assert sorted(each.name for each in (tmp_path / "ds").iterdir()) == [".work-new", made.id]


def test_a_folder_that_cannot_be_written_is_a_card(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(ROWS))
    (tmp_path / "ds").write_text("a file in the way")
    with pytest.raises(StorageError):
        import_file(tmp_path / "ds", tmp_path / "a.csv")


def test_a_dataset_is_found_by_id_beginning_and_name(tmp_path: Path) -> None:
    (tmp_path / "support.csv").write_bytes(as_csv(ROWS))
    made = import_file(tmp_path / "ds", tmp_path / "support.csv")
    for wanted in (made.id, made.id[:5], "support", "SUPPORT"):
        assert load_dataset(tmp_path / "ds", wanted) == made
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path / "ds", "suport")
    assert "support" in caught.value.card.actions[0].label and made.id in caught.value.card.why
    import_file(tmp_path / "ds", tmp_path / "support.csv", seed=1)
    with pytest.raises(DataError, match="several"):
        load_dataset(tmp_path / "ds", "support")
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path / "empty", "x")
    assert "imported" in caught.value.card.why


FINDINGS = {
    "few": ([{"question": f"q{n}", "answer": f"a{n}"} for n in range(9)], "only 9 rows"),
    "repeats": (ROWS * 2, "repeating another"),
    "one answer": ([{"question": f"q{n}", "answer": "yes" if n else "no"} for n in range(20)], "One answer"),
    "long answers": ([{"question": f"q{n}", "answer": f"{n} " * 3000} for n in range(3)], "Answers are long"),
    "damage": ([{"question": f"q{n}", "answer": f"grÃ¼Ã©{n}"} for n in range(3)], "damaged"),
    "one row": ([{"question": "q", "answer": "a"}] * 2, "one different row"),
}


def exact(asked: int = 40, said: int = 40, missing: int = 0, repeats: int = 0) -> list[dict[str, str]]:
    """A hundred rows whose texts are so long, some without an answer, some said before."""
    rows = [{"question": f"{n:0>{asked}}", "answer": f"{n:0>{said}}"} for n in range(100)]
    for number in range(missing):
        rows[number]["answer"] = ""
    return [*rows[: 100 - repeats], *rows[missing : missing + repeats]]


THRESHOLDS = {
    "missing, 5 %": (exact(missing=5), "missing_values", "info"),
    "missing, over 5 %": (exact(missing=6), "missing_values", "warning"),
    "repeats, 2 %": (exact(repeats=2), "duplicates", "info"),
    "repeats, over 2 %": (exact(repeats=3), "duplicates", "warning"),
    "questions of 10 tokens": (exact(asked=40), "short_input", None),
    "questions of under 10 tokens": (exact(asked=36), "short_input", "info"),
    "answers of 1,000 tokens": (exact(said=4000), "long_output", None),
    "answers of over 1,000 tokens": (exact(said=4004), "long_output", "warning"),
}


@pytest.mark.parametrize(("rows", "id", "level"), THRESHOLDS.values(), ids=THRESHOLDS.keys())
def test_findings_are_raised_at_their_thresholds(
    tmp_path: Path, rows: list[dict[str, str]], id: str, level: str | None
) -> None:
    (tmp_path / "x").write_bytes(as_jsonl(rows))
    found = import_file(tmp_path / "ds", tmp_path / "x").findings
    assert next((each.level for each in found if each.id == id), None) == level


def test_tokens_are_estimated_alike_for_one_text_and_for_many() -> None:
    texts = ["", "abc", "abcd", "grün und weiß", "日本語の文章", "e\u0301🎉 mixed", "x" * 401]
    assert study(texts, [0] * len(texts)).tokens.tolist() == [tokens_of(each) for each in texts]


def test_the_share_of_a_finding_is_of_the_rows_and_of_the_records_where_they_are_left_out(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "answer": f"a{n}"} for n in range(96)]
    (tmp_path / "x").write_bytes(as_jsonl(rows) + b"\nbroken" * 3)
    found = {each.id: each for each in import_file(tmp_path / "ds", tmp_path / "x").findings}
    assert (found["short_input"].rows, found["short_input"].share) == (96, 1.0)
    assert (found["bad_rows"].rows, found["bad_rows"].share) == (3, 0.0303)


@pytest.mark.parametrize(("rows", "said"), FINDINGS.values(), ids=FINDINGS.keys())
def test_what_is_worth_knowing_is_found(tmp_path: Path, rows: list[dict[str, str]], said: str) -> None:
    (tmp_path / "x").write_bytes(as_jsonl(rows))
    found = import_file(tmp_path / "ds", tmp_path / "x").findings
    assert any(said in each.what and each.why and each.fix for each in found)
