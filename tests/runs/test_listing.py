"""The listing of runs answers as one that looks at every view each time would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.runs.listing import Listing
from engine.runs.views import RunView
from engine.spec.records import RunState

IDS = st.sampled_from("abcde")
STATES = st.sampled_from([RunState.CREATED, RunState.RUNNING, RunState.PAUSED, RunState.COMPLETED])
VIEWS = st.builds(
    RunView,
    id=IDS,
    kind=st.just("train"),
    name=st.just("n"),
    state=STATES,
    created=st.floats(0, 3),
    updated=st.just(0.0),
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), VIEWS),
        st.tuples(st.just("drop"), IDS),
        st.tuples(st.just("settle"), st.tuples(IDS, st.none() | STATES)),
    )
)


@given(first=st.dictionaries(IDS, STATES), changes=CHANGES)
def test_it_answers_as_if_it_looked_at_every_one(first: dict[str, RunState], changes: list[tuple[str, object]]) -> None:
    listing, views, settled = Listing({}, first), dict[str, RunView](), dict(first)
    for verb, what in changes:
        if isinstance(what, RunView):
            listing.put(what)
            views[what.id] = what
        elif isinstance(what, str):
            listing.drop(what)
            views.pop(what, None)
            settled.pop(what, None)
        else:
            assert isinstance(what, tuple), verb
            run_id, state = what
            listing.settle(run_id, state)
            settled.pop(run_id, None)
            settled |= {run_id: state} if state else {}
        due = {view.id for view in views.values() if settled.get(view.id) is not view.state}
        assert {view.id for view in (*listing.changed, *listing.ended())} == due
        assert len(listing.ended(1)) == min(1, len(listing.ended()))
        assert {view.id for view in listing.working} == {each.id for each in views.values() if each.state.active}
        waits = {each.id for each in views.values() if each.state is RunState.CREATED}
        assert {view.id for view in listing.unfinished} - {view.id for view in listing.working} == waits
        newest = listing.newest_first()
        assert sorted(newest, key=lambda view: view.id) == sorted(views.values(), key=lambda view: view.id)
        assert [view.created for view in newest] == sorted((each.created for each in newest), reverse=True)
        assert newest is listing.newest_first()
