"""The queue: who starts next, who waits and for what (requirement W9)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.runs.queue import Room, in_order, turns
from engine.spec.records import RunState
from tests.runs.made import view

WIDE = Room(total=100_000_000_000, free=100_000_000_000)


def starts(*found: object) -> list[bool]:
    return [not turn.why for turn in found]  # type: ignore[attr-defined]


def test_higher_priorities_go_first_then_the_older_ones_and_who_is_waited_for_before_all() -> None:
    runs = [
        view("second", created=1.0),
        view("third", created=2.0),
        view("first", created=3.0, priority=1),
        view("last", created=0.0, priority=-1),
        view("asked", created=9.0, kind="evaluate"),
    ]
    assert [run.name for run in in_order(runs)] == ["asked", "first", "second", "third", "last"]


def test_only_so_many_run_at_once_and_a_host_takes_no_place() -> None:
    working = [view("a", RunState.RUNNING), view("h", RunState.RUNNING, kind="host")]
    waiting = [view("b", created=1.0), view("c", created=2.0), view("h2", kind="host")]
    found = turns(waiting, working, 2, WIDE)
    assert [turn.run.name for turn in found] == ["h2", "b", "c"]
    assert starts(*found) == [True, True, False]
    assert "2 at once" in found[-1].why


def test_a_run_that_does_not_fit_beside_those_at_work_waits_and_nobody_overtakes_it() -> None:
    working = [view("a", RunState.RUNNING, expected_memory=6_000_000_000)]
    waiting = [
        view("big", created=1.0, expected_memory=5_000_000_000),
        view("small", created=2.0, expected_memory=1_000_000_000),
    ]
    room = Room(total=10_000_000_000, free=9_000_000_000)
    found = turns(waiting, working, 8, room)
    assert starts(*found) == [False, False]
    assert "needs 5.0 GB, and 3.0 GB are left" in found[0].why
    assert found[1].why == "comes after big"
    assert starts(*turns(waiting[1:], working, 8, room)) == [True]


def test_memory_that_other_programs_took_counts_too() -> None:
    working = [view("a", RunState.RUNNING, expected_memory=1_000_000_000)]
    waiting = [view("b", expected_memory=4_000_000_000)]
    assert starts(*turns(waiting, working, 8, Room(total=10_000_000_000, free=2_000_000_000))) == [False]


def test_a_run_that_fits_nowhere_starts_once_it_is_alone() -> None:
    waiting = [view("huge", expected_memory=10**12)]
    assert starts(*turns(waiting, [], 1, WIDE)) == [True]


@given(
    needs=st.lists(st.integers(0, 8), max_size=8),
    busy=st.lists(st.integers(0, 8), max_size=4),
    limit=st.integers(0, 6),
    free=st.integers(0, 10),
)
def test_what_starts_is_always_the_head_of_the_line_within_limit_and_memory(
    needs: list[int], busy: list[int], limit: int, free: int
) -> None:
    waiting = [view(f"w{n}", created=float(n), expected_memory=need) for n, need in enumerate(needs)]
    working = [view(f"a{n}", RunState.RUNNING, expected_memory=need) for n, need in enumerate(busy)]
    begun = starts(*turns(waiting, working, limit, Room(total=10, free=free)))
    count = begun.count(True)
    assert begun == [True] * count + [False] * (len(needs) - count)
    assert count == 0 or len(busy) + count <= limit
    if count and len(busy) + count > 1:
        assert sum(busy) + sum(needs[:count]) <= 9
    if needs and not busy and limit:
        assert count >= 1
