"""What is changed in Flet for speed finds the same changes, and the same controls that came and went, as Flet."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import flet as ft
import pytest
from flet.controls import object_patch
from flet.controls.base_control import BaseControl
from hypothesis import given
from hypothesis import strategies as st

from studio.flet_faster import Base, Builder
from studio.kit.guard import act

words = st.text("ab", max_size=2)
leaves = st.one_of(
    st.builds(lambda value, size: ft.Text(value, size=size), words, st.sampled_from([None, 12, 14.5])),
    st.builds(lambda name: ft.Icon(name), st.sampled_from([ft.Icons.ADD, ft.Icons.CLOSE])),
    st.builds(lambda value: ft.Checkbox(value=value, tooltip=ft.Tooltip("t")), st.booleans()),
)
trees = st.recursive(
    leaves,
    lambda inside: st.one_of(
        st.builds(lambda each: ft.Column(each, spacing=2), st.lists(inside, max_size=3)),
        st.builds(
            lambda each, side: ft.Container(each, padding=ft.Padding.all(side), border=ft.Border.all(side)),
            inside,
            st.integers(0, 2),
        ),
        st.builds(
            lambda each: ft.TextButton(
                each, style=ft.ButtonStyle(side={ft.ControlState.DEFAULT: ft.BorderSide(1, "red")})
            ),
            inside,
        ),
    ),
    max_leaves=6,
)


def found(builder: Any, before: ft.Control, after: ft.Control) -> tuple[Any, ...]:
    """What a builder finds from one tree to the next: operations, controls that came, controls that went."""
    plain, now = object_patch.DiffBuilder, ft.Column([after])
    object_patch.DiffBuilder = builder
    try:
        old = ft.Column([before])
        ft.Column.build(old)
        patch, added, removed = object_patch.ObjectPatch.from_diff(old, now, BaseControl, frozen=True)
    finally:
        object_patch.DiffBuilder = plain
    operations = [(each["op"], each["path"], type(each.get("value")).__name__) for each in patch.patch]
    return operations, [_said(each) for each in added], [_said(each) for each in removed]


def _said(control: Any) -> tuple[str, str]:
    return type(control).__name__, str(getattr(control, "value", ""))


@given(trees, trees)
def test_it_finds_what_flet_finds(before, after):
    kept = copy.deepcopy((before, after))
    assert found(Builder, before, after) == found(Base, *kept)


def test_controls_in_values_of_a_control_are_found():
    button = ft.Container(ft.TextButton(ft.Text("in")), border=ft.Border.all(1))
    _, added, _ = found(Builder, ft.Text("old"), button)
    assert {name for name, _ in added} >= {"Container", "TextButton", "Text"}


@pytest.fixture
def uncollected() -> Iterator[None]:
    """The garbage collector does nothing: what is freed is freed because nothing refers to it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_rows_that_went_are_freed_without_the_garbage_collector(uncollected: None):
    before = ft.Column([ft.Container(ft.Text(str(n)), key=str(n)) for n in range(5)])
    after = ft.Column([ft.Container(ft.Text(str(n)), key=str(n)) for n in range(3, 8)])
    gone = weakref.ref(before.controls[0])
    plain = object_patch.DiffBuilder
    object_patch.DiffBuilder = Builder
    try:
        object_patch.ObjectPatch.from_diff(ft.Column([before]), ft.Column([after]), BaseControl, frozen=True)
    finally:
        object_patch.DiffBuilder = plain
    del before
    assert gone() is None


def test_a_guarded_handler_is_freed_without_the_garbage_collector(uncollected: None):
    handler = act(lambda event: event)
    freed = weakref.ref(handler)
    del handler
    assert freed() is None
