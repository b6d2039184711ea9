"""The design tokens: colours in light and dark, type, space, radius, and the Flet themes made from them.

Knows nothing of any screen. Controls name a *role* (`Ink.MUTED`), which the client resolves against the theme in use,
so that switching between light and dark redraws nothing here; only pictures drawn as SVG need the colours themselves
(`Palette`). Contrast is held by tests/studio/test_theme.py.
"""

from __future__ import annotations

import flet as ft
import msgspec

SANS = "Inter"
MONO = "Fira Code"
FONTS = {
    SANS: "/fonts/Inter-400.ttf",
    "Inter Semibold": "/fonts/Inter-600.ttf",
    MONO: "/fonts/FiraCode-400.ttf",
}
"""Font families and where the client fetches them: from this app, never from the internet."""

SMALL, BODY, LARGE, TITLE, DISPLAY = 12, 14, 16, 20, 28
S1, S2, S3, S4, S6, S8, S12 = 4, 8, 12, 16, 24, 32, 48
PAGE_GAP, PHONE_GAP = S6, S4
"""Between the blocks of a page, and of one on a phone."""
RADIUS_FIELD, RADIUS_CARD = 4, 8
QUICK, PANEL = 120, 200
"""Milliseconds: a change of state, and a panel that opens."""

WIDE, MEDIUM = 1200, 768
"""Widths at which a third and a second column appear."""
BAR, SIDE_WIDTH, PANEL_WIDTH = 56, 208, 304
"""Widths of the activity bar, of the side bar with its lists, and of a page's panel."""
FOCUS = 0.4
"""How strongly the keyboard's place is tinted on what has no outline of its own."""
NARROW = 600
"""A page that has less room than this is laid out as on a phone."""


class Palette(msgspec.Struct, frozen=True):
    """The colours of one theme, as #RRGGBB."""

    background: str
    surface: str
    raised: str
    border: str
    track: str
    text: str
    secondary: str
    disabled: str
    field: str
    """Outline of fields: the border that must be seen (3:1)."""
    primary: str
    """Blue as text and icons."""
    fill: str
    """Blue as an area without words: bars, rings, the activity mark."""
    action: str
    """Blue under white words: the main button."""
    on_action: str
    primary_tint: str
    on_primary_tint: str
    purple: str
    purple_tint: str
    on_purple_tint: str
    red: str
    red_tint: str
    on_red_tint: str
    amber: str
    amber_tint: str
    green: str
    green_tint: str
    base: str
    """The base model, everywhere."""
    versions: tuple[str, ...]
    """Versions beside each other, the first one the tuned model's; told apart by people who do not see some colours."""


LIGHT = Palette(
    background="#FFFFFF",
    surface="#F8FAFC",
    raised="#FFFFFF",
    border="#E5E7EB",
    track="#E5E7EB",
    text="#111827",
    secondary="#4B5563",
    disabled="#9CA3AF",
    field="#858D9B",
    primary="#2563EB",
    fill="#3B82F6",
    action="#2563EB",
    on_action="#FFFFFF",
    primary_tint="#DBEAFE",
    on_primary_tint="#1E40AF",
    purple="#7C3AED",
    purple_tint="#EDE9FE",
    on_purple_tint="#5B21B6",
    red="#DC2626",
    red_tint="#FEE2E2",
    on_red_tint="#991B1B",
    amber="#B45309",
    amber_tint="#FEF3C7",
    green="#047857",
    green_tint="#D1FAE5",
    base="#6B7280",
    versions=("#7C3AED", "#0284C7", "#B45309", "#0F766E", "#DB2777"),
)
DARK = Palette(
    background="#0B1020",
    surface="#111827",
    raised="#1A2233",
    border="#253047",
    track="#253047",
    text="#F3F4F6",
    secondary="#A7B0C0",
    disabled="#5B6678",
    field="#6B7689",
    primary="#60A5FA",
    fill="#3B82F6",
    action="#2563EB",
    on_action="#FFFFFF",
    primary_tint="#1E3A5F",
    on_primary_tint="#BFDBFE",
    purple="#A78BFA",
    purple_tint="#2E2257",
    on_purple_tint="#DDD6FE",
    red="#F87171",
    red_tint="#45202A",
    on_red_tint="#FECACA",
    amber="#FBBF24",
    amber_tint="#3D3113",
    green="#34D399",
    green_tint="#10392F",
    base="#9CA3AF",
    versions=("#A78BFA", "#38BDF8", "#FBBF24", "#2DD4BF", "#F472B6"),
)

CONTRAST = Palette(
    background="#000000",
    surface="#000000",
    raised="#0A0A0A",
    border="#BFBFBF",
    track="#4D4D4D",
    text="#FFFFFF",
    secondary="#E6E6E6",
    disabled="#A6A6A6",
    field="#FFFFFF",
    primary="#8CC8FF",
    fill="#5CB0FF",
    action="#FFFFFF",
    on_action="#000000",
    primary_tint="#00325C",
    on_primary_tint="#FFFFFF",
    purple="#D9B8FF",
    purple_tint="#32105C",
    on_purple_tint="#FFFFFF",
    red="#FF9C9C",
    red_tint="#570000",
    on_red_tint="#FFFFFF",
    amber="#FFD54A",
    amber_tint="#4A3600",
    green="#5BF0A8",
    green_tint="#00401F",
    base="#D0D0D0",
    versions=("#D9B8FF", "#7CD3FF", "#FFD54A", "#5BF0DA", "#FF9CCB"),
)
PALETTES = {"light": LIGHT, "dark": DARK, "contrast": CONTRAST}


