"""Caring for one version: use, archive, restore, delete, save as a capsule, go on from it, notes and tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

import flet as ft
import msgspec

from engine.results.listing import Listed
from engine.results.versions import Version
from studio.hooks import go, use_attempt, use_engine, use_session
from studio.kit import (
    Busy,
    ErrorCard,
    Switch,
    TextField,
    component,
    danger,
    gigabytes,
    muted,
    notice,
    plural,
    quiet,
    row,
    secondary,
    section,
    toast,
)
from studio.kit.fields import told_of_theirs
from studio.pages.wizard_state import review_draft
from studio.pages.written import Written
from studio.theme import S3
from studio.undo import delete_later

if TYPE_CHECKING:
    from engine.engine import Engine

Verb = Literal["use", "archive", "restore"]
DONE: dict[Verb, str] = {
    "use": "is in use now",
    "archive": "is archived",
    "restore": "is restored",
}


async def care_for(engine: Engine, version: Version, verb: Verb) -> None:
    """Do it, and say what that freed. Raises StudioError."""
    done = await engine.outcomes.care_for(version.id, verb)
    freed = f"; {gigabytes(done.freed)} are free again" if done.freed > 0 else ""
    toast(f"{done.title} {DONE[verb]}{freed}.")


class _Question:
    """What is asked before a verb is carried out."""

    def __init__(self, each: Listed) -> None:
        name, frees = each.version.title, gigabytes(each.size.reclaimable)
        kept = each.size.bytes - each.size.reclaimable
        shared = f" {gigabytes(kept)} of its files belong to its run too, and stay with it." if kept else ""
        self.words: dict[str, tuple[str, str, str, str]] = {
            "delete": (
                f"Delete {name}?",
                f"That frees {frees}. It can be undone for a moment; then only a capsule brings it back.{shared}",
                "Delete it",
                "Deleting",
            ),
            "archive": (
                f"Archive {name}?",
                "Its weights are packed into one file. It cannot be talked to or exported until it is restored.",
                "Archive it",
                "Archiving",
            ),
            "restore": (
                f"Restore {name}?",
                "Its weights are unpacked and checked to be what they were.",
                "Restore it",
                "Restoring",
            ),
        }


@component
def Ask(each: Listed, verb: str, close: Callable[[], None], after: Callable[[], None] | None = None) -> Any:
    """Asks before weights are packed, unpacked or deleted; a refusal is explained in its place."""
    engine, session = use_engine(), use_session()
    problem, trying = use_attempt()
    what, why, words, doing = _Question(each).words[verb]

    async def do() -> None:
        if verb != "delete":
            await care_for(engine, each.version, cast(Verb, verb))
        close()
        if after is not None:
            after()
        if verb == "delete":
            await delete_later(
                session,
                (each.version.id,),
                f"{each.version.title} is deleted.",
                lambda version_id: engine.outcomes.care_for(version_id, "delete"),
            )

    if problem is not None:
        return ErrorCard(problem, also=quiet("Close", close))
    tone = "bad" if verb == "delete" else "info"
    return notice(tone, what, why, Busy(words, doing, trying(do), main=False), quiet("Keep it as it is", close))


@component
def Deeds(each: Listed) -> Any:
    """Everything that can be done with a version, on its own page."""
    engine, session = use_engine(), use_session()
    asked, ask = ft.use_state("")
    problem, trying = use_attempt()

    async def go_on() -> None:
        review_draft(engine, session, await engine.outcomes.go_on(each.version.id))

    use = trying(lambda: care_for(engine, each.version, "use"))
    buttons: list[ft.Control] = []
    if each.usable and not each.active:
        buttons.append(Busy("Use this version", "Checking", use, icon=ft.Icons.PUSH_PIN_OUTLINED, main=False))
    if each.usable:
        onward = "Continue training from it"
        buttons.append(Busy(onward, "Planning", trying(go_on), icon=ft.Icons.FAST_FORWARD, main=False))
    if each.archived:
        buttons.append(secondary("Restore", lambda: ask("restore"), icon=ft.Icons.UNARCHIVE_OUTLINED))
    elif not each.active:
        buttons.append(secondary("Archive", lambda: ask("archive"), icon=ft.Icons.ARCHIVE_OUTLINED))
    if not each.active:
        buttons.append(danger("Delete", lambda: ask("delete"), icon=ft.Icons.DELETE_OUTLINE))
    frees = f"It takes {gigabytes(each.size.bytes)}; deleting it frees {gigabytes(each.size.reclaimable)}."
    in_use = " The version in use is neither archived nor deleted: use another one first." if each.active else ""
    blocks: list[ft.Control] = [row(*buttons), muted(frees + in_use, size=14)]
    if asked:
        blocks.append(Ask(each, asked, lambda: ask(""), (lambda: go("/versions")) if asked == "delete" else None))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return section("What to do with it", *blocks)


@component
def Notes(version: Version) -> Any:
    """Notes and tags, kept when the field is left."""
    engine = use_engine()
    shown = ft.use_ref(lambda: version)
    shown.current = version

    def keep(name: str, words_of: Callable[[Version], str], write: Callable[[str], object], words: str) -> None:
        """Writes, and tells when that takes the place of what another window wrote and this one did not show yet."""
        theirs = words_of(engine.outcomes.folder.find(version.id))
        write(words)
        if theirs not in (words_of(shown.current or version), words):
            told_of_theirs(name, lambda: write(theirs))

    def note(words: str) -> None:
        def write(text: str) -> None:
            engine.outcomes.label(version.id, notes=text)

        keep("Notes", lambda each: each.notes, write, words.strip())

    def tag(words: str) -> None:
        def write(text: str) -> None:
            engine.outcomes.label(version.id, tags=text.split(","))

        keep("Tags", _tags, write, words.replace("#", ""))

    return section(
        "Notes",
        TextField(version.notes, note, label="Notes", hint="What to remember about it", lines=4),
        TextField(_tags(version), tag, label="Tags", hint="separated by commas"),
    )


def _tags(version: Version) -> str:
    return ", ".join(version.tags)


class Saved(msgspec.Struct, frozen=True):
    """A capsule that was written."""

    path: str
    files: int
    bytes: int


@component
def Capsule(each: Listed) -> Any:
    """Saves the version as one file that another machine verifies and runs again."""
    engine = use_engine()
    rows, set_rows = ft.use_state(True)
    done, set_done = ft.use_state(cast("Saved | None", None))
    problem, trying = use_attempt()

    async def save() -> None:
        set_done(lambda _: None)
        path, verified = await engine.outcomes.capsule(each.version.id, rows=rows)
        saved = Saved(str(path), len(verified.capsule.files), verified.bytes)
        set_done(lambda _: saved)

    blocks: list[ft.Control] = [
        muted("Recipe, data, scores, weights and certificate in one file that proves to be whole.", size=14),
        Switch(rows, lambda on: set_rows(on), label="Let the rows of the data travel along"),
        row(Busy("Save as a capsule", "Saving", trying(save), icon=ft.Icons.INVENTORY_2_OUTLINED, main=False)),
    ]
    if done is not None:
        words = f"{plural(done.files, 'file')}, {gigabytes(done.bytes)}."
        blocks.append(notice("good", "The capsule is saved.", words, Written(done.path)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return section("Capsule", ft.Column(blocks, spacing=S3, tight=True))
