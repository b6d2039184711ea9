"""The metrics ring: what is written is read, and what cannot be read is noticed and counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.spec import ring
from engine.spec.records import METRICS

RECORD, HEADER = 32, 64


def made(path: Path, capacity: int) -> Path:
    ring.create(path, capacity)
    return path


@settings(max_examples=50, deadline=None)
@given(
    capacity=st.integers(1, 40),
    writes=st.lists(st.tuples(st.sampled_from(METRICS), st.integers(0, 2**32 - 1), st.floats()), max_size=100),
    reads=st.integers(1, 7),
)
def test_a_reader_gets_every_record_or_counts_it_as_lapped(
    tmp_path_factory: pytest.TempPathFactory, capacity: int, writes: list[tuple[str, int, float]], reads: int
) -> None:
    path = made(tmp_path_factory.mktemp("ring") / "metrics.ring", capacity)
    writer, reader = ring.RingWriter(path, attempt=3), ring.RingReader(path)
    got, lapped = [], 0
    for number, (metric, step, value) in enumerate(writes):
        writer.write(metric, step, value, 1.5)
        if number % reads == 0:
            batch = reader.read()
            got, lapped = got + batch.samples, lapped + batch.lapped
    batch = reader.read()
    got, lapped = got + batch.samples, lapped + batch.lapped
    assert reader.torn == 0
    assert len(got) + lapped == len(writes)
    if lapped == 0:
        assert [(s.metric, s.step, repr(s.value), s.attempt) for s in got] == [
            (metric, step, repr(value), 3) for metric, step, value in writes
        ]
    assert not writes or got[-1].step == writes[-1][1]


@given(byte=st.integers(0, RECORD - 1), flip=st.integers(1, 255))
def test_a_half_written_record_is_noticed_whichever_byte_is_wrong(
    tmp_path_factory: pytest.TempPathFactory, byte: int, flip: int
) -> None:
    path = made(tmp_path_factory.mktemp("ring") / "metrics.ring", 8)
    writer = ring.RingWriter(path)
    for step in range(3):
        writer.write("loss", step, 1.0)
    data = bytearray(path.read_bytes())
    data[HEADER + RECORD + byte] ^= flip
    path.write_bytes(data)
    batch = ring.RingReader(path).read()
    assert [sample.step for sample in batch.samples] == [0, 2]
    assert (batch.torn, batch.lapped) == (1, 0)


def test_it_is_readable_after_the_writer_was_killed_in_the_middle(tmp_path: Path) -> None:
    path = made(tmp_path / "metrics.ring", 1_000)
    program = (
        "import os, signal, sys; from pathlib import Path; from engine.spec import ring\n"
        "w = ring.RingWriter(Path(sys.argv[1]))\n"
        "for step in range(500): w.write('loss', step, float(step))\n"
        "w.beat(500, 900); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    reader = ring.RingReader(path)
    assert [sample.step for sample in reader.read().samples] == list(range(500))
    assert (reader.pulse().step, reader.pulse().total) == (500, 900)
    ring.RingWriter(path, attempt=1).write("loss", 500, 0.5)
    assert [(s.step, s.attempt) for s in reader.read().samples] == [(500, 1)]


@pytest.mark.parametrize("content", [b"", b"PSTRING1", b"x" * 200], ids=["empty", "cut short", "something else"])
def test_a_file_that_is_no_ring_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.ring"
    path.write_bytes(content)
    with pytest.raises(ring.RingDamaged):
        ring.RingReader(path)


def test_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        ring.RingWriter(made(tmp_path / "r", 4)).write("happiness", 0, 1.0)
