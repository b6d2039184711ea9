"""Fields whose text survives every redraw: each is a component that knows what stands in it.

A bare Flet TextField loses its text when its component is drawn again. Nor may the text of a key's event be drawn
back: while events queue it is older than what has been typed since, and the browser would lose those letters. So a
redraw gives the field what the browser itself said last; the text goes to the model on leaving, on Enter, and after a
rest.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import flet as ft

from studio.kit import text
from studio.kit.guard import Handler, act, component, toast
from studio.kit.pressed import Spoken, hover_tip, ringed
from studio.kit.terms import Tip, dotted
from studio.theme import BODY, MONO, RADIUS_FIELD, SANS, Ink

REPAINTED = 10.0
"""Seconds within which the client, however slow, has gone over to another theme."""
SETTLED = 1.0
"""Seconds after it lost the keyboard to a theme until the client can give it back: screen readers' tree comes later."""
REST, NUMBER_REST = 0.25, 0.1
"""Seconds without a key after which a draft is handed over; of a number sooner, for an estimate follows it."""


def _box(label: str, hint: str, tip: Tip | None, **rest: Any) -> ft.TextField:
    return ft.TextField(
        label=label or None,
        hint_text=hint or None,
        tooltip=hover_tip(tip.words) if tip else None,
        text_size=BODY,
        color=Ink.TEXT,
        label_style=dotted(BODY, Ink.MUTED, tip),
        hint_style=ft.TextStyle(size=BODY, color=Ink.MUTED, font_family=rest.pop("hint_font", SANS)),
        border_radius=RADIUS_FIELD,
        border_color=Ink.FIELD,
        focused_border_color=Ink.FILL,
        focused_border_width=2,
        cursor_color=Ink.PRIMARY,
        content_padding=ft.Padding.symmetric(horizontal=12, vertical=10),
        **rest,
    )


class _Typing:
    """The field as it was drawn last, what was given and handed over last, and which key press is the newest."""

    def __init__(self, value: str) -> None:
        self._field: Callable[[], ft.TextField | None] = lambda: None
        self.heard = value
        self.committed = value
        self.given = value
        self.turn = 0
        self.theirs: str | None = None
        self.put: str | None = None

    @property
    def words(self) -> str:
        """What stands in the field: the browser tells of every key at once, the key's event may wait. Of a field that
        has left the screen, what its newest key told."""
        field = self._field()
        return self.heard if field is None else field.value

    def drawn(self, field: ft.TextField) -> None:
        """This field is on the screen now. It names its typing, so it is not kept here: a ring would be left behind."""
        self._field = weakref.ref(field)

    def to_show(self, value: str, number: bool) -> str:
        """The text to draw: what stands there, unless another value is given now and nothing was typed over the old."""
        words = self.words
        untouched = words == self.committed
        if self._changed_elsewhere(value, words, number):
            if untouched:
                return value
            self.theirs = value
        put, self.put = self.put, None
        return words if put is None else put

    def _changed_elsewhere(self, value: str, words: str, number: bool) -> bool:
        """Whether another value is given now than before, and not the one that was typed here."""
        if self.given == value:
            return False
        self.given = value
        if value == self.committed or _same(value, words, number):
            return False
        self.committed = value
        return True

    def commit(self, words: str, on_commit: Callable[[str], object]) -> str | None:
        """Hand over what was typed, unless it was before; answers with what that takes the place of, if somebody else
        had changed it meanwhile."""
        theirs, self.theirs = self.theirs, None
        if words == self.committed:
            return None
        self.committed = words
        on_commit(words)
        return theirs

    async def rested(self, seconds: float) -> bool:
        """Wait a while, and answer whether no other key came meanwhile."""
        mine = self.turn = self.turn + 1
        if seconds:
            await anyio.sleep(seconds)
        return self.turn == mine


def _heard(tip: Tip | None, focused: bool) -> None:
    if tip is not None:
        tip.told(focused)


