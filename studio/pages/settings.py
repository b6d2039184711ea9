"""Settings: a plain list drawn from the settings' own descriptions, kept as soon as a value is entered."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgspec

from engine.core.settings import Settings
from engine.spec.fields import Setting, settings_of
from studio.hooks import use_engine, use_surroundings, use_topic
from studio.kit import Choice, NumberField, Switch, card, code, component, label, link, muted, section, title
from studio.pages.settings_log import LiveLog
from studio.palette import CheatSheet
from studio.shell import frame
from studio.theme import S1, S4


@component
def SettingsPage() -> Any:
    """The page."""
    engine = use_engine()
    surroundings = use_surroundings()
    settings = use_topic(engine.settings, every=0.0)
    narrow = surroundings.columns == 1
    rows = [_row(setting, settings, engine.save_settings, narrow) for setting in settings_of(Settings).values()]
    home = ft.Column([muted("Home"), code(str(engine.home.path))], spacing=S1, tight=True)
    return frame(
        surroundings.width,
        surroundings.columns,
        title("Settings"),
        card(ft.Column(rows, spacing=S4, tight=True)),
        section("Keys", card(CheatSheet())),
        section("Where things are", card(home)),
        *((section("The app's log", card(LiveLog()), action=link("Design system", "/kit")),) if settings.debug else ()),
        widest=860,
    )


def _row(setting: Setting, settings: Settings, save: Any, narrow: bool) -> ft.Control:
    value = getattr(settings, setting.name)

    def keep(new: object) -> None:
        save(msgspec.structs.replace(settings, **{setting.name: new}))

    if isinstance(value, bool):
        field: ft.Control = Switch(value, keep)
    elif setting.choices:
        field = Choice(value, [(each, each.capitalize()) for each in setting.choices], keep, width=200)
    else:
        field = NumberField(
            value,
            lambda number: keep(int(number) if setting.whole else number),
            whole=setting.whole,
            minimum=setting.minimum,
            maximum=setting.maximum,
            unit=setting.unit,
            width=160,
        )
    field = ft.Semantics(content=field, label=setting.title, container=True)
    words = ft.Column([label(setting.title), muted(setting.help)], spacing=0, tight=True)
    if narrow:
        return ft.Column([words, field], spacing=S1, tight=True)
    return ft.Row([ft.Container(words, expand=True), ft.Container(field, width=260)], spacing=S4)
