"""One dataset: what it holds and how good it is, what was noticed, its rows one by one and as a model will see them,
and its versions.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio.to_thread
import flet as ft

from engine.core.errors import unexpected
from engine.data.library import read_bad
from engine.data.nouns import Dataset, Finding
from engine.plan.profiles import profile_for
from studio.frame import frame
from studio.hooks import go, use_engine, use_loaded, use_session, use_surroundings, use_topic
from studio.kit import (
    Choice,
    ErrorCard,
    badge,
    body,
    card,
    chip,
    columns,
    component,
    empty,
    fact,
    glossed,
    link,
    muted,
    name_title,
    notice,
    plural,
    primary,
    row,
    section,
    share_words,
    title,
)
from studio.pages.data import size_words
from studio.pages.data_browse import Browse
from studio.pages.data_lengths import Lengths
from studio.pages.data_mapping import SCHEMAS, Columns
from studio.pages.data_quality import Made, Quality, fix_button
from studio.pages.data_rows import Rows
from studio.pages.data_versions import Versions
from studio.pages.wizard_found import LEVELS, bad_rows
from studio.pages.wizard_state import FIRST_LENGTH, MODEL, use_models
from studio.theme import S1, S2, S3, S4, Ink

BAD_SHOWN = 8
TABS = {
    "overview": "Overview",
    "findings": "Findings",
    "rows": "Rows",
    "model": "As a model sees it",
    "versions": "Versions and files",
}


@component
def DataPage() -> Any:
    """The dataset of this address."""
    dataset_id = ft.use_route_params().get("dataset_id", "")
    return DataBody(dataset_id, key=dataset_id)  # type: ignore[call-arg]


@component
def DataBody(dataset_id: str) -> Any:
    """The page of one dataset."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    datasets = use_topic(engine.library.datasets, every=0.5)
    dataset = next((each for each in datasets if each.id == dataset_id), None)
    tab = use_topic(session.data_tab, every=0.0)
    if dataset is None:
        nothing = empty(
            ft.Icons.SEARCH_OFF,
            "This dataset is not here.",
            "It was deleted, or belongs to another Home.",
            primary("Show all data", lambda: go("/data")),
        )
        return frame(surroundings, title("Data"), nothing)

    def tune() -> None:
        session.start_over(profile=profile_for(dataset.schema).id, dataset=dataset.id, step=MODEL)
        go("/new")

    made = time.strftime("%d %b %Y, %H:%M", time.localtime(dataset.made))
    under = row(badge(SCHEMAS[dataset.schema], "info"), muted(f"imported {made} from {Path(dataset.source).name}"))
    return frame(
        surroundings,
        ft.Column([name_title(dataset.name), under], spacing=S1, tight=True),
        *([Made(dataset)] if dataset.parent else []),
        row(*(_tab(each, words, dataset, tab, session.data_tab.set) for each, words in TABS.items())),
        _shown(tab, dataset, surroundings.columns == 1),
        actions=(
            link("All data", "/data"),
            primary("Fine-tune with it", tune, icon=ft.Icons.AUTO_FIX_HIGH),
        ),
    )


def _tab(key: str, words: str, dataset: Dataset, chosen: str, choose: Any) -> ft.Control:
    concerns = sum(each.level != "info" for each in dataset.findings)
    counted = f"{words} ({concerns})" if key == "findings" and concerns else words
    return chip(counted, lambda: choose(key), selected=key == chosen)


def _shown(tab: str, dataset: Dataset, narrow: bool) -> Any:
    """What the tab holds."""
    match tab:
        case "findings":
            return Findings(dataset)
        case "rows":
            return Browse(dataset)
        case "model":
            return AsModel(dataset)
        case "versions":
            return Versions(dataset)
        case _:
            return ft.Column(
                [_facts(dataset, narrow), Quality(dataset), Columns(dataset)],
                spacing=S4,
                horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
            )


