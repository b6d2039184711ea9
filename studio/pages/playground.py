"""The playground: one prompt, two answers in columns, base grey and tuned purple, as they come."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgspec

from engine.core.topics import Topic
from engine.results.versions import Version
from studio.hooks import go, use_engine, use_loaded, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    Choice,
    NumberField,
    TextField,
    body,
    chip,
    component,
    duration,
    empty,
    gigabytes,
    heading,
    icon_button,
    label,
    loading,
    muted,
    notice,
    primary,
    row,
    title,
)
from studio.pages.talk import Answer, Exchange, Talk
from studio.session import Session
from studio.shell import frame
from studio.theme import RADIUS_CARD, S1, S2, S3, S4, Ink

EXAMPLES = 3


@component
def Playground() -> Any:
    """The page for the version of the address, or the newest one."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    versions = use_topic(engine.outcomes.versions, every=0.5)
    wanted = ft.use_route_params().get("version_id", "") or session.version.value
    version = next((each for each in versions if each.id == wanted), versions[0] if versions else None)
    if version is None:
        return frame(
            surroundings.width,
            surroundings.columns,
            title("Playground"),
            empty(
                ft.Icons.CHAT_BUBBLE_OUTLINE,
                "No tuned model to talk to yet.",
                "Fine-tune one; then ask it and its base the same question here.",
                primary("Fine-tune a model", lambda: go("/new")),
            ),
        )
    session.version.set(version.id)
    return Conversation(version, versions, key=version.id)  # type: ignore[call-arg]


def _talk(session: Session, engine: Any, version: Version) -> Talk:
    """The session's conversation with this version; it stays while pages change."""
    if version.id not in session.talks:
        session.talks[version.id] = Talk(engine, version)
    return session.talks[version.id]


