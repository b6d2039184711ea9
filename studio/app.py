"""The app's root: one page per session, its contexts, its routes. The same for a window and for a served page."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import msgspec

from studio import NAME
from studio.commands import Keys
from studio.drafting import DraftKeeper
from studio.flet_faster import make_faster
from studio.hooks import EngineContext, SessionContext, Surroundings, SurroundingsContext, use_task, use_topic
from studio.kit import component
from studio.pace import pace_of
from studio.session import Session
from studio.shell import NotFound, Shell
from studio.sidebar import is_listed
from studio.sweep import make_passes_rare, sweep
from studio.theme import CONTRAST, DARK, FONTS, LIGHT, theme

if TYPE_CHECKING:
    from engine.core.settings import Settings
    from engine.core.topics import Topic
    from engine.engine import Engine

log = logging.getLogger(__name__)
WIDTH_STEP = 8
"""The width is rounded down to this, so that dragging a window's edge does not redraw everything at every pixel. The
widths at which columns appear are multiples of it."""
LOOK_SECONDS = 1.0
"""How often a session is looked after."""
UNSEEN = (ft.AppLifecycleState.HIDE, ft.AppLifecycleState.PAUSE)
"""States in which nobody sees the window or the tab."""
WIZARD = "/new"
"""A tab that is opened here returns to a draft, as a window does that has no address."""
MODES = {
    "system": ft.ThemeMode.SYSTEM,
    "light": ft.ThemeMode.LIGHT,
    "dark": ft.ThemeMode.DARK,
    "contrast": ft.ThemeMode.DARK,
}


def open_page(
    page: ft.Page, engine: Engine, *, confined: bool = False, on_close: Callable[[], object] = lambda: None
) -> None:
    """Show the app in a new session. `confined`: it is shown on another machine, whose words name no files of this one.

    `on_close` is called when the session is over.
    """
    make_faster()
    make_passes_rare()
    page.title = NAME
    if not page.web:
        page.fonts = FONTS  # the served page has them in its manifest (studio/client_files.py), before the first word
    _dress(page, engine.settings.value.theme, still=engine.settings.value.motion == "reduced")
    page.padding = 0
    page.spacing = 0
    session = Session()
    page.on_keyboard_event = Keys(engine, session, confined).pressed
    pace = pace_of(page)
    page.on_connect = lambda: pace.show(True)  # a page that is loaded anew said that it hides, and nothing since
    page.on_app_lifecycle_state_change = lambda event: pace.show(event.state not in UNSEEN)
    page.on_error = lambda event: log.error("the page reports: %s", event.data)
    if not page.web:
        page.window.min_width, page.window.min_height = 360, 480
        page.window.width, page.window.height = 1280, 820
        page.window.update()
    page.render(functools.partial(App, engine, session, confined))
    look_after(page, DraftKeeper(engine, session, confined=confined), on_close)


FIRST_PAGE = (
    "Button", "Column", "Container", "FilledButton", "Icon", "IconButton", "Image", "MergeSemantics", "OutlinedButton",
    "ProgressBar", "Row", "SemanticsService", "Stack", "TextButton",
)  # fmt: skip
"""Controls that the first page is made of; a test holds that none is missing."""


def warm() -> None:
    """Import what the first page is made of (Flet imports each control when it is first named); half of its time."""
    import flet.components.component
    import flet.components.hooks.use_dialog
    import flet.components.hooks.use_memo
    import flet.controls.events
    import flet.controls.material.textfield  # noqa: F401

    import studio.pages.home  # noqa: F401

    for name in FIRST_PAGE:
        getattr(ft, name)
    theme(LIGHT)


def _dress(page: ft.Page, appearance: str, *, still: bool) -> None:
    """Give the page the themes of this appearance."""
    page.theme = theme(LIGHT, still=still)
    page.dark_theme = theme(CONTRAST if appearance == "contrast" else DARK, still=still)
    page.theme_mode = MODES[appearance]


def look_after(page: ft.Page, keeper: DraftKeeper, on_close: Callable[[], object]) -> None:
    """Keep the session's draft, sweep in its pauses, and restart its update loop when an error ended it (the window
    would stand still)."""
    closed = anyio.Event()

    def close() -> None:
        closed.set()
        on_close()

    page.on_close = close
    returns = not page.web or page.route == WIZARD

    async def watch() -> None:
        if returns:
            await keeper.come_back()
        while not closed.is_set():
            here = page.session.connection is not None
            if here:
                page.session.start_updates_scheduler()
            await keeper.look(here)
            sweep()
            with anyio.move_on_after(LOOK_SECONDS):
                await closed.wait()
        await keeper.look(False)

    page.run_task(watch)


@component
def App(engine: Engine, session: Session, confined: bool) -> Any:
    """Everything on the screen."""
    settings = use_topic(engine.settings)
    listed = _use_listed(engine)
    surroundings = _use_window(settings, _use_saving(engine), confined)
    lists = settings.side_bar and listed and not surroundings.phone
    surroundings = msgspec.structs.replace(surroundings, lists=lists)

    def routes() -> Any:
        return ft.Router(_routes(), not_found=NotFound)

    return EngineContext(
        engine,
        lambda: SessionContext(session, lambda: SurroundingsContext(surroundings, routes)),
    )


def _use_listed(engine: Engine) -> bool:
    """Whether there is anything for the side bar to list."""
    listed, set_listed = ft.use_state(lambda: is_listed(engine))

    async def follow(topic: Topic[Any]) -> None:
        async for _ in topic.watch():
            set_listed(is_listed(engine))

    use_task(functools.partial(follow, engine.runs.list), [])
    use_task(functools.partial(follow, engine.library.datasets), [])
    use_task(functools.partial(follow, engine.outcomes.versions), [])
    return listed


def _use_saving(engine: Engine) -> bool:
    """Whether power is saved now: as the settings say, or on battery."""
    pace = pace_of(ft.context.page)

    def now() -> bool:
        wish = engine.settings.value.power_saving
        return wish == "on" or (wish == "auto" and bool(engine.meters.value.on_battery))

    saving, set_saving = ft.use_state(now)

    async def follow(topic: Topic[Any]) -> None:
        async for _ in topic.watch():
            set_saving(now())

    use_task(functools.partial(follow, engine.settings), [])
    use_task(functools.partial(follow, engine.meters), [])
    pace.save(saving)
    return saving


def _use_window(settings: Settings, saving: bool, confined: bool) -> Surroundings:
    """The window's width, its theme, and whether things may move, followed."""
    page = ft.context.page
    wishes = _use_wishes()
    appearance = "contrast" if settings.theme == "system" and wishes.high_contrast else settings.theme
    wished = settings.motion == "reduced" or (settings.motion == "system" and wishes.reduce_motion)
    still = wished or saving

    def look() -> Surroundings:
        width = (page.width or 1280) // WIDTH_STEP * WIDTH_STEP
        system = "dark" if page.platform_brightness == ft.Brightness.DARK else "light"
        shown = system if appearance == "system" else appearance
        return Surroundings(width=width, theme=shown, still=still, saving=saving, confined=confined)

    surroundings, set_surroundings = ft.use_state(look)
    newest: Any = ft.use_ref(look)
    newest.current = look

    def refresh() -> None:
        set_surroundings(lambda _: newest.current())

    def follow() -> None:
        page.on_resize = refresh
        page.on_platform_brightness_change = refresh

    def dress() -> None:
        _dress(page, appearance, still=still)
        refresh()

    ft.use_effect(follow, [])
    ft.use_effect(dress, [appearance, still, saving])
    return surroundings


