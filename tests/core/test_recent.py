"""What is kept because it was used last: up to the limit, the newest, and nothing when memory is short."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from engine.core.recent import LARGE_BYTES, Recent, relieve


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 9), st.booleans())))
def test_the_newest_are_kept_and_the_others_go(limit: int, uses: list[tuple[int, bool]]):
    kept: Recent[int, int] = Recent(limit)
    model: OrderedDict[int, int] = OrderedDict()
    for key, drop in uses:
        if drop:
            kept.drop(key)
            model.pop(key, None)
        else:
            kept.use(key, key)
            model[key] = key
            model.move_to_end(key)
            while len(model) > limit:
                model.popitem(last=False)
        assert list(kept._things) == list(model)


def test_what_is_pinned_stays_and_goes_once_it_no_longer_is():
    pinned = {1}
    kept: Recent[int, int] = Recent(2, lambda value: value in pinned)
    for value in (1, 2, 3, 4):
        kept.use(value, value)
    assert list(kept._things) == [1, 3, 4]
    pinned.clear()
    kept.use(5, 5)
    assert 1 not in kept._things and len(kept) == 2


def test_a_large_process_lets_go_of_all_of_it():
    kept: Recent[int, int] = Recent(9)
    kept.use(1, 1)
    assert not relieve(LARGE_BYTES) and len(kept) == 1
    assert relieve(LARGE_BYTES + 1) and len(kept) == 0
