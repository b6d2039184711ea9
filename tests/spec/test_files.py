"""Files that survive a crash: the old content or the new one, and lines of which only a torn one is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spec.files import LineReader, LineWriter, number, write_atomically
from engine.spec.records import MetricLine


def line(step: int, loss: float = 1.0) -> MetricLine:
    return MetricLine(attempt=0, step=step, time=0.0, values={"loss": number(loss)})


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@given(cut=st.integers(0, 200))
def test_a_torn_last_line_spoils_only_itself(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("lines") / "metrics.jsonl"
    writer = LineWriter(path)
    for step in range(3):
        writer.write(line(step))
    writer.close()
    whole = path.read_bytes()
    kept = max(0, len(whole) - cut)
    path.write_bytes(whole[:kept])
    again = LineWriter(path)
    again.write(line(9))
    reader = LineReader(path, MetricLine)
    steps = [each.step for each in reader.read()]
    complete = whole[:kept].count(b"\n")
    assert steps[:complete] == list(range(complete))
    assert steps[-1] == 9
    assert len(steps) + reader.skipped <= complete + 2


def test_a_reader_waits_for_the_end_of_an_unfinished_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    reader = LineReader(path, MetricLine)
    assert reader.read() == []
    path.write_bytes(b'{"attempt":0,"step":1,"ti')
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(b'me":0,"values":{}}\n')
    assert [each.step for each in reader.read()] == [1]
    assert reader.read() == []


@given(st.floats())
def test_any_number_survives_json(value: float) -> None:
    assert repr(float(number(value))) == repr(value)


@given(words=st.lists(st.text(max_size=30), max_size=30), limit=st.integers(1, 60))
def test_lines_read_in_pieces_of_any_size_are_those_read_at_once(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], limit: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    writer = LineWriter(path)
    for each in words:
        writer.write(each)
    writer.close()
    reader, found = LineReader(path, str), list[str]()
    while True:
        found += reader.read(limit)
        if not reader.behind:
            break
    assert found == words and reader.skipped == 0
