"""Every command of the app in one table; the palette, the keys, the cheat sheet and the settings are drawn from it.

A command acts on a `Scene`: the engine, this window's session, and the page that is shown.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

import flet as ft
import msgspec

from engine.core.settings import LIMITS
from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.hooks import go, sign_out
from studio.kit import toast
from studio.kit.guard import act
from studio.pace import pace_of
from studio.places import HELP, PLACES, SETTINGS, Place
from studio.session import Session

if TYPE_CHECKING:
    from engine.engine import Engine

MODIFIERS = ("Ctrl", "Alt", "Shift")
HELD_DOWN = ("Control", "Alt", "Shift", "Meta")


class Scene(msgspec.Struct, frozen=True, eq=False):
    """What a command acts on. `route` is the address of the shown page; `confined`: it is shown on another machine."""

    engine: Engine
    session: Session
    route: str = "/"
    confined: bool = False

    @property
    def run(self) -> RunView | None:
        """The run whose page is shown."""
        head, _, run_id = self.route.removeprefix("/").partition("/")
        if head != "runs" or not run_id:
            return None
        return next((run for run in self.engine.runs.list.value if run.id == run_id), None)


class Command(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Something the app can do. `keys` are the strokes that start it, a chord's two strokes separated by a space."""

    id: str
    title: str
    group: str
    do: Callable[[Scene], object]
    keys: tuple[str, ...] = ()
    when: Callable[[Scene], bool] = lambda scene: True

    @property
    def words(self) -> str:
        """As the palette lists it."""
        return f"{self.group}: {self.title}"


def _open(place: Place) -> Command:
    return Command(
        id=f"go{place.route}",
        title=place.name,
        group="Go to",
        do=lambda scene: go(place.route),
        keys=(place.stroke,),
    )


def _overlay(name: str) -> Callable[[Scene], object]:
    return lambda scene: scene.session.overlay.set(name)


def _change(**changes: object) -> Callable[[Scene], object]:
    """Saves other settings."""

    def do(scene: Scene) -> None:
        scene.engine.save_settings(msgspec.structs.replace(scene.engine.settings.value, **changes))

    return do


def toggle_lists(engine: Engine) -> None:
    """Open or close the side bar, for good."""
    settings = engine.settings.value
    engine.save_settings(msgspec.structs.replace(settings, side_bar=not settings.side_bar))


def _theme(key: str, title: str) -> Command:
    return Command(
        id=f"theme-{key}",
        title=title,
        group="Appearance",
        do=_change(theme=key),
        when=lambda scene: scene.engine.settings.value.theme != key,
    )


def _switch(name: str, title: str, on: bool) -> Command:
    return Command(
        id=f"{name}-{on}".lower(),
        title=title,
        group="Settings",
        do=_change(**{name: on}),
        when=lambda scene: (
            getattr(scene.engine.settings.value, name) is not on and not (scene.confined and name in LIMITS)
        ),
    )


def _tell(verb: str, title: str, said: str, *states: RunState) -> Command:
    """Tells the run whose page is shown."""

    def do(scene: Scene) -> None:
        if scene.run is not None:
            runs = scene.engine.runs
            {
                "pause": runs.pause,
                "resume": runs.resume,
                "stop": runs.stop,
                "save": runs.checkpoint_now,
            }[verb](scene.run.id)
            toast(said)

    return Command(
        id=f"run-{verb}",
        title=title,
        group="This run",
        do=do,
        when=lambda scene: scene.run is not None and scene.run.state in states,
    )


async def _try_sample(scene: Scene) -> None:
    from studio.pages.wizard_state import try_sample

    await try_sample(scene.engine, scene.session)


def _start_anew(scene: Scene) -> None:
    scene.session.start_over()
    go("/new")


