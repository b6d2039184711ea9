"""Settings: a plain list drawn from the settings' own descriptions, kept as soon as a value is entered."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgspec

from engine.core.settings import Settings
from engine.spec.fields import Setting, settings_of
from studio.hooks import use_engine, use_surroundings, use_topic
from studio.kit import Choice, NumberField, card, code, component, label, muted, section, title
from studio.shell import KEYS, frame
from studio.theme import S1, S3, S4


@component
def SettingsPage() -> Any:
    """The page."""
    engine = use_engine()
    surroundings = use_surroundings()
    settings = use_topic(engine.settings, every=0.0)
    narrow = surroundings.columns == 1
    rows = [_row(setting, settings, engine.save_settings, narrow) for setting in settings_of(Settings).values()]
    keys = [
        ft.Row([ft.Container(code(f"Alt+Shift+{key}", selectable=False), width=140), muted(place.name, size=14)])
        for key, place in KEYS.items()
    ]
    home = ft.Column([muted("Home"), code(str(engine.home.path))], spacing=S1, tight=True)
    return frame(
        surroundings.width,
        surroundings.columns,
        title("Settings"),
        card(ft.Column(rows, spacing=S4, tight=True)),
        section("Keys", card(ft.Column(list(keys), spacing=S3, tight=True))),
        section("Where things are", card(home)),
        widest=860,
    )


def _row(setting: Setting, settings: Settings, save: Any, narrow: bool) -> ft.Control:
    value = getattr(settings, setting.name)

    def keep(new: object) -> None:
        save(msgspec.structs.replace(settings, **{setting.name: new}))

    if setting.choices:
        field: ft.Control = Choice(value, [(each, each.capitalize()) for each in setting.choices], keep, width=200)
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
    words = ft.Column([label(setting.title), muted(setting.help)], spacing=0, tight=True)
    if narrow:
        return ft.Column([words, field], spacing=S1, tight=True)
    return ft.Row([ft.Container(words, expand=True), ft.Container(field, width=260)], spacing=S4)
