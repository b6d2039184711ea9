"""Every pair of colours that the screens put together can be read (WCAG 2.2 AA)."""

import flet as ft
import pytest

from engine.results.comparison import MOST
from studio.kit.buttons import DANGER, ICON, PRIMARY, QUIET, SECONDARY, SENTENCE
from studio.kit.pressed import AROUND, RING
from studio.theme import CONTRAST, DARK, FOCUS, LIGHT, PALETTES, Ink, Palette, contrast, theme

TINTS = ["primary_tint", "red_tint", "amber_tint", "green_tint", "purple_tint"]

WORDS = [
    (ink, ground)
    for ground in ("background", "surface", "raised")
    for ink in ("text", "secondary", "primary", "purple", "red", "amber", "green")
] + [
    ("on_action", "action"),
    ("on_primary_tint", "primary_tint"),
    ("on_purple_tint", "purple_tint"),
    ("on_red_tint", "red_tint"),
    ("text", "primary_tint"),
    ("text", "purple_tint"),
    ("text", "red_tint"),
    ("text", "amber_tint"),
    ("text", "green_tint"),
]
MARKS = [(mark, ground) for ground in ("background", "surface", "raised") for mark in ("fill", "field", "base")] + [
    ("amber", "amber_tint"),
    ("green", "green_tint"),
    ("red", "red_tint"),
]
THEMES = pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)


@THEMES
@pytest.mark.parametrize("ink,ground", WORDS)
def test_words_reach_4_5_to_1(palette: Palette, ink: str, ground: str):
    assert contrast(getattr(palette, ink), getattr(palette, ground)) >= 4.5


@THEMES
@pytest.mark.parametrize("mark,ground", MARKS)
def test_icons_bars_and_field_borders_reach_3_to_1(palette: Palette, mark: str, ground: str):
    assert contrast(getattr(palette, mark), getattr(palette, ground)) >= 3.0


@THEMES
def test_the_lines_of_versions_can_be_seen_and_the_first_is_the_tuned_models(palette: Palette):
    grounds = (palette.background, palette.surface, palette.raised)
    assert all(contrast(color, ground) >= 3.0 for color in palette.versions for ground in grounds)
    assert palette.versions[0] == palette.purple and len(set(palette.versions)) == MOST


@pytest.mark.parametrize("ink,ground", WORDS)
def test_high_contrast_words_reach_7_to_1(ink: str, ground: str):
    assert contrast(getattr(CONTRAST, ink), getattr(CONTRAST, ground)) >= 7.0


def test_the_borders_of_high_contrast_can_be_seen():
    assert contrast(CONTRAST.border, CONTRAST.raised) >= 3.0 > contrast(LIGHT.border, LIGHT.raised)
    assert contrast(DARK.border, DARK.raised) < 3.0


def test_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)


@THEMES
def test_the_keyboards_place_is_seen_and_words_in_it_can_be_read(palette: Palette):
    for ground in (palette.background, palette.surface, palette.raised):
        tinted = mixed(palette.fill, ground, FOCUS)
        assert contrast(tinted, ground) >= 1.4  # and moves when Tab is pressed
        assert contrast(palette.text, tinted) >= 4.5


@THEMES
@pytest.mark.parametrize("ground", ["background", "surface", "raised", *TINTS])
def test_the_line_around_the_keyboards_place_reaches_3_to_1(palette: Palette, ground: str):
    """On tints stand chosen cards, chips, lines, and notices with their buttons."""
    assert RING.color == AROUND.color == Ink.FILL and RING.width >= 2 and AROUND.width >= 2
    assert contrast(palette.fill, getattr(palette, ground)) >= 3.0


@THEMES
def test_the_main_button_has_its_line_off_its_edge(palette: Palette):
    assert contrast(palette.fill, palette.action) < 3.0  # on the edge itself it would not be seen
    assert isinstance(PRIMARY.side, dict) and PRIMARY.side[ft.ControlState.FOCUSED] == AROUND
    assert AROUND.stroke_align >= 2


@pytest.mark.parametrize("style", [SECONDARY, SENTENCE, QUIET, DANGER, ICON])
def test_every_other_button_has_the_line_on_its_edge(style: ft.ButtonStyle):
    assert isinstance(style.side, dict) and style.side[ft.ControlState.FOCUSED] == RING


def mixed(color: str, ground: str, share: float) -> str:
    """A colour laid over another with this opacity."""
    both = [(int(color[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(over * share + under * (1 - share)):02X}" for over, under in both)


def test_a_theme_says_nothing_of_scrollbars_which_are_by_state():
    """The client would take it for another theme whenever the title changes, and the keyboard would lose its place."""
    for palette in (LIGHT, DARK, CONTRAST):
        assert theme(palette).scrollbar_theme is None
