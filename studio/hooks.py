"""How a component observes the engine and its surroundings: the engine's topics, the window's width, light or dark.

The engine never calls the screens: each session's own task follows a topic, at the pace the screen can use.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import flet as ft
import msgspec

from engine.core.errors import unexpected
from engine.core.topics import Feed, Topic
from engine.spec.records import Card
from studio.pace import pace_of
from studio.theme import BAR, MEDIUM, NARROW, PALETTES, PANEL_WIDTH, SIDE_WIDTH, WIDE, Palette

if TYPE_CHECKING:
    from engine.engine import Engine
    from studio.session import Session

log = logging.getLogger(__name__)
T = TypeVar("T")


class Surroundings(msgspec.Struct, frozen=True):
    """What the window looks like: its width in logical pixels, whether the lists stand beside the page, its theme,
    whether things may move, and whether power is saved.

    `confined`: somebody on another machine looks at it, who may name no files of this one.
    """

    width: float = 1440.0
    lists: bool = False
    theme: str = "light"
    still: bool = False
    saving: bool = False
    confined: bool = False

    @property
    def dark(self) -> bool:
        return self.theme != "light"

    @property
    def phone(self) -> bool:
        """Too narrow for bars at the sides: the places stand at the bottom, the lists behind a button."""
        return self.width < MEDIUM

    @property
    def room(self) -> float:
        """Width of the page between the bars."""
        if self.phone:
            return self.width
        return self.width - BAR - (SIDE_WIDTH if self.lists else 0)

    @property
    def columns(self) -> int:
        """How a page is laid out: 3 with its panel beside it (windows from 1200 px), 2 without, 1 as on a phone."""
        if self.width >= WIDE:
            return 3
        return 1 if self.phone or self.room < NARROW else 2

    @property
    def content(self) -> float:
        """Width of a page without its panel."""
        return self.room - (PANEL_WIDTH if self.columns == 3 else 0)

    @property
    def palette(self) -> Palette:
        return PALETTES[self.theme]


EngineContext = ft.create_context(cast("Engine | None", None))
SessionContext = ft.create_context(cast("Session | None", None))
SurroundingsContext = ft.create_context(Surroundings())


class NotProvided(RuntimeError):
    """A component was drawn outside the app's root."""


def use_engine() -> Engine:
    """The process's one engine. Raises NotProvided outside the app's root."""
    engine = ft.use_context(EngineContext)
    if engine is None:
        raise NotProvided("no engine here: draw this inside `studio.app.App(engine)`")
    return engine


def use_session() -> Session:
    """What this window or tab remembers: drafts and the like. Raises NotProvided outside the app's root."""
    session = ft.use_context(SessionContext)
    if session is None:
        raise NotProvided("no session here: draw this inside `studio.app.App(engine)`")
    return session


def use_surroundings() -> Surroundings:
    """The window's width and theme; the component is drawn again when they change."""
    return ft.use_context(SurroundingsContext)


def use_task(task: Callable[[], Awaitable[None]], dependencies: list[object]) -> None:
    """Run a task while the component is on screen, again when a dependency changes; a failure is logged."""

    async def guarded() -> None:
        try:
            await task()
        except Exception:
            log.exception("a screen's task failed: %s", getattr(task, "__qualname__", task))

    ft.use_effect(guarded, dependencies, cleanup=lambda: None)  # without a cleanup Flet never cancels the task


def use_topic(topic: Topic[T], every: float = 0.1, of: Callable[[T], object] | None = None) -> T:
    """The topic's newest value; the component is drawn again at most once in `every` seconds.

    Less often where nobody works with the page or sees it (studio/pace.py). Where `of` tells the part that is drawn,
    only when that differs; what else the value says may then be of an earlier moment.
    """
    pace = pace_of(ft.context.page)
    held, hold = ft.use_state(lambda: (id(topic), topic.value))

    def newest(before: tuple[int, T], latest: T) -> tuple[int, T]:
        same = of is not None and before[0] == id(topic) and of(before[1]) == of(latest)
        return before if same else (id(topic), latest)

    async def follow() -> None:
        async for latest in topic.watch():
            hold(lambda before, latest=latest: newest(before, latest))
            await pace.rest(every)

    use_task(follow, [id(topic)])
    return held[1] if held[0] == id(topic) else topic.value


