"""What was found in a data file: its form, each column's role, what to look at, and lines that could not be read."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.data.inspect import mapped_roles
from engine.data.nouns import BadRow, Dataset, Finding, Inspection, Mapping, Row
from studio.hooks import use_engine, use_session, use_surroundings, use_topic
from studio.kit import (
    badge,
    body,
    card,
    code,
    component,
    gigabytes,
    glossed,
    label,
    muted,
    notice,
    percent,
    plural,
    quiet,
    row,
    section,
    verbatim,
)
from studio.pages.data_mapping import LEARNED, SCHEMAS, MappingForm
from studio.pages.data_quality import fix_button
from studio.session import WizardDraft
from studio.theme import S1, S2, S3, Ink
from studio.uploads import allowed

LEVELS = {"problem": "bad", "warning": "warn", "info": "info"}
PROBLEMS_SHOWN, SAMPLES_SHOWN = 8, 3


@component
def Found(draft: WizardDraft) -> Any:
    """Everything the inspection says."""
    found = draft.inspection
    assert found is not None
    changing, set_changing = ft.use_state(False)
    blocks: list[ft.Control] = [card(_summary(found))]
    if not found.detection.sure or changing:
        blocks.append(MapColumns(draft))
    elif not draft.dataset:
        blocks.append(row(quiet("Map the columns otherwise", lambda: set_changing(True))))
    blocks.append(Noticed(draft))
    if found.bad_count:
        blocks.append(bad_rows(found.bad[:PROBLEMS_SHOWN], found.bad_count))
    if found.sample and not draft.dataset:
        blocks.append(section("The first rows", card(_samples(found.sample[:SAMPLES_SHOWN]))))
    return ft.Column(blocks, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Noticed(draft: WizardDraft) -> Any:
    """What was noticed; once the file is imported, with a press that makes a mended version and trains on that."""
    engine, session = use_engine(), use_session()
    datasets = use_topic(engine.library.datasets, every=0.5)
    dataset = next((each for each in datasets if each.id == draft.dataset), None)
    if dataset is None:
        findings = draft.inspection.findings if draft.inspection else ()
        return _listed([finding_notice(each) for each in findings])

    def take(made: Dataset) -> None:
        session.edit(dataset=made.id)

    return _listed([finding_notice(each, fix_button(engine, dataset, each, take)) for each in dataset.findings])


def _listed(notices: list[ft.Control]) -> ft.Control:
    return ft.Column(
        notices, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH, visible=bool(notices), tight=True
    )


def _summary(found: Inspection) -> ft.Control:
    kind = SCHEMAS.get(found.schema or "", "rows whose columns need a role")
    what = f"{plural(found.rows, 'row')} of {kind}"
    form = f"{found.format.name.upper()}, {gigabytes(found.format.bytes)}"
    if found.format.encoding:
        form += f", {found.format.encoding}"
    roles = [
        ft.Container(
            ft.Row(
                [
                    code(guess.column, selectable=False),
                    badge(guess.role if guess.role != "ignored" else "not used", _tone(guess.role)),
                    muted(percent(guess.confidence) if guess.role != "ignored" else ""),
                ],
                spacing=S2,
                tight=True,
            ),
            border=ft.Border.all(1, Ink.BORDER),
            border_radius=16,
            padding=ft.Padding.symmetric(horizontal=S3, vertical=S1),
            tooltip=guess.evidence,
        )
        for guess in mapped_roles(found.detection, found.mapping)
    ]
    return ft.Column([label(what), muted(form, size=14), row(*roles)], spacing=S2, tight=True)


def _tone(role: str) -> str:
    return "tuned" if role in LEARNED else "plain" if role == "ignored" else "info"


def finding_notice(finding: Finding, fix: ft.Control | None = None) -> ft.Control:
    """A finding as a band: what, why, what to do, the terms it needs for that, and the press that does it."""
    said = f"{finding.why} {finding.fix}"
    return notice(LEVELS[finding.level], finding.what, said, *([fix] if fix else []), *glossed(finding.what, said))


def bad_rows(shown: tuple[BadRow, ...], count: int) -> ft.Control:
    """Lines that could not be used, of `count` in all: where, what is wrong, how to mend it."""
    lines: list[ft.Control] = [
        ft.Row(
            [
                ft.Container(code(f"line {each.line}", size=12), width=84),
                ft.Column([body(each.problem), muted(each.remedy)], spacing=0, tight=True, expand=True),
            ],
            vertical_alignment=ft.CrossAxisAlignment.START,
        )
        for each in shown
    ]
    rest = count - len(lines)
    if rest > 0:
        lines.append(muted(f"and {plural(rest, 'more line')}"))
    head = f"{plural(count, 'line')} could not be used; the other rows are fine"
    return section(head, card(ft.Column(lines, spacing=S2, tight=True)))


def _samples(rows: tuple[Row, ...]) -> ft.Control:
    return ft.Column([_pair(each) for each in rows], spacing=S3, tight=True)


def _pair(row_: Row) -> ft.Control:
    return ft.Column(
        [
            *(
                [verbatim(row_.prompt, color=Ink.MUTED, max_lines=3, overflow=ft.TextOverflow.ELLIPSIS)]
                if row_.prompt
                else []
            ),
            ft.Container(
                verbatim(row_.answer, max_lines=4, overflow=ft.TextOverflow.ELLIPSIS),
                border=ft.Border.only(left=ft.BorderSide(3, Ink.PURPLE)),
                padding=ft.Padding.only(left=S2),
            ),
        ],
        spacing=S1,
        tight=True,
    )


@component
def MapColumns(draft: WizardDraft) -> Any:
    """The person says which column is what, because the file does not say it clearly, or otherwise than it was read."""
    engine, session = use_engine(), use_session()
    confined = use_surroundings().confined
    found = draft.inspection
    assert found is not None

    async def use(mapping: Mapping) -> None:
        file = allowed(draft.path, engine.home.path, confined=confined)
        inspection = await engine.library.inspect(file, mapping)
        session.edit(inspection=inspection, mapping=mapping)

    why = "The file does not say it clearly enough to decide without you."
    if found.detection.sure:
        why = "Choose how each row is to be read."
    form = MappingForm(found.columns, draft.mapping or found.detection.mapping, use, "Use these columns")
    return notice("info" if found.detection.sure else "warn", "Which column is what?", why, form)