@component
def TextField(
    value: str,
    on_commit: Callable[[str], object],
    label: str = "",
    hint: str = "",
    error: str = "",
    lines: int = 1,
    mono: bool = False,
    on_submit: Handler | None = None,
    autofocus: bool = False,
    expand: bool = False,
    number: bool = False,
    rest: float = REST,
    secret: bool = False,
    tip: Tip | None = None,
) -> Any:
    """A line or a few lines of text. `on_commit` gets the text on leaving, on Enter and after a rest.

    A `secret` is not shown while it is typed.
    """
    typing = ft.use_memo(lambda: _Typing(value), [])
    _, draw_again = ft.use_state(0)
    shown = typing.to_show(value, number)

    def hand_over() -> None:
        theirs = typing.commit(typing.words, on_commit)
        if theirs is not None:
            told_of_theirs(label, lambda: take(theirs))

    def take(theirs: str) -> None:
        typing.commit(theirs, on_commit)
        typing.put = theirs
        draw_again(lambda times: times + 1)

    async def typed(event: Any) -> None:
        typing.heard = str(event.data or "")
        if await typing.rested(rest):
            hand_over()

    async def submitted() -> None:
        typing.turn += 1
        hand_over()
        await _done(on_submit)

    def left() -> None:
        hand_over()
        _heard(tip, False)

    field = _box(
        label,
        hint,
        tip,
        value=shown,
        on_change=act(typed),
        on_focus=act(lambda: _heard(tip, True)) if tip else None,
        on_blur=act(left),
        on_submit=act(submitted),
        error=error or None,
        password=secret,
        can_reveal_password=secret,
        autofocus=autofocus,
        expand=expand or None,
        text_style=ft.TextStyle(size=13, font_family=MONO, color=Ink.TEXT) if mono else None,
        **_several(lines),
    )
    typing.drawn(field)
    return _described(field, tip)


def _described(field: ft.Control, tip: Tip | None, name: str = "") -> ft.Control:
    """A field with what its term means as its description, and a name where it shows none."""
    if tip is None and not name:
        return field
    return ft.MergeSemantics(content=Spoken(content=field, label=name or None, hint=tip.words if tip else None))


def told_of_theirs(name: str, take: Handler) -> None:
    """Say that what was entered took the place of what another window had entered, and offer to go back to that."""
    said = f"{name or 'This'} was changed in another window meanwhile; yours is kept."
    toast(said, verb="Take theirs", do=take, seconds=12)


def _several(lines: int) -> dict[str, Any]:
    """What makes a field one of a few lines."""
    many = lines > 1
    return {"multiline": many, "min_lines": 1 if many else None, "max_lines": lines, "shift_enter": many}


async def _done(on_submit: Handler | None) -> None:
    if on_submit is not None:
        result = on_submit()
        if hasattr(result, "__await__"):
            await result


def _same(given: str, typed: str, number: bool) -> bool:
    """Whether two texts mean the same, so that neither a space after a word is taken away nor 1e-4 rewritten to 0.0001
    under a person's hands."""
    if not number:
        return given.strip() == typed.strip()
    try:
        return float(given) == float(typed.replace(",", "."))
    except ValueError:
        return False


@component
def NumberField(
    value: float,
    on_commit: Callable[[float], object],
    label: str = "",
    whole: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    unit: str = "",
    width: int = 150,
    tip: Tip | None = None,
) -> Any:
    """A number inside its limits; what does not fit is said beside the field and not handed over."""
    problem, set_problem = ft.use_state("")

    def check(words: str) -> None:
        found = _number(words, whole, minimum, maximum)
        set_problem(found if isinstance(found, str) else "")
        if not isinstance(found, str):
            on_commit(found)

    shown = str(int(value)) if whole else f"{value:g}"
    return ft.Column(
        [
            ft.Row(
                [
                    ft.Container(
                        TextField(
                            shown, check, label=label, error=problem and " ", number=True, rest=NUMBER_REST, tip=tip
                        ),
                        width=width,
                    ),
                    *([text.muted(unit)] if unit else []),
                ],
                spacing=8,
                tight=True,
            ),
            *([ft.Text(problem, size=12, color=Ink.RED)] if problem else []),
        ],
        spacing=2,
        tight=True,
    )


