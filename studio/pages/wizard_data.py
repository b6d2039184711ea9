"""Step 2: the data. A path, an upload, a sample or an earlier dataset; then what was found in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
import flet as ft

from engine.core.errors import unexpected
from engine.data.nouns import Dataset
from engine.data.service import Progress
from studio.hooks import use_engine, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    ErrorCard,
    TextField,
    bar,
    body,
    card,
    columns,
    component,
    label,
    loading,
    muted,
    percent,
    plural,
    primary,
    quiet,
    row,
)
from studio.pages.upload import Uploads
from studio.pages.wizard_found import Found, Noticed
from studio.pages.wizard_rows import RenderedDraft
from studio.session import Session, WizardDraft
from studio.theme import S2, S3, S4
from studio.uploads import allowed, room

if TYPE_CHECKING:
    from engine.engine import Engine

SAMPLES = {
    "support.csv": ("Customer support", "480 questions to a shop with the answers by its rules. CSV."),
    "chat.jsonl": ("Plant advice chat", "360 short conversations about plants. JSONL, OpenAI form."),
    "tickets.parquet": ("Ticket labels", "480 messages, each with one of six labels. Parquet."),
}
EARLIER = 4


async def import_chosen(
    engine: Engine, session: Session, on_progress: Callable[[Progress], None] | None = None
) -> None:
    """Make the inspected file a dataset and keep its id in the draft. Raises StudioError."""
    draft = session.wizard.value
    mapping = draft.mapping or (draft.inspection.mapping if draft.inspection else None)
    dataset = await engine.library.add(Path(draft.path), Path(draft.path).stem, mapping, on_progress=on_progress)
    session.edit(dataset=dataset.id)


@component
def ImportButton(words: str, done: Callable[[], None], disabled: bool = False) -> Any:
    """Imports what the draft names, shows how far it is, and can be stopped."""
    engine, session = use_engine(), use_session()
    progress, set_progress = ft.use_state(lambda: None)
    scope = ft.use_ref(cast("anyio.CancelScope | None", None))

    async def keep() -> None:
        set_progress(lambda _: Progress(0, 1))
        try:
            with anyio.CancelScope() as scope.current:
                await import_chosen(engine, session, lambda told: set_progress(lambda _: told))
                done()
        finally:
            set_progress(lambda _: None)

    def stop() -> None:
        if scope.current is not None:
            scope.current.cancel()

    if progress is None:
        return primary(words, keep, icon=ft.Icons.DOWNLOAD_DONE, disabled=disabled)
    share = progress.done / max(1, progress.total)
    said = f"Reading, {percent(share)}" if share < 1 else "Looking at all rows together"
    return row(ft.Container(bar(share, name="Importing"), width=180), muted(said, size=14), quiet("Stop", stop))


@component
def DataStep(draft: WizardDraft, earlier: bool = True) -> Any:
    """Where the data comes from, and what it is; with `earlier`, datasets from before are offered, too."""
    session, engine = use_session(), use_engine()
    confined = use_surroundings().confined
    busy, set_busy = ft.use_state("")
    problem, set_problem = ft.use_state(lambda: None)

    async def look(path: str) -> None:
        """Read a file and say what it is."""
        set_busy(Path(path).name)
        set_problem(lambda _: None)
        session.edit(path=path, inspection=None, mapping=None, dataset="")
        try:
            file = allowed(path, engine.home.path, confined=confined)
            session.edit(inspection=await engine.library.inspect(file), path=str(file))
        except Exception as error:  # noqa: BLE001 - shown as a card
            card_ = unexpected(error)
            set_problem(lambda _: card_)
        finally:
            set_busy("")

    blocks: list[ft.Control] = [Sources(draft, look, earlier)]
    if busy:
        blocks.append(loading(f"Reading {busy}"))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    if draft.inspection is not None:
        blocks.append(Found(draft))
    elif draft.dataset:
        blocks.append(Noticed(draft))
    if draft.dataset:
        blocks.append(RenderedDraft(draft))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Sources(draft: WizardDraft, look: Any, offer_earlier: bool) -> Any:
    """Path, upload, samples, earlier datasets; on another machine an upload takes the place of the path."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    datasets = use_topic(engine.library.datasets, every=0.5)
    uploads = ft.use_memo(Uploads, [])

    async def pick() -> None:
        confined = surroundings.confined
        chosen = await uploads.choose(engine.home.path, engine.settings.value, confined=confined)
        if chosen is not None:
            await look(str(chosen))

    async def submit() -> None:
        if session.wizard.value.path.strip():
            await look(session.wizard.value.path.strip())

    def typed(path: str) -> None:
        session.edit(path=path, dataset="", inspection=None, mapping=None)

    narrow = surroundings.columns == 1
    choose = Busy("Choose a file", "Waiting", pick, icon=ft.Icons.UPLOAD_FILE, main=False)
    if surroundings.confined:
        source: ft.Control = row(choose, muted("It is uploaded to the machine that PEFT Studio runs on."))
    else:
        hint = "~/data/examples.csv"
        field = TextField(draft.path, typed, label="Path of a file on this computer", hint=hint, on_submit=submit)
        open_ = row(Busy("Read this file", "Reading", submit, main=False), choose, wrap=False)
        source = (
            ft.Column([field, open_], spacing=S2, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
            if narrow
            else ft.Row([ft.Container(field, expand=True), open_], spacing=S3)
        )
    kinds = muted("CSV, TSV, JSON, JSONL, Parquet or plain text, also gzipped. The file itself is never changed.")
    samples = [_sample(path, draft, look) for path in engine.library.samples() if path.name in SAMPLES]
    blocks = [source, kinds, Paste(look), label("Or start from a sample"), columns(samples, 1 if narrow else 3)]
    shipped = {path.name for path in engine.library.samples()}
    earlier = [each for each in datasets if Path(each.source).name not in shipped][:EARLIER]
    if earlier and offer_earlier:
        blocks += [label("Or use data from before"), *[_earlier(each, draft, session) for each in earlier]]
    return ft.Column(blocks, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Paste(look: Any) -> Any:
    """Rows that are pasted instead of a file."""
    engine = use_engine()
    open_, set_open = ft.use_state(False)
    words, set_words = ft.use_state("")

    async def read() -> None:
        await anyio.to_thread.run_sync(room, engine.home.path, engine.settings.value)
        await look(str(await engine.library.paste(words)))

    if not open_:
        return row(quiet("Paste rows instead", lambda: set_open(True), icon=ft.Icons.CONTENT_PASTE))
    field = TextField(words, set_words, label="Rows, as they would stand in a file", lines=8, mono=True)
    return ft.Column(
        [field, row(Busy("Read what is pasted", "Reading", read, main=False, disabled=not words.strip()))],
        spacing=S2,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _sample(path: Path, draft: WizardDraft, look: Any) -> ft.Control:
    name, words = SAMPLES[path.name]

    async def take() -> None:
        await look(str(path))

    inside = ft.Column([label(name), muted(words)], spacing=2, tight=True)
    return card(inside, on_click=take, selected=draft.path == str(path), padding=12, name=f"Sample: {name}")


def _earlier(dataset: Dataset, draft: WizardDraft, session: Session) -> ft.Control:
    def take() -> None:
        session.edit(dataset=dataset.id, path="", inspection=None, mapping=None)

    made = time.strftime("%d %b %Y", time.localtime(dataset.made))
    inside = ft.Row([label(dataset.name, expand=True), body(plural(dataset.rows, "row")), muted(made)], spacing=S4)
    return card(inside, on_click=take, selected=dataset.id == draft.dataset, padding=12, name=f"Dataset {dataset.name}")
