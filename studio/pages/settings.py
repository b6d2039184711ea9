"""Settings: sections drawn from the settings' own descriptions, kept as soon as a value is entered, with a search."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import flet as ft

from engine.core.settings import LIMITS, Settings
from engine.spec.fields import Setting, settings_of
from studio.frame import frame
from studio.hooks import sign_out, use_engine, use_surroundings, use_topic
from studio.kit import Below, CodeBlock, Search, body, card, component, empty, link, muted, quiet, row, section, title
from studio.pages.settings_fields import setting_field, setting_line, value_shown
from studio.pages.settings_log import LiveLog
from studio.pages.settings_storage import Storage
from studio.palette import CheatSheet
from studio.theme import S1, S2, S4

if TYPE_CHECKING:
    from engine.engine import Engine
    from studio.hooks import Surroundings

HERE = (
    "Your data, your models and what you say to them stay on {machine}. There is no account with anybody, and nothing "
    "is counted or reported.",
    "One thing you can start yourself sends something: a judge behind an address gets the questions and answers it is "
    "to judge. It asks for the address first.",
)
WINDOW = "The window's own program is fetched once from the makers of Flet, when the app first opens as a window."
DISK, PRIVACY, KEYS, ACCOUNT, LOG = "Storage", "Privacy", "Keys", "Account", "The app's log"
ALSO = {
    DISK: "storage disk space size room free clean delete home folder uploads cache answers prepared",
    PRIVACY: "privacy data leaves sends telemetry network account tracking",
    KEYS: "keys keyboard shortcuts",
    ACCOUNT: "account sign out password",
    LOG: "log debug errors",
}
"""Words by which sections without settings are found."""
FIRST = 2
"""Sections that fill the first screen."""


@component
def SettingsPage() -> Any:
    """The page."""
    engine, surroundings = use_engine(), use_surroundings()
    settings = use_topic(engine.settings, every=0.0)
    wanted, search = ft.use_state("")
    found = [*_groups(wanted, settings, engine, surroundings), *_others(wanted, settings, engine, surroundings)]
    nothing = empty(ft.Icons.SEARCH_OFF, "No setting has these words.", "Try one word of what it changes.")
    return frame(
        surroundings,
        title("Settings"),
        Search(wanted, search, hint="Search settings"),
        *(found[:FIRST] or [nothing]),
        Below(found[FIRST:]),
        widest=860,
    )


def _has(wanted: str, words: str) -> bool:
    """Whether a text has the beginnings of all the words that are searched for."""
    return all(word in words.casefold() for word in wanted.casefold().split())


def _groups(wanted: str, settings: Settings, engine: Engine, surroundings: Surroundings) -> list[ft.Control]:
    """A section for each group of settings that has one with these words."""
    narrow = surroundings.columns == 1

    def line(each: Setting) -> ft.Control:
        fixed = surroundings.confined and each.name in LIMITS
        field = value_shown(each, settings) if fixed else setting_field(each, settings, engine)
        return ft.Container(setting_line(each, field, narrow), key=each.name)

    found = [each for each in settings_of(Settings).values() if _has(wanted, f"{each.group} {each.title} {each.help}")]
    return [
        ft.Container(
            section(group, card(ft.Column([line(each) for each in members], spacing=S4, tight=True))), key=group
        )
        for group, members in groupby(found, key=lambda each: each.group)
    ]


def _others(wanted: str, settings: Settings, engine: Engine, surroundings: Surroundings) -> list[ft.Control]:
    """The sections that are no settings."""
    confined, narrow = surroundings.confined, surroundings.columns == 1
    home = (
        []
        if confined
        else [ft.Column([muted("Home"), CodeBlock(str(engine.home.path), "the path")], spacing=S1, tight=True)]
    )
    storage = ft.Column([*home, Storage(confined, narrow)], spacing=S4, tight=True)
    sections = {DISK: section(DISK, card(storage)), PRIVACY: section(PRIVACY, card(_privacy(confined)))}
    if confined:
        sections[ACCOUNT] = section(ACCOUNT, _account())
    sections[KEYS] = section(KEYS, card(CheatSheet()))
    if settings.debug:
        sections[LOG] = section(LOG, card(LiveLog()), action=link("Design system", "/kit"))
    return [ft.Container(each, key=name) for name, each in sections.items() if _has(wanted, ALSO[name])]


def _privacy(confined: bool) -> ft.Control:
    machine = "the machine that PEFT Studio runs on" if confined else "this computer"
    words = [each.format(machine=machine) for each in (*HERE, *(() if confined else (WINDOW,)))]
    return ft.Column([body(each) for each in words], spacing=S2, tight=True)


def _account() -> ft.Control:
    words = "Limits that protect the machine PEFT Studio runs on are set there."
    return card(row(quiet("Sign out", sign_out, icon=ft.Icons.LOGOUT), muted(words, size=14)))
