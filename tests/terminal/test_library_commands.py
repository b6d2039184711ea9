"""`peft-studio data` on datasets that are there: each command does what it says and prints one object."""

from __future__ import annotations

import json
from pathlib import Path

from engine.data.importing import import_file
from tests.terminal.test_data_commands import printed

ROWS = [{"question": f"What is {n} and {n}?", "answer": f"Together {2 * n}."} for n in range(30)]


def imported(folder: Path) -> str:
    """Thirty rows, one of them twice, one with an address."""
    private = {"question": "Who are you?", "answer": "I am jane.roe@mail.org"}
    (folder / "sums.json").write_text(json.dumps([*ROWS, ROWS[3], private]))
    return import_file(folder / "home" / "datasets", folder / "sums.json").id


def test_a_dataset_is_fixed_compared_and_undone(tmp_path: Path) -> None:
    before = imported(tmp_path)
    code, made = printed(tmp_path, "data", "fix", "sums", "drop:duplicates", "redact")
    assert code == 0 and (made["rows"], made["parent"], len(made["steps"])) == (31, before, 2)
    _, found = printed(tmp_path, "data", "diff", before, made["id"])
    assert [found[each] for each in ("same", "added", "removed", "changed")] == [30, 0, 1, 1]
    _, line = printed(tmp_path, "data", "versions", "sums")
    assert [each["fixes"] for each in line] == [[], ["drop:duplicates", "redact"]]
    (tmp_path / "recipe.json").write_text(json.dumps(printed(tmp_path, "data", "recipe", "sums")[1]))
    _, back = printed(tmp_path, "data", "undo", "sums")
    assert back["id"] == before
    _, again = printed(tmp_path, "data", "remake", str(tmp_path / "recipe.json"), str(tmp_path / "sums.json"))
    assert again["hash"] == made["hash"]
    code, refused = printed(tmp_path, "data", "fix", "sums", "polish")
    assert code == 1 and "no fix" in refused["error"]["what"]


def test_an_import_follows_its_split_its_rows_and_standard_input(tmp_path: Path) -> None:
    rows = "question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(20))
    words = ("--split", "validation=0.1", "--split", "test=0.25", "--split", "seed=7", "--name", "pasted")
    code, made = printed(tmp_path, "data", "import", "-", *words, stdin=rows)
    assert code == 0 and (made["name"], made["validation_rows"], made["test_rows"]) == ("pasted", 2, 5)
    assert made["split"]["seed"] == 7
    (tmp_path / "prose.txt").write_text("One line.\nTwo lines.\n\nThree lines.\nFour lines.\n")
    _, text = printed(tmp_path, "data", "import", str(tmp_path / "prose.txt"), "--text-rows", "lines")
    assert (text["rows"], text["text_rows"]) == (4, "lines")


def test_columns_are_mapped_anew_and_rows_are_shown_by_their_points(tmp_path: Path) -> None:
    imported(tmp_path)
    _, shown = printed(tmp_path, "data", "show", "sums", "--rows", "2", "--sort", "score")
    assert shown["total"] == 32 and [each["row"] for each in shown["quality"]] == [31, 32]
    assert [each["score"] for each in shown["quality"]] == [80, 85]
    _, found = printed(tmp_path, "data", "show", "sums", "--words", "JANE.roe")
    assert found["total"] == 1 and "jane.roe" in found["rows"][0]["messages"][1]["content"]
    words = ("--map", "instruction=Sum: {question}", "--map", "output=answer")
    code, made = printed(tmp_path, "data", "remap", "sums", *words)
    assert code == 0 and made["mapping"]["instruction"] == "Sum: {question}" and made["steps"][-1]["do"] == "remap"
    _, hidden = printed(tmp_path, "data", "fix", "sums", "hide:rows:1,2")
    assert (hidden["rows"], hidden["hidden"]) == (30, 2)
    assert printed(tmp_path, "data", "fix", "sums", "show")[1]["id"] == made["id"]


def test_a_dataset_is_shown_as_the_model_sees_it_exported_merged_and_deleted(tmp_path: Path) -> None:
    imported(tmp_path)
    _, shown = printed(tmp_path, "data", "show", "sums", "--rendered", "--model", "starter", "--rows", "1")
    (row,) = shown["rows"]
    learned = "".join(each["text"] for each in row["segments"] if each["trained"])
    number = row["source_row"]
    assert learned.startswith(f"Together {2 * number}.") and f"What is {number} and" in row["segments"][0]["text"]
    out = tmp_path / "out.json"
    _, done = printed(tmp_path, "data", "export", "sums", "--format", "alpaca", "--out", str(out))
    assert done["rows"] == 32 == len(json.loads(out.read_text()))
    _, both = printed(tmp_path, "data", "merge", "sums", "sums=0.5", "--name", "more")
    assert 32 < both["rows"] < 64 and both["name"] == "more"
    assert printed(tmp_path, "data", "delete", "more")[1]["id"] == both["id"]
    assert len(printed(tmp_path, "data", "list")[1]) == 1
