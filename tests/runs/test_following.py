"""A run with a long past: its numbers come in pieces, none is lost, and the app answers meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs import follow
from engine.runs.follow import LiveRun
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from tests.ui.fakes import FakeRuns, write_steps

POINTS = 20_000


def long_run(folder: Path, state: RunState = RunState.COMPLETED) -> RunFolder:
    made = FakeRuns(folder).make("Long", state, total=POINTS)
    lines = (f'{{"attempt":0,"step":{n},"time":{n},"values":{{"loss":{n / 7}}}}}\n' for n in range(1, POINTS + 1))
    made.metrics_file.write_text("".join(lines))
    return made


def test_a_long_past_is_taken_in_by_pieces_and_whole_in_the_end(tmp_path: Path) -> None:
    live = LiveRun(long_run(tmp_path))
    assert live.behind and 0 < len(live.series["loss"]) < POINTS
    looks = 0
    while live.behind:
        before, looks = live.changed.value, looks + 1
        live.poll()
        assert live.changed.value > before  # whoever draws it is told of each piece
    assert looks > 1
    assert list(live.series["loss"].steps) == list(range(1, POINTS + 1))
    assert list(live.series["loss"].values) == [n / 7 for n in range(1, POINTS + 1)]


def test_what_comes_while_the_past_is_read_stands_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PIECE", 2_000)
    folder = FakeRuns(tmp_path).make("Going", RunState.RUNNING, steps=200, total=400)
    live = LiveRun(folder)
    assert live.behind
    write_steps(folder, 201, 300)  # into the ring and the file
    for _ in range(200):
        live.poll()
    assert not live.behind
    assert list(live.series["loss"].steps) == list(range(1, 301))
