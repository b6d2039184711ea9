"""Guards: a component that fails draws an error card, a handler that fails shows a message. Nothing reaches Flet.

Why: an exception while a component is drawn ends the session's update loop (the window freezes), and one that escapes a
handler covers the whole app for good (Flet 1.0.5).
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from types import FunctionType
from typing import Any, ParamSpec

import flet as ft

from engine.core.errors import unexpected
from studio.kit.states import ErrorCard
from studio.pace import pace_of
from studio.theme import RADIUS_CARD, SMALL, Ink

log = logging.getLogger(__name__)
P = ParamSpec("P")
CARD_WIDTH = 560
Handler = Callable[..., Any]


def component(draw: Callable[P, Any]) -> Callable[P, Any]:
    """A Flet component that draws an error card in its own place instead of freezing the window.

    `key=` may be passed besides the function's own arguments.
    """

    @functools.wraps(draw)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
        _, draw_again = ft.use_state(0)
        try:
            return draw(*args, **kwargs)
        except Exception as error:
            log.exception("%s could not be drawn", getattr(draw, "__qualname__", draw))
            return ErrorCard(unexpected(error), again=lambda: draw_again(lambda times: times + 1))

    return ft.component(guarded)


def act(handler: Handler | None) -> Handler | None:
    """The same event handler, but a failure is logged and shown as a card. It takes zero or one argument."""
    if handler is None:
        return None
    wants_event = _wants_event(handler)
    if inspect.iscoroutinefunction(handler):

        async def later(event: Any) -> None:
            _used()
            try:
                await (handler(event) if wants_event else handler())
            except Exception as error:  # noqa: BLE001 - the last guard before Flet
                _report(handler, error, lambda: _again(handler, event))

        return later

    def now(event: Any) -> None:
        _used()
        try:
            handler(event) if wants_event else handler()
        except Exception as error:  # noqa: BLE001 - the last guard before Flet
            _report(handler, error, lambda: _again(handler, event))

    return now


def _again(handler: Handler, event: Any) -> Any:
    """Handle the event once more. Guarded anew: a handler that named itself would be left to the garbage collector."""
    guarded = act(handler)
    return guarded(event) if guarded else None


def _used() -> None:
    """Somebody works with this page."""
    pace_of(ft.context.page).use()


def _wants_event(handler: Handler) -> bool:
    """Whether the handler has a parameter without a default (one with a default only binds a value)."""
    plain = isinstance(handler, FunctionType) and not hasattr(handler, "__wrapped__")
    if plain:  # nearly always; `signature` takes as long as a small control
        return handler.__code__.co_argcount > len(handler.__defaults__ or ())
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(
        each.kind in kinds and each.default is inspect.Parameter.empty
        for each in inspect.signature(handler).parameters.values()
    )


def _report(handler: Handler, error: Exception, again: Handler) -> None:
    """Show what happened, why, and what to do over the page; nothing of the page is lost. `again` does it anew."""
    log.error("%s failed", getattr(handler, "__qualname__", handler), exc_info=error)
    page = ft.context.page

    async def retry() -> None:
        page.pop_dialog()
        result = again()
        if inspect.isawaitable(result):
            await result

    card = unexpected(error)
    face = ErrorCard(card, again=retry, close=page.pop_dialog)
    page.show_dialog(
        ft.AlertDialog(
            content=ft.Container(face, width=CARD_WIDTH),
            content_padding=0,
            bgcolor=Ink.RAISED,
            shape=ft.RoundedRectangleBorder(radius=RADIUS_CARD),
            alignment=ft.Alignment(0, -0.5),
            semantics_label=card.what,
        )
    )


def toast(text: str, *, bad: bool = False, verb: str = "", do: Handler | None = None, seconds: float = 0) -> None:
    """A message at the bottom of the window that goes away by itself; `verb` is a button beside it that does `do`."""
    ft.context.page.show_dialog(
        ft.SnackBar(
            ft.Row(
                [
                    ft.Icon(
                        ft.Icons.ERROR_OUTLINE if bad else ft.Icons.CHECK_CIRCLE_OUTLINE,
                        color=ft.Colors.ON_INVERSE_SURFACE,
                        size=18,
                    ),
                    ft.Text(text, color=ft.Colors.ON_INVERSE_SURFACE, size=SMALL + 1, expand=True),
                ],
                spacing=8,
            ),
            bgcolor=ft.Colors.INVERSE_SURFACE,
            behavior=ft.SnackBarBehavior.FLOATING,
            shape=ft.RoundedRectangleBorder(radius=RADIUS_CARD),
            width=480,
            duration=int(seconds * 1000) or (8000 if bad else 4000),
            action=ft.SnackBarAction(verb, text_color=Ink.BORDER, on_click=act(do)) if verb else None,
            persist=False if verb else None,
            show_close_icon=True,
            close_icon_color=Ink.BORDER,
        )
    )
