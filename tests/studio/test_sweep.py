"""A full pass of the garbage collector waits for a pause, and is made in one."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from studio import sweep
from studio.pace import Pace, unused_seconds


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def rare() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(50, 2, sweep.AT_LATEST)
    yield
    gc.set_threshold(*before)


def due() -> None:
    """Make garbage until a full pass is due."""
    kept: list[Any] = []
    while gc.get_count()[2] < sweep.DUE:
        kept.append(Knot())


def test_it_waits_until_nobody_works_and_frees_what_is_left(rare: None, monkeypatch: pytest.MonkeyPatch):
    knot = Knot()
    left = weakref.ref(knot)
    gc.collect()  # it is of the oldest generation now
    del knot
    due()
    monkeypatch.setattr(sweep, "unused_seconds", lambda: 0.2)
    assert not sweep.sweep() and left() is not None
    monkeypatch.setattr(sweep, "unused_seconds", lambda: sweep.PAUSE_SECONDS)
    assert sweep.sweep() and left() is None
    assert not sweep.sweep()  # none is due


def test_the_last_use_of_any_window_counts(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    one, other = Pace(lambda: now[0]), Pace(lambda: now[0])
    monkeypatch.setattr("studio.pace._PACES", {1: one, 2: other})
    now[0] = 110.0
    other.use()
    now[0] = 113.0
    assert unused_seconds() == 3.0
