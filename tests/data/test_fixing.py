"""Fixes make new versions, are recorded, can be undone, and come to the same result from the source anywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import msgspec
import polars
import pytest
from hypothesis import given, strategies

from engine.core.errors import DataError
from engine.data.diff import diff
from engine.data.export import export
from engine.data.fixing import fix, read_recipe, recipe_of, remake
from engine.data.lengths import token_lengths
from engine.data.library import import_file, list_datasets, load_dataset, rows_in
from engine.data.merge import Part, merge, part_from
from engine.data.nouns import EXPORT_FORMATS, Dataset, ExportFormat, Row, Step
from engine.data.quality_report import read_quality
from engine.data.steps import step_from, word_of
from engine.data.versions import delete, undo, versions
from engine.spec.files import write_struct
from tests.data.fixtures import STARTER, as_jsonl
from tests.data.test_quality import KEY, PLANTED, rows


def imported(folder: Path, *more: dict[str, str], name: str = "mine") -> Dataset:
    """Two hundred harmless rows and those given, imported."""
    (folder / f"{name}.jsonl").write_bytes(as_jsonl(rows(*more)))
    return import_file(folder / "ds", folder / f"{name}.jsonl")


def texts_of(folder: Path, dataset: Dataset) -> list[str]:
    return ["\n".join(each.content for each in row.messages) for row in rows_in(folder / "ds" / dataset.id)]


def content_of(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}


FIXED = {
    "drop:duplicates": ("duplicates", 200, ""),
    "drop:near_duplicates": ("near_duplicates", 200, ""),
    "redact": ("secrets", 201, "[KEY]"),
    "repair_encoding": ("encoding_damage", 201, "café"),
    "trim": ("untrimmed", 201, "Is it trimmed?\n"),
    "drop:rows:201": ("refusals", 200, ""),
    "drop:rows:1,3-4,201": ("refusals", 197, ""),
}


@pytest.mark.parametrize(("word", "what"), FIXED.items(), ids=FIXED.keys())
def test_a_fix_makes_a_new_version_and_leaves_the_one_before(
    tmp_path: Path, word: str, what: tuple[str, int, str]
) -> None:
    finding, left, text = what
    before = imported(tmp_path, PLANTED[finding])
    stood = content_of(tmp_path / "ds" / before.id)
    after = fix(tmp_path / "ds", before.id, [step_from(word)])
    assert content_of(tmp_path / "ds" / before.id) == stood
    assert (after.rows, after.parent, after.steps) == (left, before.id, (step_from(word),))
    assert finding in {each.id for each in before.findings} and finding not in {each.id for each in after.findings}
    assert after.score is not None and before.score is not None and after.score >= before.score
    assert text in "\n".join(texts_of(tmp_path, after)) and load_dataset(tmp_path / "ds", "mine") == after
    sides = {row.line: row.split for row in rows_in(tmp_path / "ds" / before.id)}
    assert all(sides[row.line] == row.split for row in rows_in(tmp_path / "ds" / after.id))
    assert after.train_rows + after.validation_rows == after.rows == read_quality_rows(tmp_path, after)


def read_quality_rows(folder: Path, dataset: Dataset) -> int:
    report = read_quality(folder / "ds" / dataset.id)
    return sum(report.row_scores.counts) if report else 0


def test_several_steps_are_one_version_and_are_recorded_in_order(tmp_path: Path) -> None:
    before = imported(tmp_path, PLANTED["secrets"], PLANTED["untrimmed"], PLANTED["duplicates"])
    words = ("redact", "drop:duplicates", "trim")
    made = fix(tmp_path / "ds", "mine", [step_from(each) for each in words])
    assert tuple(map(word_of, made.steps)) == words and made.parent == before.id
    assert len(list_datasets(tmp_path / "ds")) == 2
    assert fix(tmp_path / "ds", before.id, made.steps) == made
    more = fix(tmp_path / "ds", "mine", [step_from("drop:rows:1")])
    found = versions(tmp_path / "ds", before.id)
    assert [each.id for each in found] == [before.id, made.id, more.id]
    assert [each.fixes for each in found] == [(), words, ("drop:rows:1",)]
    assert all(each.bytes > 20_000 for each in found)


def test_undo_goes_back_one_version_and_delete_removes_one(tmp_path: Path) -> None:
    before = imported(tmp_path, PLANTED["duplicates"])
    made = fix(tmp_path / "ds", "mine", [step_from("drop:duplicates")])
    assert undo(tmp_path / "ds", "mine") == before and list_datasets(tmp_path / "ds") == [before]
    with pytest.raises(DataError, match="nothing to undo"):
        undo(tmp_path / "ds", "mine")
    assert fix(tmp_path / "ds", "mine", made.steps).hash == made.hash
    assert delete(tmp_path / "ds", before.id) == before
    assert [each.id for each in list_datasets(tmp_path / "ds")] == [made.id]
    assert sorted(each.name for each in (tmp_path / "ds").iterdir()) == [made.id]


def test_a_recipe_makes_the_same_rows_from_the_source_elsewhere(tmp_path: Path) -> None:
    imported(tmp_path, *PLANTED.values())
    words = ("drop:near_duplicates", "repair_encoding", "redact", "drop:rows:2-9", "drop:refusals", "drop:language:en")
    made = fix(tmp_path / "ds", "mine", [step_from(each) for each in words[:4]])
    made = fix(tmp_path / "ds", made.id, [step_from(each) for each in words[4:5]])
    write_struct(tmp_path / "recipe.json", recipe_of(made))
    shutil.copy(tmp_path / "mine.jsonl", tmp_path / "copy.txt")
    again = remake(tmp_path / "elsewhere", read_recipe(tmp_path / "recipe.json"), tmp_path / "copy.txt")
    assert (again.hash, again.id, again.steps) == (made.hash, made.id, made.steps)
    (tmp_path / "copy.txt").write_bytes(as_jsonl(rows(count=20)))
    with pytest.raises(DataError, match="not the one"):
        remake(tmp_path / "third", recipe_of(made), tmp_path / "copy.txt")


REFUSED = {
    "an unknown fix": ("polish", "no fix"),
    "an unknown finding": ("drop:ugliness", "no fix"),
    "no rows": ("drop:rows:x", "names no rows"),
    "row zero": ("drop:rows:0", "names no rows"),
    "nothing to do": ("drop:duplicates", "Nothing would change"),
    "all rows": ("drop:rows:1-900", "Nothing would be left"),
}


@pytest.mark.parametrize(("word", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_fix_that_cannot_be_done_says_so_and_leaves_nothing(tmp_path: Path, word: str, said: str) -> None:
    before = imported(tmp_path)
    with pytest.raises(DataError, match=said):
        fix(tmp_path / "ds", "mine", [step_from(word)])
    assert [each.name for each in (tmp_path / "ds").iterdir()] == [before.id]


@given(strategies.sets(strategies.integers(1, 10_000), min_size=1, max_size=9))
def test_a_step_is_written_as_it_is_read(numbers: set[int]) -> None:
    step = Step(do="drop", rows=tuple(sorted(numbers)))
    assert step_from(word_of(step)) == step


def test_a_diff_counts_and_shows_what_is_different(tmp_path: Path) -> None:
    before = imported(tmp_path, PLANTED["secrets"])
    after = fix(tmp_path / "ds", before.id, [step_from("redact"), step_from("drop:rows:7,8")])
    found = diff(tmp_path / "ds", before.id, after.id)
    assert (found.same, found.added, found.removed, found.changed) == (198, 0, 2, 1)
    changed, *removed = found.shown
    assert changed.before and KEY in changed.before.prompt and changed.after and KEY not in changed.after.prompt
    assert [each.line for each in removed] == [7, 8] and all(each.after is None for each in removed)
    back = diff(tmp_path / "ds", after.id, before.id)
    assert (back.same, back.added, back.removed, back.changed) == (198, 2, 0, 1)
    other = imported(tmp_path, {"question": "New?", "answer": "Yes."}, name="other")
    found = diff(tmp_path / "ds", before.id, other.id)
    assert (found.same, found.added, found.removed, found.changed) == (200, 1, 1, 0)


CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TALKS = {
    "pairs": [{"question": "Q “1”\n?", "answer": "A"}, {"question": "Q2?", "answer": "B"}],
    "chat": [
        {
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": f"Hello {n}"},
                {"role": "assistant", "content": "Hi"},
                {"role": "user", "content": "And?"},
                {"role": "assistant", "content": f"So {n}"},
            ]
        }
        for n in range(3)
    ],
    "tools": [
        {
            "messages": [
                {"role": "user", "content": f"1+{n}"},
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": "2", "tool_call_id": "c1"},
                {"role": "assistant", "content": "Two"},
            ],
            "tools": [{"type": "function", "function": {"name": "add"}}],
        }
        for n in range(3)
    ],
    "preferences": [{"prompt": f"P{n}", "chosen": f"good {n}", "rejected": "bad"} for n in range(3)],
    "ratings": [{"prompt": f"P{n}", "completion": f"c{n}", "label": n % 2 == 0} for n in range(4)],
    "text": [{"text": f"A text number {n}.\n\nWith two paragraphs."} for n in range(3)],
}
CANNOT = {("tools", "alpaca"), ("ratings", "alpaca"), ("ratings", "openai")} | {
    ("text", each) for each in ("alpaca", "sharegpt", "openai")
}
RENAMED = {("tools", "sharegpt"), ("preferences", "openai"), ("pairs", "parquet")}
"""Forms that other programs read and ours only in part: ids of calls, OpenAI's preferences."""


