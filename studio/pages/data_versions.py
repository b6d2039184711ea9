"""The versions of a dataset: what made each, what changed, how large it is; undone, deleted, written as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft

from engine.core.errors import unexpected
from engine.data.export import format_from
from engine.data.nouns import Dataset, ExportFormat, Row
from engine.data.preferences import shared_turns
from engine.data.steps import step_from
from studio.hooks import go, use_engine, use_loaded, use_session, use_surroundings
from studio.kit import (
    Busy,
    Choice,
    Diff,
    ErrorCard,
    badge,
    body,
    card,
    component,
    danger,
    gigabytes,
    label,
    link,
    loading,
    muted,
    notice,
    plural,
    quiet,
    row,
    section,
    toast,
)
from studio.pages.data_browse import words_of
from studio.pages.data_quality import step_words
from studio.pages.written import Written
from studio.theme import S2, S3, S4, Ink
from studio.undo import delete_later

if TYPE_CHECKING:
    from engine.data.diff import Difference, RowChange
    from engine.data.export import Exported
    from engine.data.versions import DatasetVersion

CHANGES_SHOWN = 12
FORMATS: dict[ExportFormat, str] = {
    "jsonl": "JSON lines, everything in it",
    "parquet": "Parquet, everything in it",
    "alpaca": "Alpaca (instruction and output)",
    "sharegpt": "ShareGPT (conversations)",
    "openai": "OpenAI (messages)",
}


@component
def Versions(dataset: Dataset) -> Any:
    """Every version in this dataset's line, the oldest first, and what can be done with this one."""
    engine = use_engine()
    compared, set_compared = ft.use_state("")
    narrow = use_surroundings().columns == 1
    loaded = use_loaded(lambda: engine.library.versions(dataset.id), [dataset.id, dataset.made])
    if loaded.error is not None:
        return ErrorCard(unexpected(loaded.error), again=loaded.again)
    if loaded.value is None:
        return loading("Reading the versions")
    lines: list[ft.Control] = [_version(each, dataset, compared, set_compared, narrow) for each in loaded.value]
    here = {each.id for each in loaded.value}
    if compared in here:
        lines.append(Changes(compared, dataset))
    return ft.Column(
        [
            section("Versions", *lines),
            section("As a file", card(Export(dataset))),
            section("Delete", card(Delete(dataset, dataset.parent in here))),
        ],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _version(version: DatasetVersion, dataset: Dataset, compared: str, compare: Any, narrow: bool) -> ft.Control:
    current = version.id == dataset.id
    how = ", ".join(step_words(step_from(each)) for each in version.fixes) or "as it was imported"
    points = "" if version.score is None else f" · {version.score:.0f} of 100 points"
    words = ft.Column(
        [
            row(label(f"{how[:1].upper()}{how[1:]}"), *([badge("this one", "info")] if current else [])),
            muted(f"{plural(version.rows, 'row')}{points} · {gigabytes(version.bytes)} on the disk", size=14),
        ],
        spacing=2,
        tight=True,
        expand=True,
    )
    buttons: list[ft.Control] = []
    if not current:
        shown = compared == version.id
        buttons = [
            quiet("Hide what changed" if shown else "What changed", lambda: compare("" if shown else version.id)),
            link("Open", f"/data/{version.id}"),
        ]
    deeds = ft.Row(buttons, tight=True)
    if narrow:
        words.expand = None
        return card(ft.Column([words, *([deeds] if buttons else [])], tight=True), selected=current, padding=12)
    return card(ft.Row([words, deeds], spacing=S3), selected=current, padding=12)


@component
def Changes(before: str, dataset: Dataset) -> Any:
    """The way from another version to this one: rows added, removed and changed."""
    engine = use_engine()
    loaded = use_loaded(lambda: engine.library.diff(before, dataset.id), [before, dataset.id])
    if loaded.error is not None:
        return ErrorCard(unexpected(loaded.error), again=loaded.again)
    if loaded.value is None:
        return loading("Comparing the two versions")
    found: Difference = loaded.value
    head = row(
        badge(f"{found.same:,} the same", "plain"),
        badge(f"{found.added:,} added", "good"),
        badge(f"{found.removed:,} removed", "bad"),
        badge(f"{found.changed:,} changed", "warn"),
    )
    shown = [_change(each) for each in found.shown[:CHANGES_SHOWN]]
    rest = found.added + found.removed + found.changed - len(shown)
    if rest > 0:
        shown.append(muted(f"and {plural(rest, 'more row')}"))
    what = "What is different in the version that is open"
    return card(ft.Column([label(what), head, *shown], spacing=S3, tight=True), padding=12)


def as_lines(row_: Row) -> str:
    """All that a row says, a turn on each line or more of them."""
    lines = [f"{each.role}: {each.content}" for each in row_.messages] or [row_.text]
    lines += [f"worse: {each.content}" for each in row_.rejected[shared_turns(row_.messages, row_.rejected) :]]
    if row_.desired is not None:
        lines.append("rated good" if row_.desired else "rated bad")
    return "\n".join(lines)


def _change(change: RowChange) -> ft.Control:
    blocks: list[ft.Control] = [muted(f"line {change.line:,} of the source")]
    if change.before and change.after:
        blocks.append(Diff(as_lines(change.before), as_lines(change.after)))
    else:
        for words, tone, said in (("removed", "bad", change.before), ("added", "good", change.after)):
            if said is not None:
                blocks.append(ft.Row([badge(words, tone)]))
                blocks += words_of(said)
    return ft.Container(
        ft.Column(blocks, spacing=S2, tight=True),
        border=ft.Border.only(top=ft.BorderSide(1, Ink.BORDER)),
        padding=ft.Padding.only(top=S2),
    )


@component
def Export(dataset: Dataset) -> Any:
    """Write it as a file for other programs, and say where that lies."""
    engine = use_engine()
    form, set_form = ft.use_state("jsonl")
    written, set_written = ft.use_state(lambda: None)
    problem, set_problem = ft.use_state(lambda: None)

    async def write() -> None:
        set_problem(lambda _: None)
        set_written(lambda _: None)
        try:
            done: Exported = await engine.library.export(dataset.id, format_from(form))
            set_written(lambda _: done)
        except Exception as error:  # noqa: BLE001 - shown as a card
            card_ = unexpected(error)
            set_problem(lambda _: card_)

    blocks: list[ft.Control] = [
        row(
            Choice(form, list(FORMATS.items()), set_form, label="Form", width=300),
            Busy("Write the file", "Writing", write, icon=ft.Icons.SAVE_ALT, main=False),
            spacing=S3,
        )
    ]
    if written is not None:
        size = f"{plural(written.rows, 'row')}, {gigabytes(written.bytes)}."
        blocks.append(notice("good", "The file is written.", size, Written(written.path)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return ft.Column(blocks, spacing=S3, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Delete(dataset: Dataset, can_undo: bool) -> Any:
    """Go back to the version before, or delete this one, once it was confirmed; that can be undone for a moment."""
    engine, session = use_engine(), use_session()
    asked, set_asked = ft.use_state(False)

    async def undo() -> None:
        before = await engine.library.undo(dataset.id)
        go(f"/data/{before.id}")
        toast("Undone. This is the version before.")

    async def delete() -> None:
        go("/data")
        await delete_later(session, (dataset.id,), f"{dataset.name} is deleted.", engine.library.delete)

    if asked:
        return notice(
            "bad",
            f"Delete {dataset.name} with its {plural(dataset.rows, 'row')}?",
            "Other versions, the file it came from and models trained on it stay. It can be undone for a moment.",
            row(
                danger("Delete it", delete, icon=ft.Icons.DELETE_OUTLINE),
                quiet("Keep it", lambda: set_asked(False)),
            ),
        )
    blocks: list[ft.Control] = [body("Other versions and the file it came from stay.")]
    buttons: list[ft.Control] = []
    if can_undo:
        buttons.append(Busy("Undo this version", "Undoing", undo, icon=ft.Icons.UNDO, main=False))
    buttons.append(danger("Delete this version", lambda: set_asked(True), icon=ft.Icons.DELETE_OUTLINE))
    return ft.Column([*blocks, row(*buttons)], spacing=S3, tight=True)