class Wishes(msgspec.Struct, frozen=True):
    """What a person told the system: less movement, more contrast."""

    reduce_motion: bool = False
    high_contrast: bool = False


def _use_wishes() -> Wishes:
    """The system's wishes, asked once; none where the client cannot say."""
    service = ft.use_memo(ft.SemanticsService, [])
    wishes, keep = ft.use_state(Wishes())

    async def ask() -> None:
        try:
            found = await service.get_accessibility_features()
        except (RuntimeError, TypeError, TimeoutError) as error:
            log.info("the client does not say what it is asked for: %s", error)
            return
        keep(Wishes(found.reduce_motion or found.disable_animations, found.high_contrast))

    use_task(ask, [])
    return wishes


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
            ft.Route(path="versions/:version_id", component=_late("version_page", "VersionPage")),
            ft.Route(path="capsule", component=_late("capsules", "CapsulePage")),
            ft.Route(path="compare", component=_late("compare", "ComparePage")),
            ft.Route(path="exports", component=_late("exports", "ExportList")),
            ft.Route(path="models", component=_late("models", "ModelList")),
            ft.Route(path="playground", component=_late("playground", "Playground")),
            ft.Route(path="playground/:version_id", component=_late("playground", "Playground")),
            ft.Route(path="help", component=_late("help", "HelpPage")),
            ft.Route(path="help/:guide", component=_late("help", "GuidePage")),
            ft.Route(path="kit", component=_late("kit", "KitPage")),
            ft.Route(path="settings", component=_late("settings", "SettingsPage")),
        ],
    )
]
