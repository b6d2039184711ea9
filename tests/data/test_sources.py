"""Data is read from wherever it lies: packed, in folders and archives, in other programs' declarations, pasted."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import anyio
import polars
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.errors import DataError
from engine.data import packing, service
from engine.data.importing import import_file
from engine.data.inspect import inspect_file
from engine.data.library import read_rows
from engine.data.nouns import BadRow, Limits, Record
from engine.data.paragraphs import WINDOW, read_text
from engine.data.read import read_source
from engine.data.sources import open_source, side_of
from tests.data.fixtures import as_csv, as_jsonl

ROWS = [{"question": f"Question {n}?", "answer": f"Answer {n}"} for n in range(20)]


def in_zip(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def as_frame(kind: str) -> bytes:
    target, frame = io.BytesIO(), polars.DataFrame(ROWS)
    {"parquet": frame.write_parquet, "arrow": frame.write_ipc, "arrow stream": frame.write_ipc_stream}[kind](target)
    return target.getvalue()


WRAPPED = {
    "plain": as_csv(ROWS),
    "gzip": gzip.compress(as_csv(ROWS)),
    "gzip in two members": gzip.compress(as_csv(ROWS)[:100]) + gzip.compress(as_csv(ROWS)[100:]),
    "zstd": zstandard.compress(as_jsonl(ROWS)),
    "zstd in two frames": zstandard.compress(as_jsonl(ROWS)[:100]) + zstandard.compress(as_jsonl(ROWS)[100:]),
    "zip": in_zip({"rows.csv": as_csv(ROWS)}),
    "zip with a gzip file": in_zip({"rows.csv.gz": gzip.compress(as_csv(ROWS))}),
    "zip with parquet": in_zip({"rows.parquet": as_frame("parquet")}),
    "parquet": as_frame("parquet"),
    "arrow": as_frame("arrow"),
    "arrow stream": as_frame("arrow stream"),
    "parquet in gzip": gzip.compress(as_frame("parquet")),
}


@pytest.mark.parametrize("data", WRAPPED.values(), ids=WRAPPED.keys())
def test_the_same_rows_come_out_of_any_wrapping(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "data").write_bytes(data)
    found = list(read_source(open_source(tmp_path / "data", Limits())))
    assert [each.values for each in found if isinstance(each, Record)] == ROWS and len(found) == 20


def test_a_folder_of_files_is_one_dataset_and_what_stands_beside_them_is_not_data(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "more").mkdir(parents=True)
    (folder / "a.csv").write_bytes(as_csv(ROWS[:10]))
    (folder / "more" / "b.jsonl").write_bytes(as_jsonl(ROWS[10:]))
    (folder / "README.md").write_text("# Data")
    (folder / "dataset_infos.json").write_text('{"default": {"features": {}}}')
    (folder / ".hidden.csv").write_bytes(as_csv(ROWS))
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    found = inspect_file(folder)
    assert (found.rows, found.bad_count) == (20, 1)
    assert found.bad[0].file == "photo.png" and "picture" in found.bad[0].problem
    dataset = import_file(tmp_path / "ds", folder)
    assert dataset.name == "mine"
    assert {row.file for row in read_rows(tmp_path / "ds", dataset.id)} == {"a.csv", "more/b.jsonl"}


def test_several_files_are_one_dataset(tmp_path: Path) -> None:
    for name, rows in (("a.csv", ROWS[:10]), ("b.csv", ROWS[10:])):
        (tmp_path / name).write_bytes(as_csv(rows))
    assert inspect_file([tmp_path / "a.csv", tmp_path / "b.csv"]).rows == 20


TRICKS = {
    "a path out of the archive": ("../../etc/rows.csv", "leads out"),
    "an absolute path": ("/etc/rows.csv", "leads out"),
    "a drive": ("C:\\rows.csv", "leads out"),
    "an archive in the archive": ("rows.zip", "archive in an archive"),
}


@pytest.mark.parametrize(("name", "said"), TRICKS.values(), ids=TRICKS.keys())
def test_tricks_in_an_archive_are_reported_and_nothing_is_written(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.zip").write_bytes(in_zip({name: as_csv(ROWS), "good.csv": as_csv(ROWS)}))
    found = inspect_file(tmp_path / "in" / "x.zip")
    assert found.rows == 20 and [said in each.problem for each in found.bad] == [True]
    assert [each.name for each in tmp_path.rglob("*")] == ["in", "x.zip"]


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.csv", as_csv(ROWS))
    assert "link" in inspect_file(tmp_path / "x.zip").bad[0].problem


BOMBS = {
    "zip": lambda data: in_zip({"bomb.csv": data}),
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("pack", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path, pack) -> None:
    (tmp_path / "x").write_bytes(pack(b"question,answer\n" + b"a,b\n" * 1_000_000))
    assert (tmp_path / "x").stat().st_size < 40_000
    limits = Limits(warn_bytes=10_000, refuse_bytes=1_000_000)
    with pytest.raises(DataError) as caught:
        inspect_file(tmp_path / "x", limits)
    assert "limit" in caught.value.card.why or "too large" in caught.value.card.what


def test_a_bomb_is_left_before_it_is_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(b"a,b\n" * 5_000_000))
    unpacked: list[int] = []
    real = packing.Unpacked.readinto

    def counted(self: packing.Unpacked, buffer) -> int:
        unpacked.append(real(self, buffer))
        return unpacked[-1]

    monkeypatch.setattr(packing.Unpacked, "readinto", counted)
    with pytest.raises(DataError, match="too large"):
        inspect_file(tmp_path / "x", Limits(warn_bytes=1, refuse_bytes=1_000_000))
    assert sum(unpacked) < 3_000_000


def test_an_office_document_is_no_archive_of_data(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(in_zip({"[Content_Types].xml": b"<x/>", "xl/sheet1.xml": b"<x/>"}))
    with pytest.raises(DataError) as caught:
        inspect_file(tmp_path / "x.xlsx")
    assert "CSV" in caught.value.card.actions[0].label


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("train-00000-of-00002.parquet", "train"),
        ("data/test/rows.csv", "test"),
        ("my_val.csv", "validation"),
        ("constraints.csv", None),
        ("latest.csv", None),
    ],
)
def test_the_side_is_read_from_whole_words_of_a_name(name: str, side: str | None) -> None:
    assert side_of(name) == side


@settings(max_examples=60, deadline=None)
@given(text=some.text(some.sampled_from("ab \n"), max_size=400), factor=some.sampled_from([1, 20, 60]))
def test_windows_keep_every_word_and_know_their_lines(text: str, factor: int) -> None:
    text = text * factor
    found = list(read_text(io.StringIO(text), "windows"))
    texts = [str(each.values["text"]) for each in found]
    assert all(0 < len(each) <= WINDOW for each in texts)
    assert "".join("".join(texts).split()) == "".join(text.split())
    lines = text.split("\n")
    assert all(lines[each.line - 1].strip().startswith(str(each.values["text"])[:1]) or each.line > 1 for each in found)


def test_a_window_says_the_line_it_starts_on() -> None:
    text = "\n".join(f"{number:04d} " + "word " * 20 for number in range(1, 201))
    found = list(read_text(io.StringIO(text), "windows"))
    assert len(found) > 4 and all(each.line == int(str(each.values["text"])[:4]) for each in found)


@pytest.mark.parametrize(("rows", "count"), [("paragraphs", 2), ("lines", 4), ("windows", 1)])
def test_a_text_is_read_as_asked(tmp_path: Path, rows, count: int) -> None:
    (tmp_path / "x.txt").write_text("One line.\nTwo lines.\n\nThree lines.\nFour lines.\n")
    assert inspect_file(tmp_path / "x.txt", text_rows=rows).rows == count


def test_pasted_text_is_a_file_like_any_other(tmp_path: Path) -> None:
    async def pasted() -> tuple[Path, Path]:
        text = as_csv(ROWS).decode()
        return await service.keep_pasted(tmp_path, text), await service.keep_pasted(tmp_path, text)

    one, other = anyio.run(pasted)
    assert one == other and inspect_file(one).rows == 20


def test_progress_is_told_and_ends_at_the_whole(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(as_csv(ROWS * 300))
    told: list[tuple[int, int]] = []
    import_file(tmp_path / "ds", tmp_path / "x.csv", progress=lambda done, total: told.append((done, total)))
    size = (tmp_path / "x.csv").stat().st_size
    assert len(told) > 5 and told == sorted(told) and told[-1] == (size, size)


def llama_factory(folder: Path, entry: dict, rows: list[dict]) -> Path:
    (folder / "rows.json").write_text(json.dumps(rows))
    (folder / "dataset_info.json").write_text(
        json.dumps({"mine": {"file_name": "rows.json", **entry}, "far": {"hf_hub_url": "a/b"}})
    )
    return folder / "dataset_info.json"


TAGGED = [{"who": "kunde", "says": "hi"}, {"who": "laden", "says": "hello"}]
ENTRIES = {
    "alpaca": ({}, {"instruction": "hi", "input": "", "output": "hello"}, "instruction"),
    "alpaca by other names": (
        {"columns": {"prompt": "x", "response": "y"}},
        {"x": "hi", "y": "hello", "z": "no"},
        "instruction",
    ),
    "ranking": (
        {"ranking": True, "columns": {"prompt": "x", "chosen": "y", "rejected": "z"}},
        {"x": "hi", "y": "hello", "z": "no"},
        "preference",
    ),
    "ranking of messages": (
        {"ranking": True, "formatting": "sharegpt", "columns": {"messages": "c", "chosen": "y", "rejected": "z"}},
        {
            "c": [{"from": "human", "value": "hi"}],
            "y": {"from": "gpt", "value": "hello"},
            "z": {"from": "gpt", "value": "no"},
        },
        "preference",
    ),
    "kto": (
        {"columns": {"prompt": "x", "response": "y", "kto_tag": "ok"}},
        {"x": "hi", "y": "hello", "ok": True},
        "kto",
    ),
    "tags": (
        {
            "formatting": "sharegpt",
            "columns": {"messages": "c"},
            "tags": {"role_tag": "who", "content_tag": "says", "user_tag": "kunde", "assistant_tag": "laden"},
        },
        {"c": TAGGED},
        "chat",
    ),
    "plain text": ({"columns": {"prompt": "x"}}, {"x": "hello", "y": "other"}, "text"),
    "earlier turns": (
        {"columns": {"prompt": "x", "response": "y", "history": "z"}},
        {"x": "hi", "y": "hello", "z": []},
        "instruction",
    ),
    "earlier turns that are not there": (
        {"columns": {"prompt": "x", "response": "y", "history": "past"}},
        {"x": "hi", "y": "hello"},
        "instruction",
    ),
}


@pytest.mark.parametrize(("entry", "row", "schema"), ENTRIES.values(), ids=ENTRIES.keys())
def test_dataset_info_of_llama_factory_is_followed(tmp_path: Path, entry: dict, row: dict, schema: str) -> None:
    info = llama_factory(tmp_path, entry, [row] * 3)
    for path in (info, tmp_path / "dataset_info.json#mine", tmp_path / "rows.json"):
        found = inspect_file(path)
        assert (found.schema, found.rows, found.sample[0].answer) == (schema, 3, "hello")


def test_declared_earlier_turns_come_before_the_question(tmp_path: Path) -> None:
    entry = {"columns": {"prompt": "x", "response": "y", "history": "z"}}
    rows = [{"x": "q", "y": "a", "z": [["before", "then"]]}] * 3
    found = inspect_file(llama_factory(tmp_path, entry, rows))
    assert [each.content for each in found.sample[0].messages] == ["before", "then", "q", "a"]


def test_a_declared_dataset_that_is_not_here_says_so(tmp_path: Path) -> None:
    info = llama_factory(tmp_path, {}, [])
    with pytest.raises(DataError) as caught:
        inspect_file(info.with_name("dataset_info.json#mien"))
    assert "#mine" in caught.value.card.actions[0].label
    info.write_text('{"far": {"hf_hub_url": "a/b"}}')
    with pytest.raises(DataError, match="not on this machine"):
        inspect_file(info)


CONFIGS = {
    "axolotl alpaca": ("datasets:\n  - path: rows.json\n    type: alpaca\n", "instruction"),
    "axolotl custom": (
        "datasets:\n  - path: rows.json\n    type:\n      field_instruction: instruction\n      field_output: output\n",
        "instruction",
    ),
    "axolotl completion": ("datasets:\n  - path: rows.json\n    type: completion\n    field: output\n", "text"),
    "axolotl chat": (
        "datasets:\n  - path: rows.json\n    type: chat_template\n    field_messages: talk\n"
        "    message_property_mappings: {role: who, content: says}\n    roles: {user: [kunde], assistant: [laden]}\n",
        "chat",
    ),
    "axolotl preference": (
        "rl: dpo\ndatasets:\n  - path: rows.json\n    type: chatml.argilla\n",
        "preference",
    ),
    "trl": ("model_name_or_path: x\ndataset_name: rows.json\nlearning_rate: 1.0e-4\n", "instruction"),
    "trl mixture": ("datasets:\n  - path: json\n    data_files: [rows.json]\n", "instruction"),
}


@pytest.mark.parametrize(("config", "schema"), CONFIGS.values(), ids=CONFIGS.keys())
def test_dataset_sections_of_configs_are_followed(tmp_path: Path, config: str, schema: str) -> None:
    row: dict = {"instruction": "hi", "input": "", "output": "hello"}
    if schema == "chat":
        row = {**row, "talk": TAGGED}
    if schema == "preference":
        row = {**row, "chosen_response": "hello", "rejected_response": "no"}
    (tmp_path / "rows.json").write_text(json.dumps([row] * 3))
    (tmp_path / "config.yml").write_text(config)
    found = inspect_file(tmp_path / "config.yml")
    assert (found.schema, found.rows, found.sample[0].answer) == (schema, 3, "hello")


@pytest.mark.parametrize(
    "text", ["learning_rate: 1\n", "- a\n- b\n", "a: [1,\n", "x: !!python/object/apply:os.system [true]\n"]
)
def test_a_config_without_data_ends_in_a_card(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(DataError, match="no declaration"):
        inspect_file(tmp_path / "c.yaml")


def test_no_record_is_a_bad_row_without_a_reason(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(in_zip({"a.csv": b"question,answer\na\n", "b.csv": as_csv(ROWS)}))
    bad = [each for each in read_source(open_source(tmp_path / "x.zip", Limits())) if isinstance(each, BadRow)]
    assert [(each.file, each.line, each.column) for each in bad] == [("a.csv", 2, "answer")]
