"""A page inside the shell: its title line, its content, and the panel beside or below it.

Every width draws the same tree of controls: Flet keeps what a component remembers (a form that is open, a tab that was
chosen) by its place in the tree, so that dragging a window's edge loses nothing.
"""

from __future__ import annotations

import flet as ft

from studio.hooks import Surroundings
from studio.theme import PAGE_GAP, PANEL_WIDTH, PHONE_GAP, S2, S4, Ink


def frame(
    surroundings: Surroundings,
    title: ft.Control,
    *content: ft.Control,
    actions: tuple[ft.Control, ...] = (),
    panel: ft.Control | None = None,
    footer: ft.Control | None = None,
    widest: int = 1120,
    follow: bool = False,
) -> ft.Control:
    """A page: its title line, its content, the panel at the right (or under the content where there is no room).

    With `follow` it is scrolled to its end as it grows.
    """
    columns = surroundings.columns
    beside = panel is not None and columns == 3
    below: list[ft.Control] = [panel] if panel is not None and not beside else []
    room = surroundings.room - (PANEL_WIDTH if beside else 0) - 1
    body = ft.Column(
        [_head(columns, title, actions), *content, *below],
        spacing=PAGE_GAP if columns > 1 else PHONE_GAP,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
    scrolled = ft.Column(
        [ft.Container(body, padding=24 if columns > 1 else 16, width=min(widest, room))],
        scroll=ft.ScrollMode.AUTO,
        auto_scroll=follow,
        auto_scroll_animation=0,
        expand=True,
        horizontal_alignment=ft.CrossAxisAlignment.CENTER if columns > 1 else ft.CrossAxisAlignment.START,
    )
    main = ft.Column(
        [scrolled, *([footer] if footer is not None else [])],
        spacing=0,
        expand=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
    side = ft.Container(
        ft.Column(
            [panel] if beside and panel is not None else [],
            scroll=ft.ScrollMode.AUTO,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
        ),
        width=PANEL_WIDTH,
        bgcolor=Ink.SURFACE,
        padding=S4,
        border=ft.Border.only(left=ft.BorderSide(1, Ink.BORDER)),
        visible=beside,
    )
    return ft.Row([main, side], spacing=0, expand=True, vertical_alignment=ft.CrossAxisAlignment.STRETCH)


def _head(columns: int, title: ft.Control, actions: tuple[ft.Control, ...]) -> ft.Control:
    """The title, and what can be done with the page: at the right, or below where there is no room."""
    narrow = columns == 1
    return ft.Row(
        [
            ft.Container(title, expand=None if narrow else True),
            ft.Row(list(actions), spacing=S2, run_spacing=S2, wrap=narrow, tight=True),
        ],
        spacing=S2,
        run_spacing=S2,
        wrap=narrow,
        alignment=ft.MainAxisAlignment.SPACE_BETWEEN if narrow else ft.MainAxisAlignment.START,
        vertical_alignment=ft.CrossAxisAlignment.CENTER,
    )
