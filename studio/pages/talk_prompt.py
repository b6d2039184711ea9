"""Where one asks: examples to begin with, the field, and a button that sends or stops."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.serving.nouns import titled
from engine.serving.talk import Talk
from studio.hooks import use_engine, use_loaded, use_topic
from studio.kit import TextField, chip, component, icon_button, row
from studio.theme import S2, S3, Ink

EXAMPLES = 3


@component
def Prompt(talk: Talk) -> Any:
    """Enter sends, Shift and Enter break a line, Escape stops."""
    engine = use_engine()
    busy = use_topic(talk.busy, every=0.0)
    conversation = use_topic(talk.conversation, every=0.0)
    words, set_words = ft.use_state("")
    tuned = [each.id for each in conversation.speakers if each.tuned]
    version = tuned[0] if tuned else ""

    async def find() -> tuple[str, ...]:
        return await engine.playground.examples(version, EXAMPLES) if version else ()

    examples = use_loaded(find, [version])

    async def send() -> None:
        if words.strip() and not talk.busy.value:
            set_words("")
            await talk.ask(words)

    def example(text: str) -> ft.Control:
        async def press() -> None:
            await talk.ask(text)

        return chip(titled(text), press)

    chips = [example(text) for text in examples.value or ()] if not conversation.turns else []
    many = len(conversation.speakers)
    hint = "Ask both models" if many == 2 else "Ask all models" if many > 2 else "Ask the model"
    field = TextField(words, set_words, hint=hint, on_submit=send, lines=4, expand=True, rest=0)
    stop = icon_button(ft.Icons.STOP_CIRCLE_OUTLINED, "Stop (Escape)", talk.stop, color=Ink.RED)
    start = icon_button(ft.Icons.SEND, "Send", send, disabled=not words.strip(), color=Ink.PRIMARY)
    line = ft.Row([ft.Container(field, expand=True), stop if busy else start], spacing=S2)
    return ft.Container(
        ft.Column([*([row(*chips)] if chips else []), line], spacing=S2, tight=True),
        padding=S3,
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(top=ft.BorderSide(1, Ink.BORDER)),
    )
