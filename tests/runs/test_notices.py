"""What people hear of their runs: every quarter once, every end once, however the lists are cut in between."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.notices import Kind, notices
from engine.runs.views import RunView
from engine.spec.records import Card, RunState

ASKED = Card(what="Gradients exploded.", why="They grew.")


def view(
    state: RunState, step: int = 0, *, kind: str = "train", attempt: int = 0, error: Card | None = None
) -> RunView:
    return RunView(
        id="r",
        kind=kind,
        name="Shop",
        state=state,
        created=0.0,
        updated=float(step),
        step=step,
        total_steps=100,
        attempt=attempt,
        error=error,
    )


def heard(views: list[RunView]) -> list[tuple[Kind, float]]:
    """What is told along a sequence of views of one run."""
    told = []
    for before, after in itertools.pairwise(views):
        told += [(each.kind, each.share) for each in notices([before], [after])]
    return told


@given(st.lists(st.integers(0, 100), max_size=30))
def test_however_often_the_list_is_looked_at_each_quarter_is_told_at_most_once_and_the_end_always(steps: list[int]):
    seen = [view(RunState.CREATED)]
    seen += [view(RunState.RUNNING, step) for step in sorted(steps)]
    seen.append(view(RunState.COMPLETED, 100))
    told = heard(seen)
    shares = [share for _, share in told]
    assert shares == sorted(set(shares))
    assert told[-1] == (Kind.FINISHED, 1.0)
    assert {kind for kind, _ in told[:-1]} <= {Kind.PROGRESS}
    passed = {quarter for quarter in (0.25, 0.5, 0.75) if any(step >= quarter * 100 for step in steps)}
    assert set(shares[:-1]) <= passed
    assert (max(shares[:-1], default=0.0)) == max(passed, default=0.0)


@pytest.mark.parametrize(
    "after,kind",
    [
        (view(RunState.COMPLETED, 100), Kind.FINISHED),
        (view(RunState.STOPPED, 60), Kind.FINISHED),
        (view(RunState.FAILED, 60, error=ASKED), Kind.FAILED),
        (view(RunState.LOST, 60), Kind.LOST),
        (view(RunState.PAUSED, 60, error=ASKED), Kind.ASKS),
        (view(RunState.PAUSED, 60), None),
        (view(RunState.RUNNING, 60), None),
    ],
    ids=lambda each: each.state.value if isinstance(each, RunView) else str(each),
)
def test_the_end_of_a_run_is_told_by_its_kind(after: RunView, kind: Kind | None):
    told = notices([view(RunState.RUNNING, 60)], [after])
    assert [each.kind for each in told] == ([kind] if kind else [])
    assert all(each.urgent == (kind not in (Kind.FINISHED, Kind.PROGRESS)) for each in told)
    if kind in (Kind.FAILED, Kind.ASKS):
        assert told[0].words == "Gradients exploded."


def test_a_run_that_fails_again_in_its_next_attempt_is_told_again():
    first = view(RunState.FAILED, 60, error=ASKED)
    assert [each.kind for each in notices([first], [msgspec.structs.replace(first, attempt=1)])] == [Kind.FAILED]
    assert notices([first], [msgspec.structs.replace(first, name="Other")]) == ()


def test_where_a_resumed_run_begins_is_not_told_again_but_the_next_quarter_is():
    seen = [
        view(RunState.PAUSED, 60),
        view(RunState.INITIALIZING, 0, attempt=1),
        view(RunState.RUNNING, 60, attempt=1),
        view(RunState.RUNNING, 76, attempt=1),
    ]
    assert heard(seen) == [(Kind.PROGRESS, 0.75)]


def test_measurements_tell_of_their_end_alone_and_model_hosts_of_nothing():
    measure = [view(RunState.RUNNING, step, kind="evaluate") for step in (0, 60)]
    assert heard([*measure, view(RunState.COMPLETED, 100, kind="evaluate")]) == [(Kind.FINISHED, 1.0)]
    assert heard([view(RunState.RUNNING, 60, kind="host"), view(RunState.FAILED, 60, kind="host")]) == []


def test_a_run_that_was_not_there_before_is_told_of():
    assert [each.kind for each in notices([], [view(RunState.FAILED)])] == [Kind.FAILED]
    assert notices([view(RunState.FAILED)], []) == ()


def test_what_a_run_proposes_while_it_goes_on_is_told_each_time_it_does():
    going = view(RunState.RUNNING, 20)
    first = msgspec.structs.replace(going, asks="The loss stands still.", asked=1, step=30)
    same = msgspec.structs.replace(first, step=31)
    again = msgspec.structs.replace(same, asked=2, step=32)
    assert heard([going, first, same, again]) == [(Kind.PROGRESS, 0.25), (Kind.ASKS, 0.3), (Kind.ASKS, 0.32)]
    (told,) = notices([same], [again])
    assert told.words == "The loss stands still." and told.urgent
    assert heard([going, msgspec.structs.replace(going, asks="x", asked=1, state=RunState.COMPLETED)]) == [
        (Kind.FINISHED, 1.0)
    ]
