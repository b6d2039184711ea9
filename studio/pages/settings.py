"""Settings: a plain list drawn from the settings' own descriptions, kept as soon as a value is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.core.settings import LIMITS, Settings
from engine.spec.fields import Setting, settings_of
from studio.frame import frame
from studio.hooks import sign_out, use_engine, use_surroundings, use_topic
from studio.kit import (
    Choice,
    NumberField,
    Switch,
    body,
    card,
    code,
    component,
    label,
    link,
    muted,
    quiet,
    row,
    section,
    title,
)
from studio.pages.settings_log import LiveLog
from studio.palette import CheatSheet
from studio.theme import S1, S4

if TYPE_CHECKING:
    from engine.engine import Engine


@component
def SettingsPage() -> Any:
    """The page."""
    engine = use_engine()
    surroundings = use_surroundings()
    settings = use_topic(engine.settings, every=0.0)
    narrow, confined = surroundings.columns == 1, surroundings.confined
    rows = [
        _row(
            setting,
            _shown(setting, settings) if confined and name in LIMITS else _field(setting, settings, engine),
            narrow,
        )
        for name, setting in settings_of(Settings).items()
    ]
    home = ft.Column([muted("Home"), code(str(engine.home.path))], spacing=S1, tight=True)
    return frame(
        surroundings,
        title("Settings"),
        card(ft.Column(rows, spacing=S4, tight=True)),
        *((section("Account", _account()),) if confined else (section("Where things are", card(home)),)),
        section("Keys", card(CheatSheet())),
        *((section("The app's log", card(LiveLog()), action=link("Design system", "/kit")),) if settings.debug else ()),
        widest=860,
    )


def _account() -> ft.Control:
    words = "Limits that protect the machine PEFT Studio runs on are set there."
    return card(row(quiet("Sign out", sign_out, icon=ft.Icons.LOGOUT), muted(words, size=14)))


def _shown(setting: Setting, settings: Settings) -> ft.Control:
    """A value that cannot be changed here."""
    value = getattr(settings, setting.name)
    words = ("On" if value else "Off") if isinstance(value, bool) else f"{value:,} {setting.unit}"
    return body(words.strip())


def _field(setting: Setting, settings: Settings, engine: Engine) -> ft.Control:
    value = getattr(settings, setting.name)

    def keep(new: object) -> None:
        """Changes this one and leaves what others have changed meanwhile."""
        engine.save_settings(msgspec.structs.replace(engine.settings.value, **{setting.name: new}))

    if isinstance(value, bool):
        return Switch(value, keep)
    if setting.choices:
        return Choice(value, [(each, each.capitalize()) for each in setting.choices], keep, width=200)
    return NumberField(
        value,
        lambda number: keep(int(number) if setting.whole else number),
        whole=setting.whole,
        minimum=setting.minimum,
        maximum=setting.maximum,
        unit=setting.unit,
        width=160,
    )


def _row(setting: Setting, field: ft.Control, narrow: bool) -> ft.Control:
    said = ft.Semantics(content=field, label=setting.title, container=True)
    words = ft.Column([label(setting.title), muted(setting.help)], spacing=0, tight=True)
    if narrow:
        return ft.Column([words, said], spacing=S1, tight=True)
    return ft.Row([ft.Container(words, expand=True), ft.Container(said, width=260)], spacing=S4)
