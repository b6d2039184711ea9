"""The lists beside every page: runs, datasets and versions with their states, and conversations in the playground.

On a narrow window the same lists open over the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.runs.views import RunView
from studio.commands import is_mac, shown, toggle_lists
from studio.hooks import go, use_engine, use_keys, use_latest, use_session, use_surroundings, use_topic
from studio.kit import component, dot, icon_button, label, muted
from studio.kit.guard import Handler
from studio.kit.pressed import pressable
from studio.kit.text import STRONG
from studio.places import DATA, PLAYGROUND, RUNS, VERSIONS, Place
from studio.theme import S1, S2, S3, SIDE_WIDTH, Ink

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.serving.nouns import Conversation

LINES = 8
"""Entries of a list; the others are on its page."""
LINE = 30
KEYS = "Ctrl+B"
EVERY = 1.0
NOTHING: tuple[Conversation, ...] = ()


class Item(msgspec.Struct, frozen=True, eq=False):
    """A thing in a list: what pressing it does, its name, its mark, and what screen readers say of it."""

    id: str
    name: str
    said: str
    do: Callable[[], object]
    mark: ft.Control
    here: bool = False


def is_listed(engine: Engine) -> bool:
    """Whether this Home has anything to list."""
    return bool(engine.runs.list.value or engine.library.datasets.value or engine.outcomes.versions.value)


def in_order(runs: Iterable[RunView]) -> list[RunView]:
    """Runs to show: those at work first, then the newest."""
    ours = [run for run in runs if run.kind == "train"]
    active = [run for run in ours if run.state.active]
    return [*active, *(run for run in ours if not run.state.active)]


@component
def SideBar() -> Any:
    """The column with the lists, or nothing where it is closed."""
    if not use_surroundings().lists:
        return ft.Container(visible=False)
    return ft.Container(
        ft.Column([Lists()], scroll=ft.ScrollMode.AUTO, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
        width=SIDE_WIDTH,
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(right=ft.BorderSide(1, Ink.BORDER)),
        padding=ft.Padding.only(left=S2, right=S2, top=S3, bottom=S3),
    )


@component
def SideButton() -> Any:
    """Opens and closes the side bar; on a narrow window it opens the lists over the page."""
    engine, session, surroundings = use_engine(), use_session(), use_surroundings()
    if surroundings.phone:
        return icon_button(ft.Icons.MENU, "Lists", lambda: session.overlay.set("lists"))
    keys = shown(KEYS, is_mac(ft.context.page))
    verb, icon = ("Hide", ft.Icons.MENU_OPEN) if surroundings.lists else ("Show", ft.Icons.MENU)
    return icon_button(icon, f"{verb} the lists ({keys})", lambda: toggle_lists(engine))


@component
def ListsSheet(close: Callable[[], None]) -> Any:
    """The lists over a page; choosing something closes them."""

    def hear(pressed: str) -> bool:
        if pressed == "Escape":
            close()
        return pressed == "Escape"

    use_keys(hear)
    head = ft.Row([label("Lists", expand=True), icon_button(ft.Icons.CLOSE, "Close", close)])
    lists = ft.Column([Lists(close)], scroll=ft.ScrollMode.AUTO, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return ft.Column(
        [head, ft.Container(lists, height=480)],
        spacing=S2,
        tight=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


@component
def Lists(leave: Callable[[], None] | None = None) -> Any:
    """Every list; `leave` is called when something was chosen."""
    engine, session = use_engine(), use_session()
    path = ft.use_route_location()
    runs = use_topic(engine.runs.list, every=EVERY)
    datasets = use_topic(engine.library.datasets, every=EVERY)
    versions = use_topic(engine.outcomes.versions, every=EVERY)
    leaving = use_topic(session.leaving, every=0.0)

    def opens(route: str) -> Callable[[], None]:
        def do() -> None:
            if leave is not None:
                leave()
            go(route)

        return do

    def item(place: Place, id: str, name: str, said: str, mark: ft.Control) -> Item:
        route = f"{place.route}/{id}"
        return Item(id, name, said, opens(route), mark, here=path == route)

    ordered = ft.use_memo(lambda: [run for run in in_order(runs) if run.id not in leaving], [runs, leaving])
    kept = [each for each in datasets if each.id not in leaving]
    made = [each for each in versions if each.id not in leaving]
    blocks = [
        _List(
            RUNS,
            len(ordered),
            [
                item(RUNS, run.id, run.name, f"{run.name}, {run.state.value}", dot(run.state, words=False))
                for run in islice(ordered, LINES)
            ],
            opens,
        ),
        _List(
            DATA,
            len(kept),
            [item(DATA, each.id, each.name, each.name, _icon(DATA)) for each in islice(kept, LINES)],
            opens,
        ),
        _List(
            VERSIONS,
            len(made),
            [item(VERSIONS, each.id, each.title, each.title, _icon(VERSIONS)) for each in islice(made, LINES)],
            opens,
        ),
    ]
    talks: list[ft.Control] = [Talks(leave)] if path.startswith(PLAYGROUND.route) else []
    return ft.Column([*talks, *blocks], spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Talks(leave: Callable[[], None] | None) -> Any:
    """The newest conversations."""
    engine, session = use_engine(), use_session()
    changed = use_topic(engine.playground.changed, every=EVERY)
    talk = use_topic(session.talk, every=0.0)
    found, _, _ = use_latest(lambda: engine.playground.kept.all(""), [changed])
    listed = found or NOTHING

    def opens(conversation: Conversation) -> Callable[[], object]:
        async def do() -> None:
            session.talk.set(await engine.playground.talk(conversation.id))
            if leave is not None:
                leave()
            go(PLAYGROUND.route)

        return do

    items = [
        Item(
            each.id,
            each.title,
            f"Conversation {each.title}",
            opens(each),
            _icon(PLAYGROUND),
            here=talk is not None and talk.id == each.id,
        )
        for each in listed[:LINES]
    ]
    return _List(PLAYGROUND, len(listed), items, None)


def _icon(place: Place) -> ft.Control:
    return ft.Icon(place.icon, size=16, color=Ink.MUTED)


@component
def _List(place: Place, count: int, items: Sequence[Item], opens: Callable[[str], Callable[[], None]] | None) -> Any:
    """A list with its head, which folds it; `opens` makes what leads to the page with all of them."""
    session = use_session()
    folded = place.route in use_topic(session.folded, every=0.0)
    name = LISTS[place.route]

    def fold() -> None:
        session.fold(place.route)

    arrow = ft.Icons.CHEVRON_RIGHT if folded else ft.Icons.EXPAND_MORE
    face: list[ft.Control] = [
        ft.Icon(arrow, size=16, color=Ink.MUTED),
        muted(name, font_family=STRONG, expand=True),
        muted(f"{count:,}"),
    ]
    state = "folded" if folded else "open"
    lines: list[ft.Control] = [_line(face, f"{name}, {count:,}, {state}", fold)]
    if not folded:
        lines += [_item(each) for each in items]
        if not items:
            lines.append(ft.Container(muted("None yet"), padding=ft.Padding.only(left=S2 + 16 + S2)))
        if count > len(items) and opens is not None:
            more = [ft.Container(width=16), muted(f"All {count:,}")]
            lines.append(_line(more, f"All {count:,} {name.lower()}", opens(place.route)))
    return ft.Column(lines, spacing=0, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


LISTS = {
    RUNS.route: "Runs",
    DATA.route: "Datasets",
    VERSIONS.route: "Versions",
    PLAYGROUND.route: "Conversations",
}


def _item(item: Item) -> ft.Control:
    color = Ink.ON_PRIMARY_TINT if item.here else Ink.TEXT
    words = muted(item.name, size=13, color=color, expand=True, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)
    return _line([item.mark, words], item.said, item.do, here=item.here, tip=item.name)


def _line(face: list[ft.Control], said: str, do: Handler, *, here: bool = False, tip: str = "") -> ft.Control:
    return pressable(
        ft.Row(face, spacing=S1 + 2),
        do,
        name=said,
        selected=here,
        ground=Ink.PRIMARY_TINT if here else None,
        padding=ft.Padding.symmetric(horizontal=S2),
        height=LINE,
        tip=tip,
    )