class Ink:
    """Roles a control names; the client looks the colour up in the theme it shows."""

    BACKGROUND = ft.Colors.SURFACE
    SURFACE = ft.Colors.SURFACE_CONTAINER_LOW
    RAISED = ft.Colors.SURFACE_CONTAINER_HIGH
    BORDER = ft.Colors.OUTLINE_VARIANT
    TRACK = ft.Colors.SURFACE_DIM
    TEXT = ft.Colors.ON_SURFACE
    MUTED = ft.Colors.ON_SURFACE_VARIANT
    FIELD = ft.Colors.OUTLINE
    PRIMARY = ft.Colors.PRIMARY
    FILL = ft.Colors.PRIMARY_FIXED
    ACTION = ft.Colors.SECONDARY
    ON_ACTION = ft.Colors.ON_SECONDARY
    PRIMARY_TINT = ft.Colors.PRIMARY_CONTAINER
    ON_PRIMARY_TINT = ft.Colors.ON_PRIMARY_CONTAINER
    PURPLE = ft.Colors.TERTIARY
    PURPLE_TINT = ft.Colors.TERTIARY_CONTAINER
    ON_PURPLE_TINT = ft.Colors.ON_TERTIARY_CONTAINER
    RED = ft.Colors.ERROR
    RED_TINT = ft.Colors.ERROR_CONTAINER
    ON_RED_TINT = ft.Colors.ON_ERROR_CONTAINER
    AMBER = ft.Colors.TERTIARY_FIXED
    AMBER_TINT = ft.Colors.TERTIARY_FIXED_DIM
    GREEN = ft.Colors.SECONDARY_FIXED
    GREEN_TINT = ft.Colors.SECONDARY_FIXED_DIM
    BASE = ft.Colors.PRIMARY_FIXED_DIM


def _scheme(colors: Palette) -> ft.ColorScheme:
    """Material's roles, filled with our tokens; every role that a stock control may use is set."""
    return ft.ColorScheme(
        primary=colors.primary,
        on_primary=colors.background,
        primary_container=colors.primary_tint,
        on_primary_container=colors.on_primary_tint,
        secondary=colors.action,
        on_secondary=colors.on_action,
        secondary_container=colors.primary_tint,
        on_secondary_container=colors.on_primary_tint,
        tertiary=colors.purple,
        on_tertiary=colors.background,
        tertiary_container=colors.purple_tint,
        on_tertiary_container=colors.on_purple_tint,
        error=colors.red,
        on_error=colors.background,
        error_container=colors.red_tint,
        on_error_container=colors.on_red_tint,
        surface=colors.background,
        on_surface=colors.text,
        on_surface_variant=colors.secondary,
        surface_container_lowest=colors.background,
        surface_container_low=colors.surface,
        surface_container=colors.raised,
        surface_container_high=colors.raised,
        surface_container_highest=colors.raised,
        surface_dim=colors.track,
        surface_bright=colors.raised,
        outline=colors.field,
        outline_variant=colors.border,
        inverse_surface=colors.text,
        on_inverse_surface=colors.background,
        inverse_primary=colors.fill,
        primary_fixed=colors.fill,
        primary_fixed_dim=colors.base,
        secondary_fixed=colors.green,
        secondary_fixed_dim=colors.green_tint,
        tertiary_fixed=colors.amber,
        tertiary_fixed_dim=colors.amber_tint,
    )


def _style(size: float, *, strong: bool = False) -> ft.TextStyle:
    return ft.TextStyle(
        size=size,
        height=1.5,
        letter_spacing=0,
        font_family=SANS,
        weight=ft.FontWeight.W_600 if strong else ft.FontWeight.W_400,
    )


def _transitions(still: bool) -> ft.PageTransitionsTheme:
    kind = ft.PageTransitionTheme.NONE if still else ft.PageTransitionTheme.FADE_UPWARDS
    return ft.PageTransitionsTheme(android=kind, ios=kind, linux=kind, macos=kind, windows=kind)


def theme(colors: Palette, *, still: bool = False) -> ft.Theme:
    """The Flet theme of one palette; with `still` pages do not slide and presses do not spread.

    Nothing of it may differ by the state of a control, as the colour of scrollbars does: Flet's client makes such a
    value anew each time, takes the theme for another one whenever the page is told anything, even its title, and what
    has the keyboard loses it (Flet 1.0.5).
    """
    nothing = ft.Colors.TRANSPARENT if still else None
    return ft.Theme(
        color_scheme=_scheme(colors),
        page_transitions=_transitions(still),
        splash_color=nothing,
        focus_color=ft.Colors.with_opacity(FOCUS, colors.fill),
        highlight_color=nothing,
        font_family=SANS,
        scaffold_bgcolor=colors.background,
        divider_color=colors.border,
        disabled_color=colors.disabled,
        visual_density=ft.VisualDensity.STANDARD,
        text_theme=ft.TextTheme(
            body_small=_style(SMALL), body_medium=_style(BODY), body_large=_style(BODY), label_large=_style(BODY)
        ),
        tooltip_theme=ft.TooltipTheme(
            text_style=ft.TextStyle(size=SMALL, color=colors.background, font_family=SANS),
            decoration=ft.BoxDecoration(bgcolor=colors.text, border_radius=ft.BorderRadius.all(RADIUS_FIELD)),
            wait_duration=400,
        ),
    )


def luminance(color: str) -> float:
    """Relative luminance of #RRGGBB (WCAG 2.2)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
