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
