"""The frame around every page: activity bar, side bar, main area, status strip. It stays while pages change.

From 1200 px side bar, page and panel; from 768 side bar and page, whose panel goes below; below that the page alone,
with a bar at the bottom.
"""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.results.versions import Version
from studio.commands import is_mac, shown
from studio.hooks import go, use_engine, use_session, use_surroundings, use_topic
from studio.kit import act, body, component, empty, icon_button, muted, primary
from studio.kit.guard import Handler
from studio.kit.pressed import RING, pressable
from studio.notifying import Bell, Watch
from studio.palette import Overlay, key_cap
from studio.places import HELP, PLACES, SETTINGS, VERSIONS, Place
from studio.sidebar import SideBar, SideButton
from studio.status import PhoneStatus, StatusStrip
from studio.theme import BAR, S1, S2, S3, Ink

TOP = 44
NAMED = 368
"""From this width on the places at the bottom have their names, and at the top a place stands before its thing."""
OF_VERSIONS = ("/exports", "/capsule")
"""Pages that belong to versions and have addresses of their own."""


@component
def Shell() -> Any:
    """The frame; the page in the middle is the router's. The same tree in every width, so that a page stays itself."""
    page = ft.Container(ft.use_route_outlet(), expand=True, bgcolor=Ink.BACKGROUND)
    main = ft.Column([TopBar(), page], spacing=0, expand=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    middle = ft.Row(
        [Activities(), SideBar(), main], spacing=0, expand=True, vertical_alignment=ft.CrossAxisAlignment.STRETCH
    )
    return ft.Column([middle, Foot(), Overlay(), Watch()], spacing=0, expand=True)


@component
def Foot() -> Any:
    """The status strip; on a phone the places of the app, and above them what runs or is wrong."""
    if not use_surroundings().phone:
        return StatusStrip()
    return ft.Column(
        [PhoneStatus(), BottomBar()], spacing=0, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH
    )


def _here(route: str, path: str) -> bool:
    return path == route if route == "/" else path == route or path.startswith(route + "/")


@component
def TopBar() -> Any:
    """Where one is, the way to everything else, and what was told."""
    session = use_session()
    narrow = use_surroundings().phone
    keys = shown("Ctrl+P", is_mac(ft.context.page))

    def search() -> None:
        session.overlay.set("open")

    tools: list[ft.Control] = [
        icon_button(ft.Icons.SEARCH, "Search", search) if narrow else _search_box(keys, search),
        Bell(),
    ]
    if narrow:
        tools += [icon_button(each.icon, each.name, lambda each=each: go(each.route)) for each in (HELP, SETTINGS)]
    return ft.Container(
        ft.Row([SideButton(), Crumbs(), *tools], spacing=S2, vertical_alignment=ft.CrossAxisAlignment.CENTER),
        height=TOP,
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(bottom=ft.BorderSide(1, Ink.BORDER)),
        padding=ft.Padding.symmetric(horizontal=S2),
    )


def _search_box(keys: str, search: Handler) -> ft.Control:
    """Looks like a field, and opens the list of everything."""
    face = ft.Row(
        [ft.Icon(ft.Icons.SEARCH, size=16, color=Ink.MUTED), muted("Search", size=13), key_cap(keys)],
        spacing=S2,
        tight=True,
    )
    return pressable(
        face,
        search,
        name=f"Search everything ({keys})",
        line=Ink.BORDER,
        padding=ft.Padding.symmetric(horizontal=S3, vertical=4),
    )


@component
def Crumbs() -> Any:
    """The place, and what is open in it; that alone where there is no room for both."""
    engine, roomy = use_engine(), use_surroundings().width >= NAMED
    path = ft.use_route_location()
    runs = use_topic(engine.runs.list, every=1.0)
    datasets = use_topic(engine.library.datasets, every=1.0)
    versions = use_topic(engine.outcomes.versions, every=1.0)
    inside = next((VERSIONS.route for each in OF_VERSIONS if path.startswith(each)), path)
    place = next((each for each in (*reversed(PLACES), HELP, SETTINGS) if _here(each.route, inside)), None)
    words: list[ft.Control] = []
    if place is not None:
        thing = path.removeprefix(place.route).strip("/") if place.route != "/" else ""
        known = {"/runs": runs, "/data": datasets, "/versions": versions, "/playground": versions}.get(place.route, ())
        named = (each.title if isinstance(each, Version) else each.name for each in known if each.id == thing)
        name = next(named, "") if thing else ""
        if roomy or not name:
            words.append(muted(place.name, size=13, no_wrap=True))
        if roomy and name:
            words.append(ft.Icon(ft.Icons.CHEVRON_RIGHT, size=14, color=Ink.MUTED))
        if name:
            words.append(body(name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS, expand=True))
    return ft.Row(words, spacing=S1, expand=True)


@component
def Activities() -> Any:
    """The places of the app, top to bottom; on a narrow window they stand at the bottom instead."""
    phone, path = use_surroundings().phone, ft.use_route_location()
    if phone:
        return ft.Container(visible=False)
    entries: list[ft.Control] = [_entry(place, _here(place.route, path)) for place in PLACES]
    return ft.Container(
        ft.Column(
            [
                *entries,
                ft.Container(expand=True),
                *(_entry(each, _here(each.route, path)) for each in (HELP, SETTINGS)),
            ],
            spacing=S2,
            horizontal_alignment=ft.CrossAxisAlignment.CENTER,
        ),
        width=BAR,
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(right=ft.BorderSide(1, Ink.BORDER)),
        padding=ft.Padding.symmetric(vertical=S2),
    )


def _entry(place: Place, here: bool) -> ft.Control:
    button = ft.IconButton(
        place.chosen if here else place.icon,
        icon_color=Ink.PRIMARY if here else Ink.MUTED,
        icon_size=22,
        tooltip=f"{place.name} ({place.stroke})",
        on_click=act(lambda: go(place.route)),
        style=ft.ButtonStyle(
            animation_duration=0,
            bgcolor=Ink.PRIMARY_TINT if here else None,
            shape=ft.RoundedRectangleBorder(radius=8),
            side={ft.ControlState.FOCUSED: RING},
        ),
        width=44,
        height=44,
    )
    return ft.MergeSemantics(content=ft.Semantics(content=button, selected=here))


@component
def BottomBar() -> Any:
    """The places of the app on a narrow window, with their names where there is room for the longest."""
    path, named = ft.use_route_location(), use_surroundings().width >= NAMED
    return ft.Container(
        ft.Row(
            [_tab(place, _here(place.route, path), named) for place in PLACES if place.small],
            spacing=0,
            alignment=ft.MainAxisAlignment.SPACE_AROUND,
        ),
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(top=ft.BorderSide(1, Ink.BORDER)),
        padding=ft.Padding.symmetric(vertical=S2),
    )


def _tab(place: Place, here: bool, named: bool) -> ft.Control:
    color = Ink.PRIMARY if here else Ink.MUTED
    name: list[ft.Control] = [ft.Text(place.name, size=11, color=color, no_wrap=True)] if named else []
    face = ft.Column(
        [ft.Icon(place.chosen if here else place.icon, color=color, size=22), *name],
        spacing=2,
        tight=True,
        horizontal_alignment=ft.CrossAxisAlignment.CENTER,
    )
    return pressable(
        face,
        lambda: go(place.route),
        name=place.name,
        selected=here,
        alignment=ft.Alignment.CENTER,
        height=None if named else 44,
        expand=1,
    )


@component
def NotFound() -> Any:
    """An address that leads nowhere."""
    return ft.Container(
        empty(
            ft.Icons.EXPLORE_OFF_OUTLINED,
            "There is no page at this address.",
            "It may have moved, or the link was cut short.",
            primary("Go to Home", lambda: go("/")),
        ),
        expand=True,
        alignment=ft.Alignment.CENTER,
    )
