"""Conversations that were kept: searched, gone on with, renamed, exported, deleted, and made rows to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flet as ft

from engine.core.errors import StudioError
from engine.serving.leaving import RowsOf, TextForm
from engine.serving.nouns import Conversation
from engine.serving.talk import Talk
from engine.spec.records import Card
from studio.hooks import go, use_engine, use_loaded, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    Search,
    TextField,
    ago,
    card,
    card_with_tools,
    component,
    heading,
    icon_button,
    label,
    muted,
    plural,
    quiet,
    rightward,
    row,
    toast,
)
from studio.pages.written import download
from studio.theme import S2, S4

SHOWN = 50
UNHARMED: Card | None = None
NOTHING: tuple[Conversation, ...] = ()
KINDS: tuple[tuple[RowsOf, str], ...] = (
    ("chat", "Answers rated good"),
    ("preference", "Pairs of a good and a bad answer"),
    ("kto", "Answers rated good or bad"),
    ("whole", "Whole conversations"),
)


@component
def History(talk: Talk) -> Any:
    """The conversations in which the words of the search stand, the newest first."""
    engine = use_engine()
    changed = use_topic(engine.playground.changed, every=0.25)
    words, set_words = ft.use_state("")
    held = ft.use_ref(NOTHING)
    found = use_loaded(lambda: engine.playground.kept.all(words), [words, changed])
    if found.value is not None:
        held.current = found.value
    listed = held.current or ()
    blocks: list[ft.Control] = [heading("History"), Search(words, set_words, hint="Search conversations")]
    if found.done and not listed:
        what = "No conversation has these words." if words else "What you ask is kept here, with your ratings."
        blocks.append(muted(what, size=14))
    blocks += [Past(each, each.id == talk.id, key=each.id) for each in listed[:SHOWN]]  # type: ignore[call-arg]
    if len(listed) > SHOWN:
        blocks.append(muted(f"{plural(len(listed) - SHOWN, 'older one', 'older ones')}: search for a word in them."))
    if listed:
        blocks.append(MakeRows(tuple(each.id for each in listed)))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Past(kept: Conversation, here: bool) -> Any:
    """One conversation in the list."""
    engine, session = use_engine(), use_session()
    naming, set_naming = ft.use_state(False)
    name, set_name = ft.use_state(kept.title)

    async def open_it() -> None:
        session.talk.set(await engine.playground.talk(kept.id))
        go("/playground")

    async def rename() -> None:
        set_naming(False)
        await engine.playground.rename(kept.id, name)

    async def delete() -> None:
        await engine.playground.delete(kept.id)
        if here:
            session.talk.set(None)
        toast(f"“{kept.title}” is deleted.", verb="Undo", do=restore, seconds=10)

    async def restore() -> None:
        await engine.playground.restore(kept.id)

    if naming:
        field = TextField(name, set_name, label="Title", on_submit=rename, autofocus=True, rest=0)
        buttons = row(quiet("Rename", rename), quiet("Cancel", lambda: set_naming(False)))
        return card(ft.Column([field, buttons], spacing=S2, tight=True))
    rated = kept.thumbs
    facts = f"{plural(len(kept.turns), 'question')}, {ago(kept.changed)}" + (f", {rated} rated" if rated else "")
    face = ft.Column(
        [
            label(kept.title, max_lines=2, overflow=ft.TextOverflow.ELLIPSIS, rtl=rightward(kept.title)),
            muted(facts),
        ],
        spacing=2,
        tight=True,
    )
    tools = ft.Row(
        [
            icon_button(ft.Icons.DRIVE_FILE_RENAME_OUTLINE, f"Rename {kept.title}", lambda: set_naming(True)),
            Export(kept, "markdown"),
            Export(kept, "jsonl"),
            icon_button(ft.Icons.DELETE_OUTLINE, f"Delete {kept.title}", delete),
        ],
        spacing=0,
    )
    return card_with_tools(face, tools, on_click=open_it, selected=here, name=f"Open {kept.title}")


@component
def Export(kept: Conversation, form: TextForm) -> Any:
    """Writes one conversation as a file into the Home's exports."""
    engine, confined = use_engine(), use_surroundings().confined
    called, icon = (
        ("Markdown", ft.Icons.DESCRIPTION_OUTLINED) if form == "markdown" else ("JSONL", ft.Icons.DATA_OBJECT)
    )

    async def write() -> None:
        target = await engine.playground.export((kept.id,), form)
        if confined:
            await download(Path(target))
        else:
            toast(f"Written: {target}", seconds=10)

    return icon_button(icon, f"Export {kept.title} as {called}", write)


@component
def MakeRows(ids: tuple[str, ...]) -> Any:
    """A dataset of what is listed."""
    engine = use_engine()
    kind, set_kind = ft.use_state("chat")
    problem, set_problem = ft.use_state(UNHARMED)

    async def make() -> None:
        rows: RowsOf = next(key for key, _ in KINDS if key == kind)
        try:
            made = await engine.playground.rows(ids, rows)
        except StudioError as error:
            set_problem(error.card)
        else:
            go(f"/data/{made.id}")

    return ft.Column(
        [
            heading("Make rows of these"),
            muted(f"A dataset to fine-tune with, of {plural(len(ids), 'conversation')}."),
            Choice(kind, list(KINDS), set_kind, label="Rows", width=288),
            Busy("Make the dataset", "Making it", make, icon=ft.Icons.DATASET_OUTLINED),
            *([ErrorCard(problem)] if problem else []),
        ],
        spacing=S2,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