def _facts(dataset: Dataset, narrow: bool) -> ft.Control:
    size, unit = size_words(dataset.characters).rsplit(" ", 1)
    facts = [
        fact("Rows", f"{dataset.rows:,}", f"{dataset.duplicates:,} said twice" if dataset.duplicates else "all differ"),
        fact("To learn from", f"{dataset.train_rows:,}", "rows"),
        fact("Held out", f"{dataset.validation_rows:,}", "never trained on"),
        *([fact("To test", f"{dataset.test_rows:,}", "rows")] if dataset.test_rows else []),
        fact("Text", size, f"{unit}, {answers_share(dataset)}"),
        fact("Left out", f"{dataset.bad:,}", "lines with a problem"),
    ]
    return card(columns(list(facts), 2 if narrow else len(facts)))


def answers_share(dataset: Dataset) -> str:
    """How much of the text is learned."""
    return f"{round(100 * dataset.answer_characters / max(1, dataset.characters))} % answers"


@component
def Findings(dataset: Dataset) -> Any:
    """What was noticed, the worst first, and the lines that could not be used."""
    engine = use_engine()

    async def load() -> list[Any]:
        if not dataset.bad:
            return []
        return await anyio.to_thread.run_sync(read_bad, engine.home.datasets, dataset.id)

    loaded = use_loaded(load, [dataset.id])
    order = ("problem", "warning", "info")
    found = sorted(dataset.findings, key=lambda each: order.index(each.level))
    remarks = [each for each in found if each.level == "info"]
    blocks: list[ft.Control] = [
        finding_card(each, fix_button(engine, dataset, each)) for each in found if each.level != "info"
    ]
    if remarks:
        blocks.append(
            card(
                ft.Column(
                    [_remark(each, fix_button(engine, dataset, each)) for each in remarks], spacing=S3, tight=True
                )
            )
        )
    if not found and not dataset.bad:
        blocks.append(notice("good", "Nothing stands out.", "Every line could be used, and no usual problem was seen."))
    if loaded.error is not None:
        blocks.append(ErrorCard(unexpected(loaded.error), again=loaded.again))
    if loaded.value:
        blocks.append(bad_rows(tuple(loaded.value[:BAD_SHOWN]), dataset.bad))
    return section("Findings", *blocks)


def finding_card(finding: Finding, fix: ft.Control | None) -> ft.Control:
    """A finding that matters: what, how many rows, why, what to do."""
    why = f"{concerned(finding)}{finding.why}"
    do = [body(f"What to do: {finding.fix}"), *([fix] if fix else [])]
    return notice(LEVELS[finding.level], finding.what, why, *do, *glossed(finding.what, why, finding.fix))


def _remark(finding: Finding, fix: ft.Control | None) -> ft.Control:
    """A finding that is only worth knowing."""
    words: list[ft.Control] = [body(finding.what), muted(f"{concerned(finding)}{finding.why} {finding.fix}")]
    if fix is not None:
        words.append(ft.Row([fix]))
    if known := glossed(finding.what, finding.why, finding.fix):
        words.append(row(*known))
    return ft.Row(
        [
            ft.Icon(ft.Icons.INFO_OUTLINE, size=18, color=Ink.PRIMARY, semantics_label="worth knowing"),
            ft.Column(words, spacing=2, tight=True, expand=True),
        ],
        spacing=S3,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )


def concerned(finding: Finding) -> str:
    """How many rows it is about, unless its own words say so."""
    if not finding.rows or "%" in finding.what or f"{finding.rows:,}" in finding.what:
        return ""
    return f"{plural(finding.rows, 'row')}, {share_words(finding.share)} of all. "


@component
def AsModel(dataset: Dataset) -> Any:
    """Lengths and rows, counted and cut as one of the models at hand does it."""
    models = use_models()
    path, set_path = ft.use_state("")
    if not models:
        return notice("info", "Rows can be shown once there is a model.", "A model's own tokens are needed for it.")
    model = next((each for each in models if each.path == path), models[0])
    length = min(model.context, FIRST_LENGTH)
    options = [(each.path, each.name) for each in models]
    choice: list[ft.Control] = (
        [Choice(model.path, options, set_path, label="Model", width=240)] if len(models) > 1 else []
    )
    what = f"Counted in the tokens of {model.name}, at most {length:,} of a row."
    head = ft.Column([muted(what, size=14), *choice], spacing=S2, tight=True)
    return ft.Column(
        [
            section("How long its rows are", head, Lengths(dataset.id, model, length)),
            Rows(dataset, model, length),
        ],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
