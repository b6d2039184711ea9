"""The places of the app, in the order of the activity bar: their addresses, names, icons and letters."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgspec


class Place(msgspec.Struct, frozen=True):
    """An entry of the activity bar; `key` opens it together with Alt and Shift. `small`: on a narrow window, too."""

    route: str
    name: str
    icon: Any
    chosen: Any
    key: str
    small: bool = True

    @property
    def stroke(self) -> str:
        """The keys that open it."""
        return f"Alt+Shift+{self.key}"


DATA = Place("/data", "Data", ft.Icons.TABLE_ROWS_OUTLINED, ft.Icons.TABLE_ROWS, "D")
RUNS = Place("/runs", "Runs", ft.Icons.TIMELINE, ft.Icons.TIMELINE, "R")
VERSIONS = Place("/versions", "Versions", ft.Icons.LAYERS_OUTLINED, ft.Icons.LAYERS, "V")
PLAYGROUND = Place("/playground", "Playground", ft.Icons.CHAT_BUBBLE_OUTLINE, ft.Icons.CHAT_BUBBLE, "P")
PLACES = (
    Place("/", "Home", ft.Icons.HOME_OUTLINED, ft.Icons.HOME, "H"),
    Place("/new", "New", ft.Icons.ADD_CIRCLE_OUTLINE, ft.Icons.ADD_CIRCLE, "N"),
    DATA,
    Place("/models", "Models", ft.Icons.VIEW_IN_AR_OUTLINED, ft.Icons.VIEW_IN_AR, "M", small=False),
    RUNS,
    Place("/compare", "Compare", ft.Icons.COMPARE_ARROWS, ft.Icons.COMPARE_ARROWS, "C", small=False),
    VERSIONS,
    PLAYGROUND,
)
HELP = Place("/help", "Help", ft.Icons.HELP_OUTLINE, ft.Icons.HELP, "I")
SETTINGS = Place("/settings", "Settings", ft.Icons.SETTINGS_OUTLINED, ft.Icons.SETTINGS, "S")