@component
def Conversation(version: Version, versions: tuple[Version, ...]) -> Any:
    """Everything about one version."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    talk = _talk(session, engine, version)
    exchanges = use_topic(talk.exchanges, every=0.0)
    state = use_topic(talk.state, every=0.0)

    async def load() -> None:
        await talk.open()

    loaded = use_loaded(load, [version.id])
    blocks: list[ft.Control] = []
    if state == "loading":
        blocks.append(loading("Loading the model into memory"))
    elif state != "ready":
        blocks.append(notice("bad", "The model could not be loaded.", state, Busy("Try again", "Loading", load)))
    if loaded.error is not None:
        blocks.append(notice("bad", "The model could not be loaded.", str(loaded.error)))
    if not exchanges:
        blocks.append(muted("Ask something. The tuned model answers beside its base, from the same words.", size=14))
    for exchange in exchanges:
        blocks.append(Asked(exchange, version, key=exchange.number))  # type: ignore[call-arg]
    choice = Choice(
        version.id,
        [(each.id, f"{each.name} {each.number}") for each in versions],
        lambda version_id: go(f"/playground/{version_id}"),
        label="Version",
        width=300,
    )
    return frame(
        surroundings.width,
        surroundings.columns,
        title("Playground"),
        *blocks,
        actions=(choice,),
        panel=Parameters(talk),
        footer=Prompt(talk),
    )


@component
def Asked(exchange: Exchange, version: Version) -> Any:
    """One prompt and its two answers."""
    narrow = use_surroundings().columns == 1
    prompt = ft.Container(
        body(exchange.prompt, selectable=True), bgcolor=Ink.SURFACE, border_radius=RADIUS_CARD, padding=S3
    )
    answers: list[ft.Control] = [
        ft.Container(Column(exchange.base, "Base", version.model, False), expand=None if narrow else 1),
        ft.Container(
            Column(exchange.tuned, "Tuned", f"{version.name} {version.number}", True), expand=None if narrow else 1
        ),
    ]
    pair: ft.Control = (
        ft.Column(answers, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
        if narrow
        else ft.Row(answers, spacing=S3, vertical_alignment=ft.CrossAxisAlignment.START)
    )
    return ft.Column([prompt, pair], spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Column(topic: Topic[Answer], name: str, model: str, tuned: bool) -> Any:
    """One answer as it comes; redrawn by itself ten times a second at the most."""
    answer = use_topic(topic, every=0.1)
    color = Ink.PURPLE if tuned else Ink.BASE
    head = ft.Row(
        [
            ft.Container(width=10, height=10, border_radius=5, bgcolor=color),
            label(name),
            muted(model, expand=True, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
        ],
        spacing=S2,
    )
    if answer.error:
        words: ft.Control = body(answer.error, color=Ink.RED)
    elif answer.text:
        words = body(answer.text, selectable=True)
    elif answer.done:
        words = muted("It had nothing to say.", size=14)
    else:
        words = muted("…", size=14)
    foot = ""
    if answer.done and not answer.error:
        foot = f"{answer.tokens} tokens in {duration(answer.seconds)}, {answer.tokens_per_second:.0f} tokens/s"
    inside = ft.Column([head, words, muted(foot)], spacing=S2, tight=True)
    box = ft.Container(
        inside,
        border=ft.Border.only(left=ft.BorderSide(3, color)),
        bgcolor=Ink.RAISED,
        padding=ft.Padding.symmetric(horizontal=S4, vertical=S3),
    )
    return ft.Semantics(content=box, container=True, live_region=answer.done, label=f"{name} model's answer")


@component
def Prompt(talk: Talk) -> Any:
    """Examples as chips, the field, Send."""
    engine = use_engine()
    busy = use_topic(talk.busy, every=0.0)
    words, set_words = ft.use_state("")
    examples = use_loaded(lambda: engine.outcomes.examples(talk.version.id, EXAMPLES), [talk.version.id])

    async def send() -> None:
        text = words
        set_words("")
        await talk.ask(text)

    async def send_this(text: str) -> None:
        await talk.ask(text)

    def example(text: str) -> ft.Control:
        async def press() -> None:
            await send_this(text)

        words = " ".join(text.split())
        return chip(words if len(words) < 70 else words[:67] + "…", press)

    chips = [example(text) for text in examples.value or ()]
    field = TextField(words, set_words, hint="Ask both models", on_submit=send, lines=4, expand=True)
    button = icon_button(ft.Icons.SEND, "Send", send, disabled=busy or not words.strip(), color=Ink.PRIMARY)
    return ft.Container(
        ft.Column(
            [
                *([row(*chips)] if chips else []),
                ft.Row([ft.Container(field, expand=True), button], spacing=S2),
            ],
            spacing=S2,
            tight=True,
        ),
        padding=S3,
        bgcolor=Ink.SURFACE,
        border=ft.Border.only(top=ft.BorderSide(1, Ink.BORDER)),
    )


@component
def Parameters(talk: Talk) -> Any:
    """How to answer, and what it costs in memory."""
    wish = use_topic(talk.wish, every=0.0)
    memory = use_topic(talk.memory, every=1.0)

    def change(**values: Any) -> None:
        talk.wish.set(msgspec.structs.replace(talk.wish.value, **values))

    rows = [
        _parameter(
            "Temperature", "0 always takes the likeliest word.", wish.temperature, "temperature", change, False, 0, 2
        ),
        _parameter("Longest answer", "In tokens.", wish.max_new_tokens, "max_new_tokens", change, True, 1, 4096),
        _parameter("Seed", "The same seed repeats the answer.", wish.seed, "seed", change, True, 0, 2**31 - 1),
    ]
    return ft.Column(
        [heading("Answering"), *rows, muted(f"Model in memory: {gigabytes(memory)}" if memory else "")],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _parameter(
    name: str, words: str, value: float, key: str, change: Any, whole: bool, minimum: float, maximum: float
) -> ft.Control:
    return ft.Column(
        [
            NumberField(
                value,
                lambda number: change(**{key: int(number) if whole else number}),
                label=name,
                whole=whole,
                minimum=minimum,
                maximum=maximum,
                width=200,
            ),
            muted(words),
        ],
        spacing=S1,
        tight=True,
    )
