"""Files of any kind become the rows that were written, each problem with its line, and nothing disappears."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import tracemalloc
from pathlib import Path

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.errors import DataError
from engine.data.documents import read_document
from engine.data.inspect import inspect_file
from engine.data.nouns import BadRow, Limits, Record
from engine.data.read import read_source
from engine.data.sources import open_source
from tests.data.fixtures import as_csv, as_jsonl, table_texts, texts

QUICK = settings(max_examples=60, deadline=None)


def records_of(data: bytes) -> list[Record | BadRow]:
    """What a file of these bytes holds; its name says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(data)
        return list(read_source(open_source(path, Limits())))


def values_of(data: bytes) -> list[dict[str, object]]:
    found = records_of(data)
    assert not [each for each in found if isinstance(each, BadRow)]
    return [dict(each.values) for each in found if isinstance(each, Record)]


def pairs(cells: some.SearchStrategy[str]) -> some.SearchStrategy[list[dict[str, str]]]:
    return some.lists(some.fixed_dictionaries({"question": cells, "answer": cells}), min_size=1, max_size=6)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"], ids=["comma", "tab", "semicolon", "bar"])
@QUICK
@given(rows=pairs(table_texts))
def test_a_table_gives_back_the_rows_that_were_written(delimiter: str, rows: list[dict[str, str]]) -> None:
    assert values_of(as_csv(rows, delimiter)) == rows


@QUICK
@given(rows=pairs(texts), indent=some.sampled_from([None, 1]))
def test_json_and_json_lines_give_back_the_rows_that_were_written(
    rows: list[dict[str, str]], indent: int | None
) -> None:
    assert values_of(json.dumps(rows, indent=indent).encode()) == rows
    assert values_of(json.dumps({"version": 1, "data": rows}, indent=indent).encode()) == rows
    assert values_of(as_jsonl([*rows, *rows])) == rows * 2


@QUICK
@given(rows=pairs(texts))
def test_json_by_columns_gives_back_the_rows(rows: list[dict[str, str]]) -> None:
    columns = {name: [row[name] for row in rows] for name in ("question", "answer")}
    assert values_of(json.dumps(columns).encode()) == rows


