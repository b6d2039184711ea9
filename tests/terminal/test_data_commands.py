"""`peft-studio data`: what inspect prints is a contract, and import follows the mapping."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CONTRACT = ["format", "encoding", "schema", "roles", "rows", "bad", "findings", "splits"]


def printed(folder: Path, *words: str, stdin: str = "") -> tuple[int, dict]:
    """The one object that a command prints, and its exit code."""
    command = [sys.executable, "-m", "studio.cli", *words, "--json", "--home", str(folder / "home")]
    done = subprocess.run(command, capture_output=True, text=True, input=stdin, check=False, timeout=120)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


SEEN = {
    "a table": ("Frage;Antwort\n" + "Was?;Das.\n" * 3, "csv", "instruction", ["instruction", "output"]),
    "tabs": ("context\tquestion\tanswer\n" + "c\tq\ta\n" * 3, "tsv", "instruction", ["input", "instruction", "output"]),
    "conversations": (
        '{"id": 1, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n' * 3,
        "jsonl",
        "chat",
        ["ignored", "messages"],
    ),
    "preferences": (
        '{"prompt": "q", "chosen": "a", "rejected": "b"}\n' * 3,
        "jsonl",
        "preference",
        ["instruction", "chosen", "rejected"],
    ),
    "ratings": (
        '{"prompt": "q", "completion": "a", "label": true}\n' * 3,
        "jsonl",
        "kto",
        ["instruction", "output", "label"],
    ),
    "choices": (
        '[{"question": "q", "choices": ["x", "y"], "answer": 0}]',
        "json",
        "multiple_choice",
        ["instruction", "input", "output"],
    ),
    "labels": (
        "text,label\n" + "\n".join(f"a message number {n},{'good' if n % 2 else 'poor'}" for n in range(9)),
        "csv",
        "classification",
        ["text", "label"],
    ),
    "prose": ("A first paragraph.\n\nA second one.\n", "text", "text", ["text"]),
}


@pytest.mark.parametrize(("text", "format", "schema", "roles"), SEEN.values(), ids=SEEN.keys())
def test_inspect_prints_the_contract_and_nothing_beyond_it(
    tmp_path: Path, text: str, format: str, schema: str, roles: list[str]
) -> None:
    (tmp_path / "data").write_text(text)
    code, found = printed(tmp_path, "data", "inspect", str(tmp_path / "data"))
    assert code == 0 and list(found) == CONTRACT
    assert (found["format"], found["encoding"], found["schema"]) == (format, "utf-8", schema)
    assert [each["role"] for each in found["roles"]] == roles
    assert all(list(each) == ["column", "role", "confidence"] for each in found["roles"])
    assert list(found["rows"]) == ["read", "kept", "bad"] and found["rows"]["bad"] == 0
    assert all(list(each) == ["id", "level", "rows", "share", "fix"] for each in found["findings"])
    assert all(each["id"] for each in found["findings"])
    assert sum(found["splits"].values()) == found["rows"]["kept"]


def test_bad_rows_are_listed_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("question,answer\na,b\nc\nd,e\n,f\n")
    _, found = printed(tmp_path, "data", "inspect", str(tmp_path / "data"))
    assert found["rows"] == {"read": 4, "kept": 2, "bad": 2}
    assert [list(each) for each in found["bad"]] == [["line", "column", "problem", "remedy"]] * 2
    assert [(each["line"], each["column"]) for each in found["bad"]] == [(3, "answer"), (5, "question")]


def test_a_file_without_one_good_row_is_still_told_in_full(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("question,answer\n")
    code, found = printed(tmp_path, "data", "inspect", str(tmp_path / "data"))
    assert code == 0 and list(found) == CONTRACT and found["rows"]["kept"] == 0
    assert [each["id"] for each in found["findings"]] == ["no_rows"]


def test_unclear_columns_are_a_finding_and_a_mapping_settles_them(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("foo,bar\nsome words,other words\nmore words,yet others\n")
    _, found = printed(tmp_path, "data", "inspect", str(tmp_path / "data.csv"))
    assert [each["id"] for each in found["findings"]] == ["unclear_columns"]
    words = ("--map", "instruction=Say {foo}", "--map", "output=bar")
    _, found = printed(tmp_path, "data", "inspect", str(tmp_path / "data.csv"), *words)
    assert [(each["role"], each["confidence"]) for each in found["roles"]] == [("instruction", 1.0), ("output", 1.0)]


def test_pasted_text_and_a_split_of_ones_own(tmp_path: Path) -> None:
    rows = "question,answer\n" + "".join(f"q{n},a{n}\n" for n in range(20))
    code, found = printed(tmp_path, "data", "inspect", "-", "--split", "test=0.25", stdin=rows)
    assert code == 0 and found["splits"] == {"train": 11, "validation": 4, "test": 5}
    code, found = printed(tmp_path, "data", "inspect", "-", "--split", "tset=0.25", stdin=rows)
    assert code == 1 and "test" in found["error"]["actions"][0]["label"]
