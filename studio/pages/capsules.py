"""A capsule from somewhere else: looked through, said what it is and whether it is whole, and run again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio.to_thread
import flet as ft

from engine.core.errors import StudioError, unexpected
from engine.results.capsule import Verified, verify
from engine.spec.records import Card
from studio.frame import frame
from studio.hooks import go, use_attempt, use_engine, use_surroundings
from studio.kit import (
    Busy,
    ErrorCard,
    TextField,
    card,
    code,
    component,
    gigabytes,
    link,
    loading,
    muted,
    notice,
    plural,
    row,
    section,
    short,
    title,
    toast,
)
from studio.pages.upload import Uploads
from studio.theme import S2, S3, S4
from studio.uploads import allowed

WHAT = (
    "A capsule holds a version's recipe, data, scores and weights. Whoever gets it sees whether it is whole, and can "
    "train by it again."
)


@component
def CapsulePage() -> Any:
    """The page."""
    engine, surroundings = use_engine(), use_surroundings()
    confined = surroundings.confined
    path, set_path = ft.use_state("")
    busy, set_busy = ft.use_state("")
    found, keep = ft.use_state(lambda: None)
    problem, set_problem = ft.use_state(lambda: None)
    uploads = ft.use_memo(Uploads, [])

    async def look(words: str) -> None:
        set_path(words)
        set_busy(Path(words).name)
        set_problem(lambda _: None)
        keep(lambda _: None)
        try:
            file = allowed(words, engine.home.path, confined=confined)
            verified = await anyio.to_thread.run_sync(verify, file)
            set_path(str(file))
            keep(lambda _: verified)
        except (StudioError, OSError) as error:
            told: Card = unexpected(error)
            set_problem(lambda _: told)
        finally:
            set_busy("")

    async def choose() -> None:
        chosen = await uploads.choose(engine.home.path, engine.settings.value, confined=confined, endings=("zip",))
        if chosen is not None:
            await look(str(chosen))

    async def submit() -> None:
        if path.strip():
            await look(path.strip())

    blocks: list[ft.Control] = [muted(WHAT, size=14), row(Busy("Choose a capsule", "Opening", choose))]
    if not confined:
        named = TextField(path, set_path, label="Path of a capsule on this computer", on_submit=submit)
        blocks += [named, row(Busy("Look through it", "Looking", submit, main=False, disabled=not path.strip()))]
    if busy:
        blocks.append(loading(f"Looking through {busy}"))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    if found is not None:
        blocks.append(Looked(path, found, key=found.digest))  # type: ignore[call-arg]
    content = ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return frame(
        surroundings, title("Open a capsule"), content, actions=(link("All versions", "/versions"),), widest=860
    )


@component
def Looked(path: str, found: Verified) -> Any:
    """What is in it, whether it is whole, and its recipe run again."""
    engine = use_engine()
    problem, trying = use_attempt()

    async def run() -> None:
        run_id = await engine.reproduce(Path(path))
        toast("The same rows, model, method and seeds again.")
        go(f"/runs/{run_id}")

    verdict = (
        notice("good", "Sound.", "Every part is there, whole, and belongs to the others.")
        if found.sound
        else notice("bad", "Not whole: do not trust it.", " ".join(found.problems))
    )
    blocks: list[ft.Control] = [verdict, section(found.capsule.title, card(_facts(found)))]
    if found.sound:
        blocks.append(row(Busy("Run it again", "Preparing", trying(run), icon=ft.Icons.REPLAY)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _facts(found: Verified) -> ft.Control:
    inside, data = found.capsule, found.capsule.dataset
    losses = ", ".join(f"{name.replace('_', ' ')} {short(value)}" for name, value in sorted(inside.metrics.items()))
    pairs = (
        ("Made", time.strftime("%d %b %Y, %H:%M", time.localtime(inside.made))),
        ("Base model", inside.model),
        ("Data", f"{data.name}, {'with its rows' if data.inside else 'only their hash'}"),
        ("Measured", losses),
        ("Seed", str(inside.seed)),
        ("Made with", ", ".join(f"{name} {value}" for name, value in inside.environment.items())),
        ("Files", f"{plural(len(inside.files), 'file')}, {gigabytes(found.bytes)}"),
        ("Digest", found.digest),
    )
    lines: list[ft.Control] = [
        ft.Row(
            [ft.Container(muted(name, size=14), width=112), ft.Container(code(words), expand=True)],
            spacing=S2,
            vertical_alignment=ft.CrossAxisAlignment.START,
        )
        for name, words in pairs
        if words
    ]
    return ft.Column(lines, spacing=S3, tight=True)