def use_feed(feed: Feed[T], limit: int = 200, every: float = 0.25) -> list[T]:
    """The newest entries of a feed, oldest first."""
    pace = pace_of(ft.context.page)
    _, bump = ft.use_state(feed.end)

    async def follow() -> None:
        async for _ in feed.watch(feed.end):
            end = feed.end
            bump(lambda _, end=end: end)
            await pace.rest(every)

    use_task(follow, [id(feed)])
    return feed.since(feed.end - limit)


def use_loaded(load: Callable[[], Awaitable[T]], dependencies: list[object]) -> Loaded[T]:
    """The result of an async call: waiting at first and after a dependency changed, then a value or an error."""
    loaded, keep = ft.use_state(lambda: Loaded())
    times, count = ft.use_state(0)

    def again() -> None:
        count(lambda now: now + 1)

    async def run() -> None:
        keep(lambda _: Loaded(again=again))
        try:
            value = await load()
        except Exception as error:  # noqa: BLE001 - shown to the person as a card
            log.info("could not load: %s", error)
            keep(lambda _, error=error: Loaded(error=error, again=again))
        else:
            keep(lambda _: Loaded(value=value, done=True, again=again))

    use_task(run, [*dependencies, times])
    return loaded


class Loaded(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """Where an async call stands; `again` makes it once more."""

    value: T | None = None
    done: bool = False
    error: Exception | None = None
    again: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> bool:
        return not self.done and self.error is None


async def sign_out() -> None:
    """End this browser's visit and ask for the password again. Call it from an event handler."""
    await ft.UrlLauncher().launch_url("/logout", web_only_window_name="_self")


class Latest(msgspec.Struct, frozen=True, eq=False):
    """What was loaded last, kept on the screen while it is loaded anew; or why it could not be."""

    value: object | None = None
    card: Card | None = None


def use_latest(
    load: Callable[[], Awaitable[T]], dependencies: list[object]
) -> tuple[T | None, Card | None, Callable[[], None]]:
    """(value, card, again): the newest value of an async call, the old one until then; the card says why it failed, and
    `again` makes the call once more."""
    held = ft.use_ref(Latest())
    loaded = use_loaded(load, dependencies)
    if loaded.done:
        held.current = Latest(loaded.value)
    elif loaded.error is not None:
        held.current = Latest(card=unexpected(loaded.error))
    return held.current.value, held.current.card, loaded.again  # type: ignore[return-value]


def use_attempt() -> tuple[Card | None, Callable[[Callable[[], Awaitable[object]]], Callable[[], Awaitable[None]]]]:
    """(card, trying): `trying(do)` is a handler whose failure becomes the card, until the next attempt."""
    problem, keep = ft.use_state(cast("Card | None", None))

    def trying(do: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        async def carry_out() -> None:
            keep(lambda _: None)
            try:
                await do()
            except Exception as error:  # noqa: BLE001 - shown as a card
                card = unexpected(error)
                keep(lambda _: card)

        return carry_out

    return problem, trying


class _Listener:
    """The same listener for as long as its component is shown; what it does is the newest drawing's."""

    def __init__(self, hear: Callable[[str], bool]) -> None:
        self.hear = hear

    def __call__(self, stroke: str) -> bool:
        return self.hear(stroke)


def use_keys(hear: Callable[[str], bool], *, active: bool = True) -> None:
    """Let the component hear each key while it is shown and `active`, before those that listened earlier; `hear` gets
    the stroke and answers whether it took it."""
    session = use_session()
    listener = ft.use_memo(lambda: _Listener(hear), [])
    listener.hear = hear

    def listen() -> None:
        if active:
            session.listen(listener)

    ft.use_effect(listen, [active], cleanup=lambda: session.leave(listener))


def go(route: str) -> None:
    """Show another page. Call it from an event handler."""
    ft.context.page.navigate(route)
