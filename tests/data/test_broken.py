"""A corpus of broken files: each says what is wrong and where, keeps its good rows, and runs nothing."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.errors import DataError
from engine.data.inspect import inspect_file, look_at
from engine.data.report import report_of
from tests.data.fixtures import as_csv, as_jsonl

ROWS = [{"question": f"Question {n}?", "answer": f"Answer {n}"} for n in range(200)]
DEEP = '{"question": ' + "[" * 100_000 + "]" * 100_000 + ', "answer": "a"}'
GOOD = '{"question": "q", "answer": "a"}'

CORPUS: dict[str, tuple[bytes, int, list[tuple[int, object, str]]]] = {
    # what the file is: its bytes, the good rows, and for each bad one its line, its column and words of the message
    "torn gzip": (gzip.compress(as_csv(ROWS), 0)[:1500], 61, [(63, None, "cut off")]),
    "half a JSON": (json.dumps(ROWS, indent=1).encode()[:-20], 199, [(798, None, "middle")]),
    "half a JSON line": (as_jsonl(ROWS)[:-12], 199, [(200, 41, "unterminated string")]),
    "a NUL in a table": (b"question,answer\na,b\nc,d\0d\ne,f\n", 2, [(3, "answer", "NUL")]),
    "a NUL in JSON lines": (
        f'{GOOD}\n{{"question": "q\\u0000", "answer": "a"}}\n{GOOD}'.encode(),
        2,
        [(2, "question", "NUL")],
    ),
    "a raw NUL in JSON lines": (f'{GOOD}\n{{"question": "q\0"}}\n{GOOD}'.encode(), 2, [(2, 16, "control character")]),
    "header only": (b"question,answer\n", 0, []),
    "a value missing": (b"question,answer\na,b\nc,\n,d\n", 1, [(3, "answer", "missing"), (4, "question", "missing")]),
    "mixed line ends": (b"question,answer\r\na,b\nc,d\re,f\r\n", 3, []),
    "a quote never closed": (b'question,answer\na,b\n"c,d\ne,f\n', 2, [(3, None, "never closes")]),
    "numbers as text": (b'question,answer\n1,"2"\n"3",4.50\n', 2, []),
    "nested nulls": (
        f'{GOOD}\n{{"question": null, "answer": {{"a": null}}}}\n'.encode(),
        1,
        [(2, "question", "missing")],
    ),
    "nulls in turns": (
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
        b'{"messages": [null, {"role": null, "content": null}]}\n{"messages": null}\n',
        1,
        [(2, "messages", "not an object"), (3, "messages", "not a list")],
    ),
    "emoji and right-to-left text": ("question,answer\n👩‍👩‍👧‍👦?,שלום עולם\nمرحبا,🇩🇪\n".encode(), 2, []),
    "half an emoji": (b'{"question": "q", "answer": "\\ud83d"}\n' + GOOD.encode(), 1, [(1, "answer", "damaged")]),
    "formulas": (b'question,answer\n"=cmd|\'/C calc\'!A0","=HYPERLINK(""http://x"")"\n@SUM(1),+1\n', 2, []),
    "nested too deeply": (f"{GOOD}\n{DEEP}\n{GOOD}".encode(), 2, [(2, None, "too deeply")]),
    "a number too long": (
        f'{GOOD}\n{{"question": {"9" * 5000}, "answer": "a"}}\n'.encode(),
        1,
        [(2, None, "too long")],
    ),
    "a comma after each line": (f"{GOOD},\n{GOOD},\n".encode(), 2, []),
    "blank lines and byte order marks": (f"\ufeff{GOOD}\n\n\ufeff{GOOD}\n".encode(), 2, []),
    "a single value": (f"{GOOD}\n7\n{GOOD}\n".encode(), 2, [(2, None, "single value")]),
    "two headers": (b"question,answer\na,b\nquestion,answer\nc,d\n", 3, []),
    "UTF-16 cut in half": ("question,answer\na,b\nc,d\n".encode("utf-16")[:-3], 2, []),
    "mixed encodings": ("Frage,Antwort\nüber,ja\n".encode() * 20 + b"\xfcber,nein\n", 39, [(41, "Frage", "damaged")]),
}


@pytest.mark.parametrize(("data", "good", "bad"), CORPUS.values(), ids=CORPUS.keys())
def test_what_is_broken_is_named_and_what_is_whole_is_kept(
    tmp_path: Path, data: bytes, good: int, bad: list[tuple[int, object, str]]
) -> None:
    (tmp_path / "x").write_bytes(data)
    report = report_of(look_at(tmp_path / "x"))
    assert report.rows.read == report.rows.kept + report.rows.bad
    assert (report.rows.kept, [(each.line, each.column) for each in report.bad]) == (
        good,
        [(line, column) for line, column, _ in bad],
    )
    assert all(said in each.problem and each.remedy for each, (_, _, said) in zip(report.bad, bad, strict=True))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_torn_file_gives_the_rows_before_the_tear(tmp_path: Path, pack) -> None:
    rows = [{"question": f"{n} {hash(str(n))}", "answer": f"{hash(str(-n))}"} for n in range(30_000)]
    data = pack(as_jsonl(rows))
    (tmp_path / "x").write_bytes(data[: len(data) * 3 // 4])
    found = inspect_file(tmp_path / "x")
    assert 15_000 < found.rows < 25_000 and found.bad_count == 1
    assert found.bad[0].line == found.rows + 1 and "cut off" in found.bad[0].problem


def test_the_place_is_exact_far_into_a_long_line(tmp_path: Path) -> None:
    whole = json.dumps([{"question": "q" * 400, "answer": "a" * 400}] * 4_000)
    at = whole.index('"answer": ', 3_000_000) + 8
    (tmp_path / "x").write_text(whole[:at] + "?" + whole[at + 1 :])
    found = inspect_file(tmp_path / "x")
    assert (found.rows, [(each.line, each.column) for each in found.bad]) == (3_999, [(1, at + 1)])


def test_what_was_overlooked_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(f"\ufeff{GOOD},\n\n{GOOD}\n".encode())
    said = " ".join(each.what for each in inspect_file(tmp_path / "x").findings)
    assert "a comma at the end" in said and "a blank line" in said and "byte order mark" in said


def test_a_column_that_is_there_twice_is_kept_twice_and_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"question,answer,answer\na,b,c\nd,e,f\n")
    found = inspect_file(tmp_path / "x")
    assert found.columns == ("question", "answer", "answer_2") and found.sample[0].answer == "b"
    assert "duplicate_columns" in [each.id for each in found.findings]


def test_ten_thousand_columns_and_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    names = ["question", "answer", *(f"more_{n}" for n in range(9_998))]
    (tmp_path / "wide").write_text(",".join(names) + "\n" + (",".join(["x"] * 10_000) + "\n") * 5)
    found = inspect_file(tmp_path / "wide")
    assert (found.rows, len(found.columns), found.schema) == (5, 10_000, "instruction")
    for name, text in (
        ("csv", "question,answer\na," + "b" * 10_000_000 + "\nc,d\n"),
        ("jsonl", json.dumps({"question": "a", "answer": "b" * 10_000_000}) + f"\n{GOOD}\n"),
        ("json", json.dumps([{"question": "a", "answer": "b" * 10_000_000}, {"question": "c", "answer": "d"}])),
    ):
        (tmp_path / name).write_text(text)
        found = inspect_file(tmp_path / name)
        assert (found.rows, len(found.sample[0].answer), found.format.name) == (2, 10_000_000, name)


MEASURED = """
import resource, sys
from pathlib import Path
from engine.data.inspect import look_at
from engine.data.nouns import Limits
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = look_at(Path(sys.argv[1]), Limits(warn_bytes=10**10, refuse_bytes=10**10))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(found.rows, (after - before) // (1024 * 1024 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.parametrize("form", ["jsonl", "array", "inside an object", "csv"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: str) -> None:
    record = json.dumps({"question": "what " * 100, "answer": "that " * 100})
    opening, part, closing = {
        "jsonl": ("", record + "\n", ""),
        "array": ("[", record + ",", record + "]"),
        "inside an object": ('{"version": 1, "data": [', record + ",", record + "]}"),
        "csv": ("question,answer\n", "what " * 100 + "," + "that " * 100 + "\n", ""),
    }[form]
    with (tmp_path / "x").open("w") as file:
        file.write(opening)
        for _ in range(60):
            file.write(part * 1_000)
        file.write(closing)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "x")], capture_output=True, text=True, check=True
    )
    rows, grown = map(int, done.stdout.split())
    assert rows in (60_000, 60_001) and (tmp_path / "x").stat().st_size > 60e6
    assert grown < 45, f"{grown} MB for a file of 60 MB"


pieces = some.sampled_from(
    [
        GOOD,
        "question,answer\n",
        "a,b\n",
        '"',
        "{",
        "}",
        "[",
        "]",
        ",",
        "\n",
        "\r",
        "\0",
        "\ufeff",
        '{"messages":',
        "null",
    ]
)
broken = some.lists(pieces | some.text(max_size=5), max_size=30).map("".join)


@settings(max_examples=150, deadline=None)
@given(
    text=broken,
    encoding=some.sampled_from(["utf-8", "utf-16", "cp1252", "utf-8-sig"]),
    pack=some.sampled_from([bytes, gzip.compress, zstandard.compress]),
    cut=some.integers(0, 40),
)
def test_any_broken_file_ends_in_counted_rows_or_a_card(text: str, encoding: str, pack, cut: int) -> None:
    data = pack(text.encode(encoding, "replace"))
    data = data[: len(data) - cut] if cut < 20 else data
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(data)
        try:
            report = report_of(look_at(path))
        except DataError as error:
            assert error.card.why and error.card.actions
            return
        assert report.rows.read == report.rows.kept + report.rows.bad
        assert sum(report.splits.values()) in (0, report.rows.kept)
        assert all(each.problem and each.remedy and each.line >= 1 for each in report.bad)