AT_WORK = (RunState.RUNNING, RunState.INITIALIZING)
RESUMABLE = tuple(state for state in RunState if state.resumable)
COMMANDS: tuple[Command, ...] = (
    Command(
        id="palette",
        title="All commands",
        group="Find",
        do=_overlay("commands"),
        keys=("Ctrl+Shift+P", "Alt+Shift+K"),
    ),
    Command(
        id="open",
        title="A run, dataset, version or page",
        group="Find",
        do=_overlay("open"),
        keys=("Ctrl+P", "Alt+Shift+O"),
    ),
    Command(id="keys", title="Keyboard shortcuts", group="Help", do=_overlay("keys"), keys=("F1", "Ctrl+K Ctrl+S")),
    Command(id="notices", title="Notifications", group="Find", do=_overlay("notices"), keys=("Alt+Shift+B",)),
    *(_open(place) for place in (*PLACES, HELP, SETTINGS)),
    Command(id="new", title="Start over with an empty form", group="Fine-tune", do=_start_anew),
    Command(id="capsule", title="Open a capsule", group="Results", do=lambda scene: go("/capsule")),
    Command(id="sample", title="Try it with sample data", group="Fine-tune", do=_try_sample),
    _tell("pause", "Pause", "Pausing: saving the state first.", *AT_WORK),
    _tell("resume", "Resume", "It goes on where it stopped.", *RESUMABLE),
    _tell("save", "Save now", "Saving after this step.", *AT_WORK),
    _tell("stop", "Stop", "Stopping; what it learned is kept.", *AT_WORK, RunState.CREATED),
    _theme("system", "As the system is"),
    _theme("light", "Light"),
    _theme("dark", "Dark"),
    _theme("contrast", "High contrast"),
    Command(
        id="side-bar",
        title="Show or hide the lists",
        group="View",
        do=lambda scene: toggle_lists(scene.engine),
        keys=("Ctrl+B", "Alt+Shift+L"),
    ),
    _switch("do_not_disturb", "Do not disturb", True),
    _switch("do_not_disturb", "End do not disturb", False),
    _switch("expert_mode", "Expert mode", True),
    _switch("expert_mode", "End expert mode", False),
    _switch("debug", "Debug mode", True),
    _switch("debug", "End debug mode", False),
    Command(
        id="sign-out", title="Sign out", group="Account", do=lambda scene: sign_out(), when=lambda scene: scene.confined
    ),
)


@functools.cache
def _by_keys() -> dict[str, Command]:
    return {stroke: command for command in COMMANDS for stroke in command.keys}


def stroke(key: str, *, ctrl: bool = False, meta: bool = False, alt: bool = False, shift: bool = False) -> str:
    """The name of a key press: Ctrl+Shift+P. Cmd on a Mac is what Ctrl is elsewhere."""
    held = (name for name, down in zip(MODIFIERS, (ctrl or meta, alt, shift), strict=True) if down)
    return "+".join((*held, key.upper() if len(key) == 1 else key))


def shown(keys: str, mac: bool) -> str:
    """A stroke as this platform's keyboards say it."""
    return keys.replace("Ctrl", "Cmd").replace("Alt", "Option") if mac else keys


def is_mac(page: ft.Page) -> bool:
    return page.platform is ft.PagePlatform.MACOS


async def perform(scene: Scene, command: Command) -> None:
    """Do what a command says, if it can be done here. Raises what the engine raises."""
    if not command.when(scene):
        return
    result = command.do(scene)
    if inspect.isawaitable(result):
        await result


class Keys:
    """The one dispatcher of keys of a window. What is on top hears them first; a chord waits for its second half."""

    def __init__(self, engine: Engine, session: Session, confined: bool) -> None:
        self._engine = engine
        self._session = session
        self._confined = confined
        self._begun = ""

    async def pressed(self, event: ft.KeyboardEvent) -> None:
        """Hear one key."""
        pace_of(ft.context.page).use()
        if event.key.startswith(HELD_DOWN):
            return  # it comes again with the letter
        pressed = stroke(event.key, ctrl=event.ctrl, meta=event.meta, alt=event.alt, shift=event.shift)
        if self._session.heard(pressed):
            return
        command = self._find(pressed)
        if command is not None:
            scene = Scene(self._engine, self._session, ft.context.page.route, self._confined)
            await act(functools.partial(perform, scene, command))(event)  # type: ignore[misc]

    def _find(self, pressed: str) -> Command | None:
        known = _by_keys()
        whole = f"{self._begun} {pressed}".strip()
        begins = any(each.startswith(f"{pressed} ") for each in known)
        self._begun = pressed if whole not in known and begins else ""
        return known.get(whole) or known.get(pressed)
