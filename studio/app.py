"""The app's root: one page per session, its contexts, its routes. The same for a window and for a served page."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft

from studio.hooks import EngineContext, SessionContext, Surroundings, SurroundingsContext, use_topic
from studio.kit import component
from studio.session import Session
from studio.shell import NotFound, Shell, on_key
from studio.theme import DARK, FONTS, LIGHT, theme

if TYPE_CHECKING:
    from engine.engine import Engine

log = logging.getLogger(__name__)
WIDTH_STEP = 8
"""The width is rounded down to this, so that dragging a window's edge does not redraw everything at every pixel. The
widths at which columns appear are multiples of it."""
MODES = {"system": ft.ThemeMode.SYSTEM, "light": ft.ThemeMode.LIGHT, "dark": ft.ThemeMode.DARK}


def open_page(page: ft.Page, engine: Engine) -> None:
    """Show the app in a new session."""
    page.title = "PEFT Studio"
    if not page.web:
        page.fonts = FONTS  # the served page has them in its manifest (studio/gate.py), before the first word
    page.theme, page.dark_theme = theme(LIGHT), theme(DARK)
    page.theme_mode = MODES[engine.settings.value.theme]
    page.padding = 0
    page.spacing = 0
    page.on_keyboard_event = on_key
    page.on_error = lambda event: log.error("the page reports: %s", event.data)
    if not page.web:
        page.window.min_width, page.window.min_height = 360, 480
        page.window.width, page.window.height = 1280, 820
        page.window.update()
    page.render(functools.partial(App, engine))
    keep_drawing(page)


def keep_drawing(page: ft.Page) -> None:
    """Restart the session's update loop when an error ended it: without it the window would stand still."""
    closed = anyio.Event()
    page.on_close = lambda: closed.set()

    async def watch() -> None:
        while not closed.is_set():
            if page.session.connection is not None:
                page.session.start_updates_scheduler()
            with anyio.move_on_after(1.0):
                await closed.wait()

    page.run_task(watch)


@component
def App(engine: Engine) -> Any:
    """Everything on the screen."""
    session: Session = ft.use_memo(Session, [])
    settings = use_topic(engine.settings)
    surroundings = _use_window(settings.theme)

    def routes() -> Any:
        return ft.Router(_routes(), not_found=NotFound)

    return EngineContext(
        engine,
        lambda: SessionContext(session, lambda: SurroundingsContext(surroundings, routes)),
    )


def _use_window(appearance: str) -> Surroundings:
    """The window's width and whether it is dark, followed."""
    page = ft.context.page

    def look() -> Surroundings:
        width = (page.width or 1280) // WIDTH_STEP * WIDTH_STEP
        dark = page.platform_brightness == ft.Brightness.DARK if appearance == "system" else appearance == "dark"
        return Surroundings(width=width, dark=dark)

    surroundings, set_surroundings = ft.use_state(look)

    def refresh() -> None:
        set_surroundings(lambda _: look())

    def follow() -> None:
        page.on_resize = refresh
        page.on_platform_brightness_change = refresh
        page.theme_mode = MODES[appearance]
        refresh()

    ft.use_effect(follow, [appearance])
    return surroundings


def _late(module: str, name: str) -> Callable[..., Any]:
    """A page that is imported when it is first shown."""

    @functools.wraps(App)
    def page(*arguments: Any) -> Any:
        import importlib

        return getattr(importlib.import_module(f"studio.pages.{module}"), name)(*arguments)

    return component(page)


def _routes() -> list[ft.Route]:
    return ROUTES


ROUTES = [
    ft.Route(
        component=Shell,
        children=[
            ft.Route(index=True, component=_late("home", "Home")),
            ft.Route(path="new", component=_late("wizard", "Wizard")),
            ft.Route(path="data", component=_late("data", "DataList")),
            ft.Route(path="data/:dataset_id", component=_late("data_detail", "DataPage")),
            ft.Route(path="runs", component=_late("runs", "RunList")),
            ft.Route(path="runs/:run_id", component=_late("run", "RunPage")),
            ft.Route(path="versions", component=_late("versions", "VersionList")),
            ft.Route(path="playground", component=_late("playground", "Playground")),
            ft.Route(path="playground/:version_id", component=_late("playground", "Playground")),
            ft.Route(path="settings", component=_late("settings", "SettingsPage")),
        ],
    )
]
