"""One line of the settings: its name and help, and the field that changes it, by which a screen reader knows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.core.settings import Settings
from engine.spec.fields import Setting
from studio.guides import terms_in
from studio.kit import Choice, Explained, NumberField, Switch, body, component, gigabytes, glossed, label, muted
from studio.theme import S1, S2, S4

if TYPE_CHECKING:
    from engine.engine import Engine

UNITS = {"MB": 1_000_000, "GB": 1_000_000_000}
BYTES, THEME = "bytes", "theme"


def setting_line(setting: Setting, field: ft.Control, narrow: bool) -> ft.Control:
    """The name and help of a setting, with its field beside or below them."""
    known = terms_in(setting.title)
    name = Explained(setting.title, known[0], setting.help) if known else label(setting.title)
    words = ft.Column([name, muted(setting.help), *glossed(setting.help)], spacing=0, tight=True)
    if narrow:
        return ft.Column([words, field], spacing=S1, tight=True)
    return ft.Row(
        [ft.Container(words, expand=True), ft.Container(field, width=260, alignment=ft.Alignment.CENTER_LEFT)],
        spacing=S4,
    )


def value_shown(setting: Setting, settings: Settings) -> ft.Control:
    """A value that cannot be changed here."""
    value = getattr(settings, setting.name)
    if isinstance(value, bool):
        return body("On" if value else "Off")
    return body(gigabytes(value) if setting.unit == BYTES else f"{value:,} {setting.unit}".strip())


def setting_field(setting: Setting, settings: Settings, engine: Engine) -> ft.Control:
    """What changes a setting; it is kept as soon as it is entered."""
    value = getattr(settings, setting.name)

    def keep(new: object) -> None:
        """Changes this one and leaves what others have changed meanwhile."""
        engine.save_settings(msgspec.structs.replace(engine.settings.value, **{setting.name: new}))

    if isinstance(value, bool):
        return _named(Switch(value, keep), setting.title)
    if setting.choices:
        options = [(each, each if each.isupper() else each.capitalize()) for each in setting.choices]
        return Choice(value, options, keep, width=200, name=setting.title, repaints=setting.name == THEME)
    if setting.unit == BYTES:
        return SizeField(value, keep, setting.title)
    field = NumberField(
        value,
        lambda number: keep(int(number) if setting.whole else number),
        whole=setting.whole,
        minimum=setting.minimum,
        maximum=setting.maximum,
        unit=setting.unit,
        width=160,
    )
    return _named(field, setting.title)


def _named(field: ft.Control, name: str) -> ft.Control:
    """A field without words of its own: name and field are one for a screen reader."""
    return ft.MergeSemantics(content=ft.Semantics(content=field, label=name))


@component
def SizeField(value: int, keep: Callable[[object], None], name: str) -> Any:
    """A number of bytes, entered in megabytes or gigabytes."""
    unit, choose = ft.use_state("GB" if value >= UNITS["GB"] else "MB")
    number = NumberField(
        value / UNITS[unit], lambda number: keep(round(number * UNITS[unit])), minimum=1 / UNITS[unit], width=110
    )
    units = [(each, each) for each in UNITS]
    return ft.Row(
        [_named(number, name), Choice(unit, units, choose, width=96, name=f"{name}, unit")],
        spacing=S2,
        tight=True,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )
