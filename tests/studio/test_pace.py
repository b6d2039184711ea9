"""The pace of a page: fast while it is used, slow while nobody works with it or sees it, and back at once."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.pace import HIDDEN_EVERY, IDLE_AFTER, IDLE_EVERY, SAVING, Pace
from tests.studio.test_accounts import Clock

pytestmark = pytest.mark.anyio
WISHES = st.floats(0, 20)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@given(WISHES, st.booleans(), st.booleans(), st.booleans())
def test_a_page_is_drawn_as_wished_and_less_often_by_the_rules(wish: float, idle: bool, hidden: bool, saving: bool):
    clock = Clock()
    pace = Pace(clock)
    pace.save(saving)
    pace.show(not hidden)
    clock.now += IDLE_AFTER + 1 if idle else IDLE_AFTER - 1
    expected = (
        max(wish, HIDDEN_EVERY) if hidden else (max(wish, IDLE_EVERY) if idle else wish) * (SAVING if saving else 1)
    )
    assert pace.every(wish) == (expected if wish else 0.0)


async def rests(pace: Pace, clock: Clock, wish: float, passed: float, then: str) -> bool:
    """Whether a part that began to rest goes on after this time, once that happened."""
    done = False

    async def rest() -> None:
        nonlocal done
        await pace.rest(wish)
        done = True

    async with anyio.create_task_group() as group:
        group.start_soon(rest)
        await anyio.wait_all_tasks_blocked()
        clock.now += passed
        {"use": pace.use, "show": lambda: pace.show(True), "plug": lambda: pace.save(False)}[then]()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return not done


@pytest.mark.parametrize("then", ["use", "used unseen", "show", "plug"])
async def test_who_comes_back_waits_no_longer(then: str):
    clock = Clock()
    pace = Pace(clock)
    if then == "use":
        clock.now += IDLE_AFTER + 1
    pace.show(then not in ("show", "used unseen"))
    pace.save(then == "plug")
    wish = 1.5
    assert not await rests(pace, clock, wish, 1.6, then.removesuffix("d unseen"))
    assert pace.every(wish) == wish


async def test_who_was_there_all_along_is_not_drawn_sooner():
    clock = Clock()
    assert await rests(Pace(clock), clock, 100.0, 1.0, "use")


async def test_no_wish_is_no_wait():
    pace = Pace()
    pace.show(False)
    with anyio.fail_after(1):
        await pace.rest(0.0)
