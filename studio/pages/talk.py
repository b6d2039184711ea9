"""One turn of a conversation: the question, and the replies side by side as they come, rated and compared.

Whatever a model says is shown as plain text.
"""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.core.topics import Topic
from engine.serving.nouns import Reply, Speaker, Turn
from engine.serving.signals import differences, signals
from engine.serving.talk import Talk
from studio.hooks import use_engine, use_surroundings, use_topic
from studio.kit import (
    TextField,
    badge,
    columns,
    component,
    duration,
    icon_button,
    label,
    muted,
    notice,
    primary,
    quiet,
    rightward,
    row,
    verbatim,
)
from studio.model_colors import version_colors
from studio.theme import BODY, RADIUS_CARD, S1, S2, S3, S4, SANS, Ink

NARROWEST = 260
"""Pixels that an answer needs beside others."""
UNMADE: Topic[Any] = Topic(None)


@component
def Asked(
    talk: Talk, turn: Turn, speakers: tuple[Speaker, ...], busy: bool, last: bool, only: str, against: str
) -> Any:
    """A question and its replies; `only` shows one of them, `against` marks what differs from another."""
    surroundings = use_surroundings()
    versions = use_topic(use_engine().outcomes.versions, every=1.0)
    streams = use_topic(talk.streams, every=0.0)
    making = {each for turn_id, each in streams if turn_id == turn.id}
    known = [each.speaker for each in turn.replies]
    told = [*known, *(each for each in speakers if each.id in making and each not in known)]
    told.sort(key=lambda each: each.tuned)
    shown = [each for each in told if each.id == only] or told[:1] if only else told
    other = turn.reply(against)
    tuned = version_colors([each.id for each in told if each.tuned], versions, surroundings.palette)
    faces: list[ft.Control] = [
        Answer(
            talk,
            turn,
            each,
            streams.get((turn.id, each.id)),
            other,
            busy,
            tuned.get(each.id, Ink.BASE),
            key=each.id,  # type: ignore[call-arg]
        )
        for each in shown
    ]
    blocks: list[ft.Control] = [Question(talk, turn, busy, last)]
    if faces:
        room = max(1, int(min(surroundings.width, 1120) // NARROWEST))
        blocks.append(columns(faces, min(len(faces), room), spacing=S3))
    elif not busy:
        blocks.append(notice("info", "Nobody has answered yet.", "", quiet("Ask again", lambda: talk.again(turn.id))))
    if not busy and any(each.ended == "failed" for each in turn.replies):
        blocks.append(_failed(talk, turn))
    return ft.Column(blocks, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _failed(talk: Talk, turn: Turn) -> ft.Control:
    async def go_on() -> None:
        await talk.again(turn.id, failed_only=True)

    why = next(each.problem for each in turn.replies if each.ended == "failed")
    return notice("bad", "An answer was not finished.", why, primary("Load the model and go on", go_on))


@component
def Question(talk: Talk, turn: Turn, busy: bool, last: bool) -> Any:
    """What was asked; it can be put in other words, or asked again."""
    editing, set_editing = ft.use_state(False)
    words, set_words = ft.use_state(turn.asked)

    async def send() -> None:
        set_editing(False)
        await talk.edit(turn.id, words)

    async def again() -> None:
        await talk.again(turn.id)

    def edit() -> None:
        set_words(turn.asked)
        set_editing(True)

    if editing:
        warning = [] if last else [muted("What was said after this question is removed.")]
        inside: list[ft.Control] = [
            TextField(words, set_words, label="The question", lines=6, on_submit=send, autofocus=True, rest=0),
            *warning,
            row(primary("Ask this", send, disabled=busy), quiet("Cancel", lambda: set_editing(False))),
        ]
        return ft.Column(inside, spacing=S2, tight=True)
    tools = [
        icon_button(ft.Icons.EDIT_OUTLINED, "Edit the question", edit, disabled=busy),
        icon_button(ft.Icons.REFRESH, "Answer again", again, disabled=busy),
    ]
    line = ft.Row(
        [ft.Container(verbatim(turn.asked, selectable=True), expand=True), *tools],
        spacing=S1,
        vertical_alignment=ft.CrossAxisAlignment.CENTER,
    )
    return ft.Container(line, bgcolor=Ink.SURFACE, border_radius=RADIUS_CARD, padding=S3)


@component
def Answer(
    talk: Talk,
    turn: Turn,
    speaker: Speaker,
    stream: Topic[Reply] | None,
    other: Reply | None,
    busy: bool,
    color: str,
) -> Any:
    """One reply; while it is made, redrawn by itself ten times a second at the most."""
    live: Any = use_topic(stream or UNMADE, every=0.1)
    reply: Reply = live or turn.reply(speaker.id) or Reply(speaker=speaker)
    head = ft.Row(
        [
            ft.Container(width=10, height=10, border_radius=5, bgcolor=color),
            ft.Container(label(speaker.title, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), expand=True),
        ],
        spacing=S2,
    )
    parts: list[ft.Control] = [head, _words(reply, other)]
    if reply.ended:
        parts.append(_figures(reply))
    if reply.ended and reply.text and not busy:
        parts.append(Opinion(talk, turn.id, reply))
    box = ft.Container(
        ft.Column(parts, spacing=S2, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
        border=ft.Border.only(left=ft.BorderSide(3, color)),
        bgcolor=Ink.RAISED,
        padding=ft.Padding.symmetric(horizontal=S4, vertical=S3),
    )
    return ft.Semantics(
        content=box, container=True, live_region=bool(reply.ended), label=f"{speaker.title} model's answer"
    )


def _words(reply: Reply, other: Reply | None) -> ft.Control:
    if not reply.text:
        return muted("…" if not reply.ended else "It had nothing to say.", size=14)
    if other is None or other.speaker.id == reply.speaker.id or not reply.ended:
        return verbatim(reply.text, selectable=True)
    plain = ft.TextStyle(size=BODY, font_family=SANS, color=Ink.TEXT)
    marked = ft.TextStyle(size=BODY, font_family=SANS, color=Ink.ON_PURPLE_TINT, bgcolor=Ink.PURPLE_TINT)
    spans = [
        ft.TextSpan(each.text, style=marked if each.own else plain) for each in differences(reply.text, other.text)
    ]
    return verbatim("", selectable=True, spans=spans, rtl=rightward(reply.text), semantics_label=reply.text)


def _figures(reply: Reply) -> ft.Control:
    """How long, how fast, and what was noticed."""
    seen = signals(reply)
    facts = f"{reply.tokens} tokens in {duration(reply.seconds)}, {reply.tokens_per_second:.0f} tokens/s"
    if reply.first_token_seconds:
        facts += f", first after {1000 * reply.first_token_seconds:.0f} ms"
    return row(muted(facts), *(badge(each, "warn") for each in seen.notes))


@component
def Opinion(talk: Talk, turn_id: str, reply: Reply) -> Any:
    """Thumbs, and a better answer in the person's own words."""
    writing, set_writing = ft.use_state(False)
    better, set_better = ft.use_state(reply.better or reply.text)
    who = reply.speaker

    async def good() -> None:
        await talk.rate(turn_id, who.id, good=None if reply.good else True)

    async def bad() -> None:
        await talk.rate(turn_id, who.id, good=None if reply.good is False else False)

    async def save() -> None:
        set_writing(False)
        await talk.rate(turn_id, who.id, good=reply.good, better=better)

    up = ft.Icons.THUMB_UP if reply.good else ft.Icons.THUMB_UP_OUTLINED
    down = ft.Icons.THUMB_DOWN if reply.good is False else ft.Icons.THUMB_DOWN_OUTLINED
    pen = icon_button(ft.Icons.EDIT_NOTE, f"Write a better answer than {who.title}", lambda: set_writing(not writing))
    thumbs: list[ft.Control] = [
        icon_button(up, f"Good answer of {who.title}", good, color=Ink.GREEN if reply.good else Ink.MUTED),
        icon_button(down, f"Bad answer of {who.title}", bad, color=Ink.RED if reply.good is False else Ink.MUTED),
        pen,
    ]
    parts: list[ft.Control] = [ft.Row(thumbs, spacing=0)]
    if writing:
        parts.append(TextField(better, set_better, label="A better answer", lines=8, rest=0))
        parts.append(row(primary("Keep it", save), quiet("Cancel", lambda: set_writing(False))))
    elif reply.better:
        parts.append(ft.Column([muted("Better"), verbatim(reply.better, selectable=True)], spacing=2, tight=True))
    return ft.Column(parts, spacing=S2, tight=True)
