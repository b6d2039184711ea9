"""Pages are made of the kit: a raw Flet button or field would let an exception through, or lose its text."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "studio" / "pages").glob("*.py"))
STUDIO = sorted((Path(__file__).parents[2] / "studio").rglob("*.py"))
RAW = {"Button", "FilledButton", "OutlinedButton", "TextButton", "IconButton", "TextField", "Switch"}
RAW |= {"Checkbox", "Dropdown", "DropdownM2", "Slider", "Radio", "component"}


def flet_calls(page: Path) -> Iterator[ast.Call]:
    """Calls of something in `ft`."""
    for node in ast.walk(ast.parse(page.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="ft"))):
                yield node


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_uses_no_raw_button_field_or_component(page: Path):
    assert {call.func.attr for call in flet_calls(page) if isinstance(call.func, ast.Attribute)} & RAW == set()


@pytest.mark.parametrize("page", [each for each in STUDIO if each.name != "pressed.py"], ids=lambda page: page.stem)
def test_what_is_pressed_is_made_by_the_kit(page: Path):
    """A container that is pressed shows the keyboard's place too faintly, and says its words beside its name."""
    pressed = [call for call in flet_calls(page) if ast.unparse(call.func) == "ft.Container"]
    assert [ast.unparse(each) for each in pressed if any(word.arg == "on_click" for word in each.keywords)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_handler_on_a_raw_control_is_guarded(page: Path):
    for call in flet_calls(page):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("FilePicker", "use_effect"):
            continue
        for keyword in call.keywords:
            if keyword.arg and keyword.arg.startswith("on_"):
                assert ast.unparse(keyword.value).startswith("act("), ast.unparse(call)