def _number(words: str, whole: bool, minimum: float | None, maximum: float | None) -> float | str:
    """The number, or what is wrong with it."""
    try:
        found = int(words) if whole else float(words.replace(",", "."))
    except ValueError:
        return "Enter a whole number." if whole else "Enter a number, such as 0.0002 or 2e-4."
    if minimum is not None and found < minimum:
        return f"At least {minimum:g}."
    if maximum is not None and found > maximum:
        return f"At most {maximum:g}."
    return found


@component
def Choice(
    value: str,
    options: Sequence[tuple[str, str]],
    on_change: Callable[[str], object],
    label: str = "",
    width: int = 240,
    name: str = "",
    tip: Tip | None = None,
    repaints: bool = False,
) -> Any:
    """One of several: (key, words) pairs; nothing else that a browser may send is taken. `name` is what screen readers
    say where no label is shown. By keys: Enter opens it, arrows move, Enter takes.

    What `repaints` changes the look of everything, which takes the keyboard from where it is: it is brought back.
    """
    known = {key for key, _ in options}
    newest: Any = ft.use_ref(None)
    repainted: Any = ft.use_ref(0.0)

    def choose(event: Any) -> None:
        chosen = str(event.control.value if event.data is None else event.data)
        if repaints and chosen != value:
            repainted.current = time.monotonic() + REPAINTED
        if chosen in known:
            on_change(chosen)

    async def left() -> None:
        _heard(tip, False)
        taken = time.monotonic() < repainted.current  # not by the person: a new theme is why it lost the keyboard
        repainted.current = 0.0
        if not taken:
            return
        await anyio.sleep(SETTLED)
        if (menu := newest.current()) is not None:
            with contextlib.suppress(RuntimeError, TimeoutError):  # another page, or none, may be shown by now
                await menu.focus()

    menu = ft.DropdownM2(  # Tab passes over the newer one
        value=value,
        options=[_option(key, words) for key, words in options],
        on_change=act(choose),
        label=label or None,
        label_style=dotted(BODY, Ink.MUTED, tip) if tip else None,
        tooltip=hover_tip(tip.words) if tip else None,
        on_focus=act(lambda: _heard(tip, True)) if tip else None,
        on_blur=act(left) if tip or repaints else None,
        width=width,
        text_size=BODY,
        border_color=Ink.FIELD,
        focused_border_color=Ink.FILL,
        focused_border_width=2,
        border_radius=RADIUS_FIELD,
        content_padding=ft.Padding.symmetric(horizontal=12, vertical=8),
        dense=True,
    )
    newest.current = weakref.ref(menu)
    return _described(menu, tip, name)


def _option(key: str, words: str) -> ft.dropdownm2.Option:
    shown = text.body(words, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)  # the client shows the key otherwise
    return ft.dropdownm2.Option(key=key, text=words, content=shown)


@component
def Switch(value: bool, on_change: Callable[[bool], object], label: str = "", tip: Tip | None = None) -> Any:
    """On or off, at once."""
    focused, focus = ft.use_state(False)

    def heard(here: bool) -> None:
        focus(here)
        _heard(tip, here)

    switch = ft.Switch(
        value=value,
        label=label or None,
        label_text_style=dotted(BODY, Ink.TEXT, tip),
        tooltip=hover_tip(tip.words) if tip else None,
        on_change=act(lambda: on_change(not value)),
        on_focus=act(lambda: heard(True)),
        on_blur=act(lambda: heard(False)),
        active_color=Ink.FILL,
    )
    return _described(ringed(switch, focused), tip)


@component
def Search(value: str, on_commit: Callable[[str], object], hint: str = "Search") -> Any:
    """A search field."""
    return TextField(value, on_commit, hint=hint, label="")