@pytest.mark.parametrize("format", EXPORT_FORMATS)
@pytest.mark.parametrize("kind", TALKS)
def test_an_export_read_again_gives_the_same_rows(tmp_path: Path, kind: str, format: ExportFormat) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, TALKS[kind])))
    dataset = import_file(tmp_path / "ds", tmp_path / "in.jsonl")
    target = tmp_path / "out"
    if (kind, format) in CANNOT:
        with pytest.raises(DataError):
            export(tmp_path / "ds", dataset.id, format, target)
        assert not target.exists()
        return
    done = export(tmp_path / "ds", dataset.id, format, target)
    assert (done.rows, done.bytes) == (dataset.rows, target.stat().st_size)
    if (kind, format) not in RENAMED:
        again = import_file(tmp_path / "again", target)
        assert plain(tmp_path / "again" / again.id) == plain(tmp_path / "ds" / dataset.id)


def plain(folder: Path) -> list[Row]:
    return [msgspec.structs.replace(each.row, tools=each.tools and "given") for each in rows_in(folder)]


def test_exports_have_the_fields_that_other_programs_want(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, TALKS["chat"])))
    dataset = import_file(tmp_path / "ds", tmp_path / "in.jsonl")
    for format in EXPORT_FORMATS:
        export(tmp_path / "ds", dataset.id, format, tmp_path / f"{format}.json")
    alpaca = json.loads((tmp_path / "alpaca.json").read_text())[0]
    assert alpaca == {
        "instruction": "And?",
        "input": "",
        "output": "So 0",
        "system": "Be kind.",
        "history": [["Hello 0", "Hi"]],
    }
    sharegpt = json.loads((tmp_path / "sharegpt.json").read_text())[0]
    assert [each["from"] for each in sharegpt["conversations"]] == ["system", "human", "gpt", "human", "gpt"]
    assert list(json.loads((tmp_path / "openai.json").read_text())[0]) == ["messages"]
    with pytest.raises(DataError, match="exists already"):
        export(tmp_path / "ds", dataset.id, "jsonl", tmp_path / "alpaca.json")
    export(tmp_path / "ds", dataset.id, "parquet", tmp_path / "x.parquet")
    assert polars.read_parquet(tmp_path / "x.parquet")["messages"][0][0]["role"] == "system"


