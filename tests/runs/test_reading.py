"""The reading beside a finished run: what it is made of, and when it is made again (requirement G11)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.monitor.anomaly import Kind
from engine.runs.reading import FILE, keep_reading, reading_of
from engine.runs.summary import read_view
from engine.spec.files import LineWriter, write_struct
from engine.spec.records import Event, Fact, MetricLine, RunState
from tests.making import run_folder, train_spec
from tests.runs.made import ended_run

FALLING = [3.0 - 0.2 * step for step in range(10)]


def test_a_finished_run_is_read_from_its_own_records(tmp_path: Path) -> None:
    kept = reading_of(ended_run(tmp_path / "run", FALLING, [2.8, 2.0, 1.6, 1.4, 1.3]))
    assert kept is not None
    assert kept.best_validation == 1.3
    assert kept.reading.score == pytest.approx(sum(each.points for each in kept.reading.findings), abs=0.1)
    assert kept.reading.score > 90
    assert any("10 steps" in words for words in kept.reading.words)


def test_trouble_and_recoveries_on_the_way_count_once_each(tmp_path: Path) -> None:
    facts: dict[str, Fact] = {"name": Kind.EXPLOSION.value, "level": "serious"}
    anomaly = Event(kind="anomaly", time=0, step=4, facts=facts)
    again = Event(kind="anomaly", time=1, attempt=1, step=4, facts=facts)
    back = Event(kind="recovery", time=0, step=4, facts={"remedy": "roll-back"})
    smaller = Event(kind="recovery", time=0, step=5, facts={"remedy": "halve-micro-batch"})
    held_out = [2.8, 2.0, 1.6, 1.4, 1.3]
    calm = reading_of(ended_run(tmp_path / "calm", FALLING, held_out))
    rough = reading_of(ended_run(tmp_path / "rough", FALLING, held_out, events=(anomaly, again, back, smaller)))
    assert calm and rough
    assert calm.reading.score - rough.reading.score == pytest.approx(4 + 2)
    assert f"Seen on the way: {Kind.EXPLOSION.value} at step 4." in rough.reading.words[-1]
    assert any("learning rate" in each.words for each in rough.reading.suggestions)


def test_a_kept_reading_is_used_and_shown_in_the_view(tmp_path: Path) -> None:
    folder = ended_run(tmp_path / "run", FALLING, [2.8, 1.3])
    assert read_view(folder).quality is None
    kept = keep_reading(folder)
    assert kept is not None
    folder.metrics_file.unlink()
    assert reading_of(folder) == kept
    view = read_view(folder)
    assert (view.quality, view.best_validation) == (kept.reading.score, 1.3)


@pytest.mark.parametrize("harm", ["missing", "torn", "of an earlier end"])
def test_a_reading_that_cannot_be_used_is_made_again(tmp_path: Path, harm: str) -> None:
    folder = ended_run(tmp_path / "run", FALLING)
    kept = keep_reading(folder)
    if harm == "missing":
        (folder.path / FILE).unlink()
    elif harm == "torn":
        (folder.path / FILE).write_bytes(b'{"attempt": 0, "re')
    else:
        write_struct(folder.state_file, msgspec.structs.replace(folder.state(), attempt=1))
        lines = LineWriter(folder.metrics_file)
        lines.write(MetricLine(attempt=1, step=10, time=0, values={"loss": 0.1}))
        lines.close()
    again = reading_of(folder)
    assert again is not None
    assert (again == kept) is (harm != "of an earlier end")


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.PAUSED, RunState.FAILED])
def test_a_run_that_has_not_ended_has_no_reading(tmp_path: Path, state: RunState) -> None:
    folder = ended_run(tmp_path / "run", FALLING, state=state)
    assert keep_reading(folder) is None
    assert not (folder.path / FILE).exists()


def test_a_run_taken_out_of_the_queue_has_no_reading(tmp_path: Path) -> None:
    assert reading_of(run_folder(tmp_path / "run", train_spec(Path("model"), Path("rows")))) is None