@pytest.mark.parametrize("keyed", [False, True], ids=["lists", "row numbers"])
def test_a_document_by_columns_is_not_held_in_memory(keyed: bool) -> None:
    count = 10_000
    columns = {name: [f"{name} {n} " + "x" * 1000 for n in range(count)] for name in ("question", "answer")}
    written = {name: dict(enumerate(cells)) for name, cells in columns.items()} if keyed else columns
    document = json.dumps(written).encode()
    tracemalloc.start()
    seen = sum(isinstance(each, Record) for each in read_document(io.TextIOWrapper(io.BytesIO(document), "utf-8")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == count and peak < len(document) / 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_encoding_is_found_from_the_bytes(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes("question,answer\nWie heißt du?,Jörg – sehr erfreut\nWas?,Äpfel\n".encode(encoding))
    source = open_source(path, Limits())
    format = source.format
    assert (format.name, format.encoding) == ("csv", encoding)
    first = next(iter(read_source(source)))
    assert isinstance(first, Record) and first.values == {"question": "Wie heißt du?", "answer": "Jörg – sehr erfreut"}


def test_an_odd_byte_far_behind_the_sample_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"question,answer\n" + b"a question,an answer\n" * 30_000 + "müde,ja\n".encode("cp1252"))
    assert open_source(path, Limits()).format.encoding == "cp1252"


def test_a_few_damaged_bytes_cost_only_their_row(tmp_path: Path) -> None:
    good = "Äpfel,Öl und Übermut\n".encode() * 20
    (tmp_path / "data.csv").write_bytes(b"question,answer\n" + good + b"\xff,x\n" + good)
    found = inspect_file(tmp_path / "data.csv")
    assert (found.rows, found.bad_count, found.bad[0].line) == (40, 1, 22)


def test_gzip_is_looked_through(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(b'{"question":"a","answer":"b"}\n{"question":"c","answer":"d"}\n'))
    assert inspect_file(path).rows == 2


def test_parquet_keeps_nested_and_missing_values(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    polars.DataFrame({"messages": [turns, None], "n": [1, 2]}).write_parquet(tmp_path / "x")
    found = inspect_file(tmp_path / "x")
    assert (found.format.name, found.rows, found.bad_count, found.bad[0].line) == ("parquet", 1, 1, 2)


ODD = {
    "Excel's hint": "sep=;\nquestion;answer\na;b\nc;d\n",
    "blank lines around": "\n\nquestion,answer\na,b\nc,d\n\n\n",
    "Windows line ends": "question,answer\r\na,b\r\nc,d\r\n",
    "backslashes before quotes": 'id,question,answer\n"\\"1\\"",a,b\n"\\"2\\"",c,d\n',
    "objects one after the other": '{\n"question":"a",\n"answer":"b"}\n{\n"question":"c","answer":"d"}',
    "a viewer's export": '{"features":[{"name":"question"}],"rows":[{"row_idx":0,"row":{"question":"a","answer":"b"}},'
    '{"row_idx":1,"row":{"question":"c","answer":"d"}}]}',
    "pandas": '{"question":{"0":"a","1":"c"},"answer":{"0":"b","1":"d"}}',
    "pandas with names and rows apart": '{"columns":["question","answer"],"index":[0,1],"data":[["a","b"],["c","d"]]}',
    "short names": "q,a\na,b\nc,d\n",
    "German names": "Frage;Antwort\na;b\nc;d\n",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_but_whole_files_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "data").write_bytes(text.encode())
    found = inspect_file(tmp_path / "data")
    assert found.bad_count == 0
    assert [(row.prompt, row.answer) for row in found.sample] == [("a", "b"), ("c", "d")]


def test_a_second_list_in_a_document_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    train = [{"question": "a", "answer": "b"}, {"question": "c", "answer": "d"}]
    (tmp_path / "x").write_text(json.dumps({"train": train, "test": train[:1], "features": [{"name": "question"}]}))
    found = inspect_file(tmp_path / "x")
    assert found.rows == 2 and [("“test”" in each.problem) for each in found.bad] == [True]


def test_plain_text_is_read_by_paragraph_and_prose_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Hello, world\nBye, world\n\nAnother, thing\n\n\n")
    records = list(read_source(open_source(tmp_path / "a", Limits())))
    assert records == [Record(1, {"text": "Hello, world\nBye, world"}), Record(4, {"text": "Another, thing"})]
    (tmp_path / "b").write_text("one\ntwo\nthree\n\n")
    assert len(list(read_source(open_source(tmp_path / "b", Limits())))) == 3


BROKEN = {
    "row with a value too few": ('question,answer\n"a\nb",c\nd\ne,f\n', [4], 2),
    "row with a value too many": ("question,answer\na,b\nc,d,e\n", [3], 1),
    "quote that never closes": ('question,answer\na,b\n"open,x\nc,d\ne,f\n', [3], 3),
    "quote inside a quoted value": ('question,answer\na,b\n"he "said" so",x\nc,d\n', [3], 2),
    "JSON line": ('{"question":"a","answer":"b"}\n\n{"question": \n{"question":"c","answer":"d"}\n', [3], 2),
    "JSON element": ('[{"question":"a","answer":"b"},\n{"question" "x"},\n{"question":"c","answer":"d"}]', [2], 2),
    "cut off JSON": ('[{"question":"a","answer":"b"},\n{"question":"c","ans', [2], 1),
    "cut off conversation": (
        '[{"question":"a","answer":"b"},\n{"messages":[{"role":"user","content":"a"},{"role":"user","content":"a"},{"ro',
        [2],
        1,
    ),
    "cut off JSON inside an object": ('{"data": [\n{"question":"a","answer":"b"},\n{"question":"c", "a', [3], 1),
    "cut off table": ("question,answer\na,b\nc,d\ne", [4], 2),
    "missing answer": ("question,answer\na,b\nc,\n", [3], 1),
    "lone surrogate": ('{"question":"a","answer":"\\ud800"}\n{"question":"c","answer":"d"}\n', [1], 1),
}


@pytest.mark.parametrize(("data", "lines", "good"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_record_names_its_line_and_the_good_ones_stay(
    tmp_path: Path, data: str, lines: list[int], good: int
) -> None:
    path = tmp_path / "data"
    path.write_bytes(data.encode())
    found = inspect_file(path)
    assert ([each.line for each in found.bad], found.rows) == (lines, good)
    assert found.read == found.rows + found.bad_count
    assert all(each.problem and each.remedy for each in found.bad)


BAD = {
    "empty": (b"", "is empty"),
    "only white space": (b" \n\n ", "is empty"),
    "picture": (b"\x89PNG\r\n\x1a\n\x00\x00", "not a data file"),
    "program": (b"MZ\x90\x00\x03", "not a data file"),
    "half an archive": (b"PK\x03\x04\x14\x00", "cut off or damaged"),
    "web page": (b"<!DOCTYPE html><html>", "not a data file"),
    "random bytes": (bytes(range(256)) * 4, "not a data file"),
    "half a parquet": (b"PAR1" + b"x" * 100, "cut off"),
    "damaged parquet": (b"PAR1" + b"x" * 100 + b"PAR1", "cut off"),
    "one torn object": (b'{"question": "a", "ans', "can be used"),
    "an empty object": (b"{}", "can be used"),
    "no good row": (b"question,answer\na\nb\n", "can be used"),
}


@pytest.mark.parametrize(("data", "what"), BAD.values(), ids=BAD.keys())
def test_a_file_that_cannot_be_used_ends_in_a_card(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        inspect_file(path)
    card = caught.value.card
    assert what in card.what and card.why and card.actions


def test_a_missing_file_names_the_likely_one(tmp_path: Path) -> None:
    (tmp_path / "support.csv").write_text("x")
    with pytest.raises(DataError) as caught:
        inspect_file(tmp_path / "suport.csv")
    assert "support.csv" in caught.value.card.actions[0].label


def test_too_large_counts_the_unpacked_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(b"question,answer\n" + b"a,b\n" * 100_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="too large"):
        inspect_file(path, Limits(warn_bytes=5_000, refuse_bytes=10_000))


@QUICK
@given(data=some.binary(max_size=200) | some.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
def test_any_bytes_end_in_rows_or_a_card(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(data)
        try:
            found = inspect_file(path)
        except DataError:
            return
        assert found.read == found.rows + found.bad_count