def test_datasets_are_merged_with_their_weights(tmp_path: Path) -> None:
    one = imported(tmp_path, PLANTED["untrimmed"])
    other = imported(tmp_path, PLANTED["refusals"], name="other")
    both = merge(tmp_path / "ds", [Part("mine"), part_from("other=0.5")], name="both")
    assert 201 + 70 < both.rows < 201 + 131 and both.schema == one.schema and both.name == "both"
    assert merge(tmp_path / "ds", [Part(one.id), Part(other.id, 0.5)], name="both") == both
    assert merge(tmp_path / "ds", [Part("mine"), part_from("other=0.5")], seed=7).hash != both.hash
    assert merge(tmp_path / "ds", [Part("mine", 2)]).rows == 402
    (tmp_path / "t.txt").write_text("One.\n\nTwo.\n")
    text = import_file(tmp_path / "ds", tmp_path / "t.txt")
    with pytest.raises(DataError, match="cannot be put together"):
        merge(tmp_path / "ds", [Part(one.id), Part(text.id)])
    with pytest.raises(DataError, match="weight"):
        part_from("mine=0")


def test_tokens_are_counted_in_a_sample_with_its_interval_or_in_every_row(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(as_jsonl(rows(count=2_400)))
    dataset = import_file(tmp_path / "ds", tmp_path / "x.jsonl")
    folder = tmp_path / "ds" / dataset.id
    sample, every = (token_lengths(folder, STARTER, every=each) for each in (False, True))
    assert (sample.rows, sample.of, every.rows, every.measured) == (2_000, 2_400, 2_400, "starter")
    assert abs(sample.mean - every.mean) < 0.05 * every.mean
    assert all(one.low <= other.share <= one.high for one, other in zip(sample.truncated, every.truncated, strict=True))
    assert every.truncated[0].low == every.truncated[0].high == every.truncated[0].share
