"""Rows are divided fairly and for good: by chance, alike for each label, in groups, by time, or as the file says."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.errors import DataError
from engine.data.importing import import_file
from engine.data.library import read_rows
from engine.data.nouns import SplitPlan
from engine.data.split import SIDES, UNSAID, RowKeys, split_rows
from tests.data.fixtures import as_jsonl

numbers = some.lists(some.integers(0, 30), min_size=1, max_size=80)


def sides_of(keys: list[int], plan: SplitPlan, **more: object) -> list[str]:
    """The sides by name."""
    return [SIDES[each] for each in split_rows(RowKeys(contents=array("Q", keys), **more), plan)]  # pyright: ignore[reportArgumentType]


@settings(max_examples=200, deadline=None)
@given(keys=numbers, seed=some.integers(0, 2**31))
def test_a_split_keeps_equal_rows_together_and_depends_on_nothing_else(keys: list[int], seed: int) -> None:
    plan = SplitPlan(seed=seed)
    sides = sides_of(keys, plan)
    by_key = dict(zip(keys, sides, strict=True))
    assert all(by_key[each] == side for each, side in zip(keys, sides, strict=True))
    assert sides == sides_of(keys, plan)
    assert dict(zip(reversed(keys), sides_of(keys[::-1], plan), strict=True)) == by_key
    assert "train" in sides
    assert ("validation" in sides) == (len(set(keys)) > 1)


@settings(max_examples=100, deadline=None)
@given(keys=numbers, data=some.data())
def test_groups_stay_whole_and_so_do_repeats_across_groups(keys: list[int], data: some.DataObject) -> None:
    groups = data.draw(some.lists(some.integers(0, 9), min_size=len(keys), max_size=len(keys)))
    sides = sides_of(keys, SplitPlan(test=0.2), groups=array("Q", groups))
    if len(set(sides)) > 1 and len(set(sides_of(keys, SplitPlan(), groups=array("Q", groups)))) > 1:
        by_key, joined = {}, len(set(groups)) > 1
        for key, side in zip(keys, sides, strict=True):
            assert by_key.setdefault(key, side) == side
        by_group = {}
        one = all(by_group.setdefault(group, side) == side for group, side in zip(groups, sides, strict=True))
        assert one or not joined or _all_connected(keys, groups)


def _all_connected(keys: list[int], groups: list[int]) -> bool:
    """Every row hangs together with every other: such rows cannot be divided by group."""
    seen, todo = set[int](), {groups[0]}
    while todo:
        seen |= todo
        rows = {key for key, group in zip(keys, groups, strict=True) if group in todo}
        todo = {group for key, group in zip(keys, groups, strict=True) if key in rows} - seen
    return seen == set(groups)


@settings(max_examples=50, deadline=None)
@given(count=some.integers(10, 500), seed=some.integers(0, 1000))
def test_the_shares_are_those_asked_for(count: int, seed: int) -> None:
    sides = sides_of(list(range(count)), SplitPlan(seed=seed, validation=0.2, test=0.1))
    assert sides.count("validation") == max(1, round(count * 0.2)) and sides.count("test") == round(count * 0.1)


def test_a_row_that_is_repeated_often_does_not_swell_the_held_out_side() -> None:
    keys = [99] * 50 + list(range(50))
    assert {sides_of(keys, SplitPlan(seed=seed)).count("validation") for seed in range(20)} == {20}


def test_another_seed_holds_out_other_rows() -> None:
    assert sides_of(list(range(100)), SplitPlan(seed=1)) != sides_of(list(range(100)), SplitPlan(seed=2))


def test_each_label_has_the_same_share() -> None:
    labels = array("i", [0] * 80 + [1] * 15 + [2] * 5)
    held = Counter(
        label
        for label, side in zip(labels, sides_of(list(range(100)), SplitPlan(), labels=labels), strict=True)
        if side == "validation"
    )
    assert held == {0: 16, 1: 3, 2: 1}


def test_the_newest_rows_are_held_out_by_time() -> None:
    times = array("d", [float(n * 7 % 20) for n in range(20)])
    sides = sides_of(list(range(20)), SplitPlan(by="time", test=0.1), times=times)
    order = [side for _, side in sorted(zip(times, sides, strict=True))]
    assert order == ["train"] * 14 + ["validation"] * 4 + ["test"] * 2


def test_a_given_split_is_kept_and_validation_is_taken_from_training_where_it_is_missing() -> None:
    said = bytes([0] * 10 + [1] * 3 + [2] * 3 + [UNSAID])
    assert sides_of(list(range(17)), SplitPlan(by="given"), given=said) == [
        *["train"] * 10,
        *["validation"] * 3,
        *["test"] * 3,
        "train",
    ]
    sides = sides_of(list(range(16)), SplitPlan(by="given"), given=bytes([0] * 10 + [2] * 6))
    assert Counter(sides) == {"train": 8, "validation": 2, "test": 6} and sides[10:] == ["test"] * 6


ROWS = [{"question": f"q{n}", "answer": f"a{n}"} for n in range(20)]


def sides_in(folder: Path, dataset: str) -> list[str]:
    return [row.split for row in read_rows(folder, dataset)]


def test_a_column_that_says_the_split_is_followed(tmp_path: Path) -> None:
    words = ["train"] * 14 + ["dev"] * 3 + ["Test"] * 3
    (tmp_path / "x").write_bytes(as_jsonl([{**row, "split": word} for row, word in zip(ROWS, words, strict=True)]))
    dataset = import_file(tmp_path / "ds", tmp_path / "x")
    assert (dataset.train_rows, dataset.validation_rows, dataset.test_rows) == (14, 3, 3)
    assert sides_in(tmp_path / "ds", dataset.id)[-6:] == ["validation"] * 3 + ["test"] * 3
    assert dataset.split.by == "given" and dataset.split.column == "split"


def test_files_named_train_and_test_are_the_split(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-00000.jsonl").write_bytes(as_jsonl(ROWS[:14]))
    (tmp_path / "data" / "validation.jsonl").write_bytes(as_jsonl(ROWS[14:17]))
    (tmp_path / "data" / "test.jsonl").write_bytes(as_jsonl(ROWS[17:]))
    dataset = import_file(tmp_path / "ds", tmp_path / "data")
    assert (dataset.train_rows, dataset.validation_rows, dataset.test_rows) == (14, 3, 3)
    rows = list(read_rows(tmp_path / "ds", dataset.id))
    assert {(row.file, row.split) for row in rows} == {
        ("test.jsonl", "test"),
        ("train-00000.jsonl", "train"),
        ("validation.jsonl", "validation"),
    }


def test_a_split_by_date_and_a_column_that_is_not_there(tmp_path: Path) -> None:
    dated = [{**row, "when": f"2024-01-{1 + n:02d}"} for n, row in enumerate(ROWS)]
    (tmp_path / "x").write_bytes(as_jsonl(dated[::-1]))
    dataset = import_file(tmp_path / "ds", tmp_path / "x", split=SplitPlan(by="time", time="when"))
    assert sides_in(tmp_path / "ds", dataset.id) == ["validation"] * 4 + ["train"] * 16
    with pytest.raises(DataError, match="wen"):
        import_file(tmp_path / "ds", tmp_path / "x", split=SplitPlan(by="time", time="wen"))


def test_answers_to_one_prompt_stay_on_one_side(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{n // 4}", "chosen": f"good {n}", "rejected": "bad"} for n in range(80)]
    (tmp_path / "x").write_text("\n".join(json.dumps(row) for row in rows))
    dataset = import_file(tmp_path / "ds", tmp_path / "x")
    sides: dict[str, str] = {}
    for row in read_rows(tmp_path / "ds", dataset.id):
        assert sides.setdefault(row.messages[0].content, row.split) == row.split
    assert dataset.validation_rows == 16


def test_the_split_belongs_to_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(as_jsonl(ROWS))
    one = import_file(tmp_path / "ds", tmp_path / "x")
    other = import_file(tmp_path / "ds", tmp_path / "x", split=SplitPlan(test=0.2))
    assert one.hash == other.hash and one.id != other.id and other.test_rows == 4
    assert import_file(tmp_path / "ds", tmp_path / "x", split=SplitPlan(test=0.2)).id == other.id
