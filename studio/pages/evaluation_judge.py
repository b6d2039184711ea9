"""Having a model judge the answers: which judge, by what; how far it is, and why it could not go on.

The key to an endpoint stays in the form and in the engine's memory; it is in nothing that is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flet as ft
import msgspec

from engine.judging import Progress, judges_here
from engine.results.judging import CRITERIA, Chosen
from studio.hooks import use_attempt, use_engine, use_topic
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    TextField,
    bar,
    body,
    card,
    chip,
    component,
    label,
    muted,
    named,
    quiet,
    row,
    section,
)
from studio.theme import S2, S3

FIELD = 300


class JudgeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What was entered about a judge so far: a model here, or one behind an endpoint. No key."""

    here: bool = True
    model: str = ""
    url: str = ""
    name: str = ""
    criteria: tuple[str, ...] = tuple(CRITERIA)

    @property
    def chosen(self) -> Chosen:
        """The judge that is meant."""
        if self.here:
            return Chosen(model=self.model, criteria=self.criteria)
        return Chosen(model=self.name.strip(), url=self.url.strip() or "nothing", criteria=self.criteria)


@component
def JudgeFields(
    draft: JudgeDraft, change: Callable[[JudgeDraft], object], key: str, set_key: Callable[[str], object]
) -> Any:
    """A model on this computer or an endpoint, and what it looks at."""
    engine = use_engine()
    versions = use_topic(engine.outcomes.versions, every=1.0)
    here = ft.use_memo(lambda: judges_here(engine.home, versions), [versions])

    def edit(**changes: Any) -> None:
        change(msgspec.structs.replace(draft, **changes))

    def turn(name: str) -> None:
        left = tuple(each for each in CRITERIA if (each in draft.criteria) is not (each == name))
        edit(criteria=left)

    kinds = row(
        chip("A model on this computer", lambda: edit(here=True), selected=draft.here),
        chip("An endpoint", lambda: edit(here=False), selected=not draft.here),
    )
    if draft.here:
        options = [(words, named(title)) for words, title in here]
        fields: list[ft.Control] = [
            Choice(draft.model, options, lambda words: edit(model=words), label="Judge", width=FIELD)
        ]
    else:
        fields = [
            _field(draft.url, lambda words: edit(url=words), "Address", "http://localhost:8000/v1"),
            _field(draft.name, lambda words: edit(name=words), "Model at this address"),
            _field(key, set_key, "Key, if it wants one", secret=True),
            muted(
                "Questions, wanted answers and both models' answers go to this address, which speaks OpenAI's chat "
                "completions. The key is used for it alone and is not kept.",
            ),
        ]
    wanted = [chip(name, lambda name=name: turn(name), selected=name in draft.criteria) for name in CRITERIA]
    blocks = [kinds, row(*fields, spacing=S3), label("What it looks at"), row(*wanted)]
    return ft.Column(blocks, spacing=S2, tight=True)


def _field(
    value: str, on_commit: Callable[[str], object], name: str, hint: str = "", *, secret: bool = False
) -> ft.Control:
    return ft.Container(TextField(value, on_commit, label=name, hint=hint, secret=secret), width=FIELD)


@component
def Judge(version_id: str, run: str, again: bool) -> Any:
    """A judge for an evaluation that is there: its fields, its progress, or why it could not go on."""
    engine = use_engine()
    progress = use_topic(engine.judging.progress, every=0.25).get(version_id)
    open_, set_open = ft.use_state(False)
    draft, set_draft = ft.use_state(JudgeDraft())
    key, set_key = ft.use_state("")
    problem, trying = use_attempt()
    if progress is not None and progress.at_work:
        return section("Judging", card(_at_work(progress)))

    async def begin() -> None:
        engine.judging.begin(version_id, draft.chosen, key, run=run)

    blocks: list[ft.Control] = [
        body("A model rates both answers to each question in both orders, and is compared with your own thumbs.")
    ]
    if open_:
        blocks.append(JudgeFields(draft, lambda now: set_draft(lambda _: now), key, set_key))
        blocks.append(row(Busy("Judge", "Starting", trying(begin), icon=ft.Icons.GAVEL, main=False)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    if progress is not None and progress.card is not None:
        blocks.append(ErrorCard(progress.card))
        blocks.append(row(quiet("Put this away", lambda: engine.judging.forget(version_id))))
    more = quiet("Not now" if open_ else "Choose a judge", lambda: set_open(lambda now: not now))
    words = "Have it judged again" if again else "Have it judged"
    return section(words, card(ft.Column(blocks, spacing=S3)), action=more)


def _at_work(progress: Progress) -> ft.Control:
    share = progress.done / progress.total if progress.total else None
    words = f"{progress.done} of {progress.total} examples judged." if progress.total else "The judge is loading."
    return ft.Column(
        [
            body(words),
            bar(share, name="Judging"),
            muted("What it says is kept as it comes; a judge that is asked again goes on from there."),
        ],
        spacing=S2,
    )
