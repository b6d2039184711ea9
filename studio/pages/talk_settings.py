"""How models answer in a conversation: drawn from the one place where the settings are described."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flet as ft
import msgspec

from engine.core.topics import Topic
from engine.serving.host import HostInfo, HostSession
from engine.serving.talk import Talk
from engine.spec.answers import Answering
from engine.spec.fields import Level, Setting, settings_of
from studio.guides import term_named, term_of, terms_in
from studio.hooks import use_topic
from studio.kit import NumberField, Switch, TextField, component, gigabytes, heading, muted, quiet, row, use_tip
from studio.theme import S1, S4

NOT_THERE: Topic[HostInfo] = Topic(HostInfo())


@component
def Parameters(talk: Talk) -> Any:
    """The system text, the settings, and what is in memory."""
    conversation = use_topic(talk.conversation, every=0.0)
    host = use_topic(talk.host, every=0.0)
    everything, show = ft.use_state(False)
    answering = conversation.answering
    tip, explained = use_tip(term_named("System prompt"))

    def change(name: str, value: Any) -> None:
        talk.set(answering=msgspec.structs.replace(answering, **{name: value}))

    told = settings_of(Answering)
    rows = [
        AnswerSetting(
            each,
            getattr(answering, each.name),
            lambda value, name=each.name: change(name, value),
            key=each.name,  # type: ignore[call-arg]
        )
        for each in told.values()
        if everything or each.level is Level.ESSENTIAL
    ]
    more = quiet("Show fewer settings" if everything else "Show all settings", lambda: show(not everything))
    return ft.Column(
        [
            heading("Answering"),
            TextField(
                conversation.system,
                lambda words: talk.set(system=words),
                label="System text",
                hint="Who the model is to be",
                lines=6,
                tip=tip,
            ),
            *explained,
            *rows,
            row(more),
            Memory(host),
        ],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


@component
def AnswerSetting(setting: Setting, value: Any, change: Callable[[Any], object]) -> Any:
    """One setting with its help; the term in its name is explained on hover and while it has the focus."""
    tip, explained = use_tip(term_of(setting.name) or next(iter(terms_in(setting.title)), None))
    field: Any
    if isinstance(value, bool):
        field = Switch(value, change, label=setting.title, tip=tip)
    elif isinstance(value, tuple):
        lines = "\n".join(value)
        split = lambda words: change(tuple(each for each in words.split("\n") if each.strip()))  # noqa: E731
        field = TextField(lines, split, label=setting.title, hint="One on each line", lines=4, mono=True, tip=tip)
    else:
        field = NumberField(
            value,
            lambda number: change(int(number) if setting.whole else number),
            label=setting.title,
            whole=setting.whole,
            minimum=setting.minimum,
            maximum=setting.maximum,
            unit=setting.unit,
            width=180,
            tip=tip,
        )
    return ft.Column([field, *explained, muted(setting.help)], spacing=S1, tight=True)


@component
def Memory(host: HostSession | None) -> Any:
    """What the model takes, how it is held, and how long the last version took to switch to."""
    info = use_topic(host.info if host else NOT_THERE, every=1.0)
    if not info.memory:
        return muted("")
    words = f"Model in memory: {gigabytes(info.memory)}"
    if info.held:
        words += f", its weights held in {info.held}"
    swap = f" The last version took {1000 * info.swap_seconds:.0f} ms to load." if info.swap_seconds else ""
    return muted(f"{words}.{swap}")
