"""What opens over the page: all commands, quick open, the sheet of keys. All of it works by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flet as ft
import msgspec

from studio.commands import COMMANDS, Command, Scene, is_mac, perform, shown
from studio.fuzzy import best
from studio.guides import guides
from studio.hooks import go, use_engine, use_keys, use_session, use_surroundings, use_topic
from studio.kit import TextField, body, code, component, icon_button, label, muted
from studio.kit.guard import act
from studio.kit.pressed import pressable
from studio.notifying import Centre
from studio.places import HELP, PLACES, SETTINGS
from studio.sidebar import ListsSheet
from studio.theme import RADIUS_CARD, RADIUS_FIELD, S1, S2, S3, S4, Ink

SHOWN = 9
"""Entries seen at once; the list moves with the chosen one."""
FOUND = 100
WIDTH = 620
LINE = 40


class Entry(msgspec.Struct, frozen=True, eq=False):
    """One thing to choose. `id` is remembered when it was chosen."""

    id: str
    title: str
    detail: str
    icon: Any
    do: Callable[[], object]
    keys: str = ""

    @property
    def words(self) -> str:
        """What is searched."""
        return f"{self.title} {self.detail}"


def commands(scene: Scene, mac: bool) -> list[Entry]:
    """Every command that can be given here."""
    return [
        Entry(
            each.id,
            each.words,
            "",
            ft.Icons.CHEVRON_RIGHT,
            lambda each=each: perform(scene, each),
            shown(each.keys[0], mac) if each.keys else "",
        )
        for each in COMMANDS
        if each.when(scene)
    ]


def things(scene: Scene) -> list[Entry]:
    """Pages, runs, datasets and versions."""
    engine = scene.engine
    entries = [
        Entry(place.route, place.name, "page", place.icon, lambda place=place: go(place.route))
        for place in (*PLACES, HELP, SETTINGS)
    ]
    entries += [_thing(f"/help/{each.id}", each.title, "guide", ft.Icons.MENU_BOOK_OUTLINED) for each in guides()]
    entries += [
        _thing(f"/runs/{run.id}", run.name, f"run, {run.state.value}", ft.Icons.TIMELINE)
        for run in engine.runs.list.value
        if run.kind == "train"
    ]
    entries += [
        _thing(f"/data/{each.id}", each.name, "dataset", ft.Icons.TABLE_ROWS_OUTLINED)
        for each in engine.library.datasets.value
    ]
    entries += [
        _thing(f"/playground/{each.id}", f"{each.name} {each.number}", "version", ft.Icons.LAYERS_OUTLINED)
        for each in engine.outcomes.versions.value
    ]
    return entries


def _thing(route: str, name: str, kind: str, icon: Any) -> Entry:
    return Entry(route, name, kind, icon, lambda: go(route))


def found(entries: Sequence[Entry], query: str, recent: Sequence[str]) -> list[Entry]:
    """The entries that fit, the best first; without a query, what was used last comes first."""
    places = {each: place for place, each in enumerate(recent)}
    ordered = sorted(entries, key=lambda each: places.get(each.id, len(places)))
    return best(query, ordered, lambda each: each.words, FOUND)


def moved(at: int, by: int, count: int) -> int:
    """Where the choice goes: one step goes round, a page stops at the ends."""
    return (at + by) % count if abs(by) == 1 else max(0, min(count - 1, at + by))


@component
def Overlay() -> Any:
    """What lies over the page now, if anything."""
    session = use_session()
    name = use_topic(session.overlay, every=0.0)

    def close() -> None:
        session.overlay.set("")

    ft.use_dialog(_dialog(name, close) if name in OVERLAYS else None)
    return ft.Container(height=0, visible=False)


def _dialog(name: str, close: Callable[[], None]) -> ft.AlertDialog:
    return ft.AlertDialog(
        content=ft.Container(OVERLAYS[name](close), width=WIDTH),
        content_padding=S3,
        inset_padding=S4,
        alignment=ft.Alignment(0, -0.7),
        bgcolor=Ink.RAISED,
        shape=ft.RoundedRectangleBorder(radius=RADIUS_CARD, side=ft.BorderSide(1, Ink.BORDER)),
        scrollable=name == "keys",
        on_dismiss=act(close),
        semantics_label=TITLES[name],
    )


@component
def Commands(close: Callable[[], None]) -> Any:
    """All commands that can be given here."""
    return _Picker(close, commands, "Search commands", "No command is called that.")


@component
def Open(close: Callable[[], None]) -> Any:
    """Runs, datasets, versions and pages by a few letters of their names."""
    return _Picker(close, lambda scene, mac: things(scene), "Search runs, datasets, versions, pages", "Nothing fits.")


@component
def _Picker(close: Callable[[], None], list_: Callable[[Scene, bool], list[Entry]], hint: str, none: str) -> Any:
    """A field and the list that it filters; up and down choose, Enter takes."""
    engine, session = use_engine(), use_session()
    page = ft.context.page
    scene = Scene(engine, session, page.route, use_surroundings().confined)
    query, set_query = ft.use_state("")
    at, set_at = ft.use_state(0)
    entries = ft.use_memo(lambda: list_(scene, is_mac(page)), [])
    shown_ = ft.use_memo(lambda: found(entries, query, session.recent.value), [query])
    count = len(shown_)

    def typed(words: str) -> None:
        set_query(words)
        set_at(0)

    async def take(entry: Entry) -> None:
        close()
        session.used(entry.id)
        result = entry.do()
        if hasattr(result, "__await__"):
            await result  # type: ignore[misc]

    def hear(pressed: str) -> bool:
        if pressed in MOVES and count:
            set_at(lambda now: moved(now, MOVES[pressed], count))
        elif pressed == "Escape":
            close()
        return pressed in MOVES or pressed == "Escape"

    use_keys(hear)

    async def take_chosen() -> None:
        if shown_:
            await take(shown_[min(at, count - 1)])

    first = max(0, min(at - SHOWN // 2, count - SHOWN))
    lines = [
        _line(entry, first + place == at, lambda entry=entry: take(entry))
        for place, entry in enumerate(shown_[first : first + SHOWN])
    ]
    return ft.Column(
        [
            TextField(query, typed, hint=hint, autofocus=True, on_submit=take_chosen, rest=0.0),
            ft.Column(lines or [muted(none, size=14)], spacing=2, tight=True),
            muted(f"{count} found · up and down choose, Enter opens, Escape closes"),
        ],
        spacing=S3,
        tight=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


MOVES = {"Arrow Down": 1, "Arrow Up": -1, "Page Down": SHOWN, "Page Up": -SHOWN}


def _line(entry: Entry, chosen: bool, take: Callable[[], object]) -> ft.Control:
    words: list[ft.Control] = [
        ft.Icon(entry.icon, size=18, color=Ink.PRIMARY if chosen else Ink.MUTED),
        body(entry.title, expand=True, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
    ]
    if entry.detail:
        words.append(muted(entry.detail, no_wrap=True))
    if entry.keys:
        words.append(key_cap(entry.keys))
    return pressable(
        ft.Row(words, spacing=S3),
        take,
        name=entry.title,
        selected=chosen,
        ground=Ink.PRIMARY_TINT if chosen else None,
        padding=ft.Padding.symmetric(horizontal=S3),
        height=LINE,
    )


def key_cap(keys: str) -> ft.Control:
    """Keys as they look on a keyboard."""
    return ft.Container(
        code(keys, size=12, color=Ink.MUTED, selectable=False),
        border=ft.Border.all(1, Ink.BORDER),
        border_radius=RADIUS_FIELD,
        padding=ft.Padding.symmetric(horizontal=S2, vertical=2),
    )


@component
def CheatSheet() -> Any:
    """Every command that has keys, by group."""
    mac = is_mac(ft.context.page)
    narrow = use_surroundings().columns == 1
    groups: dict[str, list[Command]] = {}
    for command in COMMANDS:
        if command.keys:
            groups.setdefault(command.group, []).append(command)
    blocks: list[ft.Control] = []
    for name, members in groups.items():
        blocks.append(label(name))
        blocks += [_keys_of(each, mac, narrow) for each in members]
    return ft.Column(blocks, spacing=S2, tight=True)


def _keys_of(command: Command, mac: bool, narrow: bool) -> ft.Control:
    caps = ft.Row([key_cap(shown(keys, mac)) for keys in command.keys], spacing=S1, wrap=True)
    return ft.Row([ft.Container(caps, width=150 if narrow else 260), body(command.title, expand=True)], spacing=S3)


@component
def KeySheet(close: Callable[[], None]) -> Any:
    """The sheet of keys over the page."""

    def hear(pressed: str) -> bool:
        if pressed == "Escape":
            close()
        return pressed == "Escape"

    use_keys(hear)
    head = ft.Row(
        [label("Keyboard shortcuts"), icon_button(ft.Icons.CLOSE, "Close", close)],
        alignment=ft.MainAxisAlignment.SPACE_BETWEEN,
    )
    return ft.Column([head, CheatSheet()], spacing=S3, tight=True)


OVERLAYS: dict[str, Callable[[Callable[[], None]], Any]] = {
    "commands": Commands,
    "open": Open,
    "keys": KeySheet,
    "notices": Centre,
    "lists": ListsSheet,
}
TITLES = {
    "commands": "Commands",
    "open": "Open",
    "keys": "Keyboard shortcuts",
    "notices": "Notifications",
    "lists": "Lists",
}
