"""Topic and Feed: everybody gets the newest, nobody gets a backlog, nothing falls between."""

from __future__ import annotations

import anyio
import pytest

from engine.core.topics import Feed, Topic

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_slow_watcher_sees_the_newest_value_and_not_every_one() -> None:
    topic, seen = Topic(0), list[int]()

    async def watch() -> None:
        async for value in topic.watch():
            seen.append(value)
            await anyio.sleep(0.02)
            if value == 100:
                return

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await anyio.sleep(0.005)
        for value in range(1, 101):
            topic.set(value)
    assert seen[0] == 0
    assert seen[-1] == 100
    assert len(seen) < 5


async def test_a_value_set_while_the_watcher_works_is_not_missed() -> None:
    topic, seen = Topic("first"), list[str]()
    async for value in topic.watch():
        seen.append(value)
        if value == "first":
            topic.set("second")  # between the hand-over and the next wait
        else:
            break
    assert seen == ["first", "second"]


async def test_an_equal_value_wakes_nobody() -> None:
    topic = Topic((1, 2))
    watcher = topic.watch()
    await anext(watcher)
    topic.set((1, 2))
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.02):
            await anext(watcher)


async def test_a_feed_gives_what_is_new_since_the_cursor() -> None:
    feed = Feed[int](limit=5)
    feed.extend([1, 2, 3])
    assert feed.since(1) == [2, 3]
    feed.extend([4, 5, 6, 7])
    assert feed.since(0) == [3, 4, 5, 6, 7]
    assert feed.since(feed.end) == []
    bunches = feed.watch(cursor=5)
    assert await anext(bunches) == [6, 7]
